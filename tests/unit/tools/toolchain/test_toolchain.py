"""Which program is used, and the sentence for each machine that cannot have one."""

import os
import re
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

import pytest

from local.cluster.system_manifests import COREFILE
from tools import toolchain
from tools.support import paths
from tools.support.progress import Refusal
from tools.toolchain import debian, golang
from tools.toolchain.find import find
from tools.toolchain.programs import (
    COMMON,
    GO_FOLDER,
    KUBERNETES,
    PROGRAMS,
    PROVIDER_MODULE,
    PROVIDER_RELEASE,
    Built,
    Packaged,
    parse_version,
)

FAMILIES = {
    program.family.name: program.family for program in PROGRAMS.values() if isinstance(program, Built)
}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, str]], Path]:
    """A machine whose PATH holds just the given shell scripts, with an empty cache."""
    programs = tmp_path / "bin"
    programs.mkdir()

    def with_programs(scripts: Mapping[str, str]) -> Path:
        for name, body in scripts.items():
            (programs / name).write_text(f"#!/bin/sh\n{body}\n", "utf-8")
            (programs / name).chmod(0o755)
        return programs

    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("TPUSERVE_CACHE", str(tmp_path / "cache"))
    return with_programs


MODULES = {family.module.name: family.module for family in FAMILIES.values()}


@pytest.mark.parametrize("name", MODULES)
def test_each_go_module_is_pinned_by_its_go_mod_and_go_sum(name: str) -> None:
    module = MODULES[name]
    assert (module.folder / "go.sum").stat().st_size > 0
    assert module.go_mod.startswith(f"module tpuserve/toolchain/{name}\n"), (
        "its last part names the program `.`"
    )
    assert module.minimum_go >= (1, 21), "older Go cannot fetch its own newer self"


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_and_its_files_have_a_version_in_its_go_module(name: str) -> None:
    family = FAMILIES[name]
    assert parse_version(family.version) > (0,)
    for wanted in (*family.sources, *family.installs):
        assert family.module.version(wanted.module)


def test_every_go_folder_belongs_to_a_family() -> None:
    # gateway_api only pins the version of files that Go downloads; nothing is built from it.
    assert {folder.name for folder in GO_FOLDER.iterdir()} - {"gateway_api"} == set(MODULES)


def _versions(text: str) -> dict[str, str]:
    """Required modules and their versions, replacements by a version included."""
    required = dict(re.findall(r"^\s*(?:require )?(\S+) (v\S+)(?: // indirect)?$", text, re.MULTILINE))
    return required | dict(re.findall(r"^\s*(?:replace )?(\S+) => \S+ (v\S+)$", text, re.MULTILINE))


def test_the_providers_versions_are_the_common_ones_so_that_packages_compile_once() -> None:
    common, provider = (_versions(module.go_mod) for module in (COMMON, PROVIDER_MODULE))
    different = {name for name in common.keys() & provider.keys() if common[name] != provider[name]}
    # The provider calls functions that newer packages of Pulumi no longer have; controller-runtime is only
    # named in the module graph and compiled by neither.
    assert different <= {
        "github.com/pulumi/pulumi/pkg/v3",
        "github.com/pulumi/pulumi/sdk/v3",
        "sigs.k8s.io/controller-runtime",
    }


def test_coredns_has_the_plugins_that_the_corefile_names() -> None:
    source = (COMMON.folder / "coredns" / "main.go").read_text("utf-8")
    compiled = set(re.findall(r"coredns/plugin/(\w+)", source))
    named = set(re.findall(r"^    (\w+)", COREFILE, re.MULTILINE))
    assert named == compiled


def test_the_staging_modules_of_kubernetes_are_of_its_own_release() -> None:
    for module in (COMMON, PROVIDER_MODULE):
        staged = set(re.findall(r"=> k8s\.io/\S+ (v\S+)", module.go_mod))
        assert staged == {f"v0.{KUBERNETES.version.partition('.')[2]}"}


def test_the_provider_is_the_release_that_the_python_sdk_asks_for() -> None:
    assert metadata.version("pulumi-kubernetes") == PROVIDER_RELEASE
    pins = (paths.REPOSITORY / "requirements" / "program.in").read_text("utf-8")
    assert f"pulumi-kubernetes=={PROVIDER_RELEASE}" in pins


