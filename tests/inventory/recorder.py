"""Run the whole program of a stack without an engine and keep every registration it makes.

The SDK's mock monitor answers; the recorder reads the requests themselves, so parent, provider, protect,
dependencies and time-outs are seen as the engine would see them. It checks nothing that a provider would.
"""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi.runtime
import yaml
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockMonitor, Mocks

REPOSITORY = Path(__file__).resolve().parents[2]
SECRET_MARK = "4dabf18193072939515e22adb298388d"


class _Echo(Mocks):
    """Answers with the inputs, and with the few outputs that a program goes on with.

    `references` are the outputs of other stacks, by the last part of their name.
    """

    def __init__(self, references: dict[str, dict[str, Any]]) -> None:
        self.references = references

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        inputs = dict(args.inputs)
        match args.typ:
            case "pulumi:pulumi:StackReference":
                stack = inputs["name"].rsplit("/", 1)[1]
                return args.resource_id, {**inputs, "outputs": self.references[stack]}
            case "gcp:serviceaccount/account:Account":
                inputs["email"] = f"{inputs['accountId']}@PROJECT.iam.gserviceaccount.com"
            case "gcp:container/cluster:Cluster":
                endpoint = {"endpoint": "ENDPOINT.gke.goog"}
                inputs["controlPlaneEndpointsConfig"] = {"dnsEndpointConfig": endpoint}
            case "gcp:compute/address:Address":
                inputs["address"] = "ADDRESS"
            case "gcp:certificatemanager/dnsAuthorization:DnsAuthorization":
                inputs["dnsResourceRecords"] = [{"name": "NAME", "type": "CNAME", "data": "DATA"}]
            case "gcp:compute/instanceTemplate:InstanceTemplate":
                inputs["selfLink"] = "TEMPLATE"
            case "gcp:compute/instanceGroupManager:InstanceGroupManager":
                inputs["instanceGroup"] = "INSTANCES"
            case "gcp:monitoring/slo:Slo":
                inputs["name"] = (
                    f"projects/NUMBER/services/{inputs['service']}/serviceLevelObjectives/{inputs['sloId']}"
                )
            case "gcp:compute/forwardingRule:ForwardingRule":
                inputs["ipAddress"] = "ADDRESS"
            case _:
                pass
        return f"{args.name}-id", inputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], None]:
        raise AssertionError(f"the program asked {args.token}: a plan must not depend on a look-up")


class _Recorder(MockMonitor):
    def __init__(self, references: dict[str, dict[str, Any]]) -> None:
        super().__init__(_Echo(references))
        self.requests: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:
        urn = self.make_urn(request.parent, request.type, request.name)
        assert urn not in self.requests, f"two resources want the URN {urn}"
        self.requests[urn] = request
        return super().RegisterResource(request)


@dataclass
class Inventory:
    """Plan of one stack: `resources` by "type::name", and the stack's `outputs`."""

    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Resources whose type token is `kind`, by name."""
        return {
            key.split("::", 1)[1]: value
            for key, value in self.resources.items()
            if key.split("::", 1)[0] == kind
        }


def stack_config(stack: str) -> dict[str, str]:
    """The stack file's configuration as the engine hands it to the program: every value as text."""
    given = yaml.safe_load((REPOSITORY / f"Pulumi.{stack}.yaml").read_text("utf-8"))["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in given.items()}


def deployable(config: dict[str, str]) -> dict[str, str]:
    """The configuration with names of nobody's instead of the placeholders that `up` refuses."""
    names = {"my-project": "inventory-project", "0" * 64: "abcd" * 16, "example.com": "example.org"}
    for placeholder, name in names.items():
        config = {key: value.replace(placeholder, name) for key, value in config.items()}
    return config


def record(
    stack: str, config: dict[str, str], references: dict[str, dict[str, Any]] | None = None
) -> Inventory:
    """Run the program for `stack` with `config` and return what it declared.

    `references` are the outputs of the stacks that it reads.
    """
    from stacks import build
    from stacks.load import load

    # The SDK takes the thread's loop, and whoever called `asyncio.run` before has left none.
    asyncio.set_event_loop(asyncio.new_event_loop())
    recorder = _Recorder(references or {})
    pulumi.runtime.reset_options()
    pulumi.runtime.set_mocks(recorder.mocks, project="tpuserve", stack=stack, preview=False, monitor=recorder)
    pulumi.runtime.set_all_config(config)

    outputs: dict[str, Any] = {}

    @pulumi.runtime.test
    def program() -> pulumi.Output[None]:
        build(load())
        root: Any = pulumi.runtime.get_root_resource()
        return pulumi.Output.all(**root.outputs).apply(outputs.update)

    program()
    resources = {_key(urn): _entry(request) for urn, request in recorder.requests.items() if _kept(request)}
    return Inventory(resources, outputs)


def _kept(request: Any) -> bool:
    return request.type != "pulumi:pulumi:Stack"


def _key(urn: str) -> str:
    _, _, kinds, name = urn.removeprefix("urn:pulumi:").split("::", 3)
    return f"{kinds.split('$')[-1]}::{name}"


def _entry(request: Any) -> dict[str, Any]:
    inputs = _tidy(rpc.deserialize_properties(request.object, keep_unknowns=True))
    if request.type.startswith("kubernetes:"):
        # The type says both.
        inputs = {key: value for key, value in inputs.items() if key not in ("apiVersion", "kind")}
    entry: dict[str, Any] = {"inputs": inputs} if inputs else {}
    if request.parent and "pulumi:pulumi:Stack" not in request.parent.split("::")[2].split("$")[-1]:
        entry["parent"] = request.parent.rsplit("::", 1)[1]
    if request.provider:
        entry["provider"] = request.provider.rsplit("::", 2)[-2]
    for option in ("protect", "retainOnDelete", "deleteBeforeReplace"):
        if getattr(request, option):
            entry[option] = True
    if request.ignoreChanges:
        entry["ignoreChanges"] = list(request.ignoreChanges)
    if request.dependencies:
        entry["dependsOn"] = sorted({urn.rsplit("::", 1)[1] for urn in request.dependencies})
    timeouts = request.customTimeouts
    if timeouts.create:
        entry["timeouts"] = {"create": timeouts.create, "update": timeouts.update, "delete": timeouts.delete}
    return entry


def _tidy(value: Any) -> Any:
    """Whole numbers arrive as floats and secrets as marked objects; show both as a reader would."""
    if isinstance(value, dict):
        if SECRET_MARK in value:
            return "[secret]"
        return {key: _tidy(item) for key, item in sorted(value.items()) if not key.startswith("__")}
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
