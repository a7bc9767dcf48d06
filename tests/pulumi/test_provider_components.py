"""The provider's own components register their objects, although the provider is built with a small SDK.

`renderYamlToDirectory` needs no cluster: the provider writes the objects that it would have created.
"""

import json
from pathlib import Path

import pytest

from tests.pulumi.small_project import Project, new_project
from tools import toolchain

PROGRAM = """
import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.helm.v4 import Chart, RepositoryOptsArgs
from pulumi_kubernetes.yaml.v2 import ConfigGroup

provider = k8s.Provider("files", render_yaml_to_directory="rendered")
options = pulumi.ResourceOptions(provider=provider)
manifest = pulumi.Output.from_input('''
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {key: value}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: server}
spec:
  selector: {matchLabels: {app: server}}
  template:
    metadata: {labels: {app: server}}
    spec: {containers: [{name: server, image: server}]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec:
  group: example.org
  names: {kind: Thing, plural: things}
  scope: Namespaced
  versions: [{name: v1beta1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
---
apiVersion: example.org/v1beta1
kind: Thing
metadata: {name: thing}
''')
ConfigGroup("group", yaml=manifest, skip_await=True, opts=options)
Chart("chart", chart="./chart", values={"name": "from-values"}, opts=options)
"""
CHART = {
    "Chart.yaml": "apiVersion: v2\nname: sample\nversion: 1.0.0\n",
    "values.yaml": "name: default\n",
    "templates/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Values.name }}}\n",
}
TOKENS = {
    "key": "kubernetes:core/v1:Secret",
    "server": "kubernetes:apps/v1:Deployment",
    "things.example.org": "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition",
    "thing": "kubernetes:example.org/v1beta1:Thing",
    "from-values": "kubernetes:core/v1:ConfigMap",
}
"""Object's name -> type token, as the full SDK registers it."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = new_project(tmp_path)
    toolchain.ensure_provider(tmp_path / "home")
    for name, text in CHART.items():
        file = made.folder / "chart" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return made


def test_config_group_and_chart_register_every_object_under_its_type(project: Project) -> None:
    project.program(PROGRAM)
    project.pulumi("up", "--yes", "--skip-preview")
    state = json.loads(project.pulumi("stack", "export"))
    seen = {
        resource["outputs"]["metadata"]["name"]: resource["type"]
        for resource in state["deployment"]["resources"]
        if "metadata" in resource.get("outputs", {})
    }
    assert seen == TOKENS
    rendered = {file.name for file in (project.folder / "rendered").rglob("*.yaml")}
    assert len(rendered) == len(TOKENS), rendered
    project.pulumi("destroy", "--yes", "--skip-preview")