def test_what_make_up_ensures_leaves_out_only_what_it_does_not_run() -> None:
    unused = {"actionlint", "kube-score", "kwok", "mmdebstrap", "prometheus", "promtool"}
    assert set(PROGRAMS) - set(toolchain.EVERYTHING) == unused


@pytest.mark.parametrize(
    ("program", "says", "used"),
    [
        ("kubectl", "Client Version: v1.32.9", False),
        ("kubectl", "Client Version: v1.33.0", True),
        ("kubectl", "Client Version: v1.34.4\nKustomize Version: v5.7.1", True),
        ("kubectl", "Client Version: v1.35.2-gke.100", True),
        ("kubectl", "Client Version: v1.36.0", False),
        ("kubectl", "no number here", False),
        ("runc", "runc version 1.0.3", False),
        ("runc", "runc version 1.3.0", True),
        ("containerd", "containerd github.com/containerd/containerd 1.5.18 abc", False),
        ("containerd", "containerd github.com/containerd/containerd/v2 v2.1.4 abc", True),
        ("iptables", "iptables v1.8.9 (nf_tables)", True),
        ("nft", "nftables v0.9.8 (E.D.S.)", False),
        ("etcd", "etcd Version: 3.6.16", False),
        ("kubelet", f"Kubernetes v{KUBERNETES.version}", False),
    ],
)
def test_a_program_on_path_is_used_when_new_enough(
    machine: Callable[[Mapping[str, str]], Path],
    program: str,
    says: str,
    used: bool,
) -> None:
    found_in = machine({program: f"echo '{says}'"})
    entry = PROGRAMS[program]
    if isinstance(entry, Packaged):
        # The Debian folders behind PATH are those of the machine that runs the tests.
        entry = Packaged(**{**vars(entry), "folders": ()})
    found = find(entry)
    assert (found is not None) is used
    if found is not None:
        assert (found.path, found.origin) == (found_in / program, "PATH")


def test_a_program_that_fails_is_not_used(machine: Callable[[Mapping[str, str]], Path]) -> None:
    machine({"kubectl": "echo 1.34.4; exit 1"})
    assert find(PROGRAMS["kubectl"]) is None


SDK = metadata.version("pulumi")


@pytest.mark.parametrize(
    ("says", "host", "used"),
    [
        (f"v{SDK}", True, True),
        ("v3.999.0", True, True),
        ("v3.100.0", True, False),
        # Built by `go install`, say: it could not run a Python program.
        (f"v{SDK}", False, False),
    ],
)
def test_whose_pulumi_is_used_decides_about_home_and_plugins(
    machine: Callable[[Mapping[str, str]], Path], says: str, host: bool, used: bool
) -> None:
    found_in = machine({"pulumi": f"echo {says}"} | ({"pulumi-language-python": "exit 0"} if host else {}))
    built = golang.folder(FAMILIES["pulumi"])
    built.mkdir(parents=True)
    (built / "pulumi").touch(mode=0o755)

    environment = toolchain.pulumi_environment()

    assert toolchain.path("pulumi") == (found_in if used else built) / "pulumi"
    assert environment["PULUMI_BACKEND_URL"] == f"file://{paths.pulumi_home()}/state"
    if used:
        assert not {"PATH", "PULUMI_HOME", "TPUSERVE_CLONE"} & set(environment)
    else:
        assert environment["PATH"].split(os.pathsep) == [str(built), str(found_in)]
        assert environment["PULUMI_HOME"] == str(paths.pulumi_home())
        assert environment["TPUSERVE_CLONE"] == str(paths.REPOSITORY)


def test_our_own_pulumi_on_path_is_not_taken_for_the_users(
    machine: Callable[[Mapping[str, str]], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine({})
    built = golang.folder(FAMILIES["pulumi"])
    built.mkdir(parents=True)
    for name in ("pulumi", "pulumi-language-python"):
        (built / name).write_text(f"#!/bin/sh\necho v{SDK}\n", "utf-8")
        (built / name).chmod(0o755)
    monkeypatch.setenv("PATH", toolchain.pulumi_environment()["PATH"])
    found = find(PROGRAMS["pulumi"])
    assert found is not None and found.origin == "built"


def test_the_users_own_pulumi_gets_the_provider_its_own_way(
    machine: Callable[[Mapping[str, str]], Path], tmp_path: Path
) -> None:
    called = tmp_path / "called"
    script = f'[ "$1" = version ] && echo v{SDK} && exit\necho "$@" >> {called}'
    machine({"pulumi": script, "pulumi-language-python": "exit 0"})
    toolchain.ensure("pulumi", "provider-kubernetes")
    assert called.read_text("utf-8") == f"plugin install resource kubernetes {PROVIDER_RELEASE}\n"
    assert not paths.pulumi_home().exists()


def test_the_built_provider_is_linked_into_the_instance_and_moves_with_its_build(
    machine: Callable[[Mapping[str, str]], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine({})
    plugin = paths.pulumi_home() / "plugins" / f"resource-kubernetes-v{PROVIDER_RELEASE}"
    for build in ("first", "second"):
        monkeypatch.setattr(golang, "build", lambda families: None)
        monkeypatch.setattr(golang, "folder", lambda family, build=build: tmp_path / build)
        for _ in range(2):
            toolchain.ensure("provider-kubernetes")
            assert [file.readlink() for file in plugin.iterdir()] == [
                tmp_path / build / "pulumi-resource-kubernetes"
            ]


NEEDS = r"kubernetes 1\.34\.\d+ needs Go 1\.26\.6 or newer"


@pytest.mark.parametrize(
    ("scripts", "root", "program", "sentence"),
    [
        ({}, True, "kubelet", NEEDS + r".*no `go` on PATH: install Go 1\.26\.6 or newer .* run the same"),
        (
            {"go": "case $1 in version) echo go version go1.22.5 linux/amd64;; env) echo local;; esac"},
            True,
            "kubelet",
            NEEDS + r".*`go` on PATH is 1\.22\.5 with GOTOOLCHAIN=local.*: install Go 1\.26\.6",
        ),
        (
            {"go": "case $1 in version) echo go version go1.19.8 linux/amd64;; env) echo;; esac"},
            True,
            "kubelet",
            NEEDS + r".*`go` on PATH is 1\.19\.8: install Go 1\.26\.6",
        ),
        (
            {"go": "echo cannot find GOROOT directory >&2; exit 2"},
            True,
            "kubelet",
            NEEDS + r".*`go version` failed: cannot find GOROOT directory; install Go",
        ),
        ({}, True, "runc", r"^runc not found.*no apt-get.*install runc 1\.1 or newer with the machine's own"),
        (
            {"apt-get": "exit 0"},
            False,
            "runc",
            r"^runc not found.*needs root: run `sudo apt-get install --no-install-recommends runc`, or",
        ),
        (
            {"apt-get": "echo E: Unable to fetch some archives; exit 100", "dpkg-query": "exit 1"},
            True,
            "runc",
            r"Refresh Debian's package lists failed \(exit 100\).*Unable to fetch.*Full log: /",
        ),
        (
            {"apt-get": "exit 0", "dpkg-query": "exit 1"},
            True,
            "runc",
            r"^runc 1\.1 or newer is needed, and the package runc .* provide it: use Debian 12 or newer",
        ),
        ({}, True, "kubelte", r"^There is no program 'kubelte' .*: choose one of pulumi,.*kubelet,"),
    ],
)
def test_a_machine_that_cannot_have_a_program_gets_a_sentence(
    machine: Callable[[Mapping[str, str]], Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    scripts: Mapping[str, str],
    root: bool,
    program: str,
    sentence: str,
) -> None:
    machine(scripts)
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(debian, "POLICY", tmp_path / "policy-rc.d")
    if isinstance(entry := PROGRAMS.get(program), Packaged):
        monkeypatch.setattr(toolchain, "PROGRAMS", {program: Packaged(**{**vars(entry), "folders": ()})})
    with pytest.raises(Refusal, match=re.compile(sentence, re.DOTALL)):
        toolchain.ensure(program)
    assert not list(paths.toolchain().glob("[!.]*")), "a failure leaves nothing that looks whole"
    assert not (tmp_path / "policy-rc.d").exists()


def test_asking_for_a_path_before_it_is_ensured_says_how_to_get_it(
    machine: Callable[[Mapping[str, str]], Path],
) -> None:
    machine({})
    with pytest.raises(Refusal, match=r"etcd is neither on PATH nor built yet: run `make up`, or `python -m"):
        toolchain.path("etcd")
