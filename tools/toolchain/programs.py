"""Table of programs: their versions, where they come from, and how to ask them for their version.

The version of a program that is built is defined only in go/programs/go.mod or go/provider/go.mod.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import MappingProxyType

GO_FOLDER = Path(__file__).resolve().parent / "go"
CLONE_VARIABLE = "TPUSERVE_CLONE"
"""Variable that gives the built CLI, which clones share, the clone whose language host and virtual
environment it uses."""

type Version = tuple[int, ...]


def parse_version(text: str) -> Version:
    """Returns the first dotted number in `text` as integers: `v1.34.4+k3s1` is (1, 34, 4). Raises
    ValueError."""
    match = re.search(r"\d+(?:\.\d+)+", text)
    if match is None:
        raise ValueError(f"no version number in {text!r}")
    return tuple(int(part) for part in match.group().split("."))


@dataclass(frozen=True, kw_only=True)
class ModuleFile:
    """File that the build takes from a Go module, so that the repository keeps no copy of it."""

    module: str
    path: str
    version: str | None = None
    """Written into the JSON file's top-level `version` when given."""


@dataclass(frozen=True)
class GoModule:
    """Folder under go/ with a go.mod: one set of versions for every program that is built from it."""

    name: str
    """The folder's name."""

    @property
    def folder(self) -> Path:
        return GO_FOLDER / self.name

    @functools.cached_property
    def go_mod(self) -> str:
        return (self.folder / "go.mod").read_text("utf-8")

    @property
    def minimum_go(self) -> Version:
        """Returns the oldest Go version that may build it: go.mod's own `go` line."""
        match = re.search(r"^go (\S+)", self.go_mod, re.MULTILINE)
        assert match is not None, f"go/{self.name}/go.mod has no go line"
        return parse_version(match.group(1))

    def version(self, requirement: str) -> str:
        """Returns the version of a required Go module, without the leading v."""
        match = re.search(rf"^\s*(?:require )?{re.escape(requirement)} v(\S+)", self.go_mod, re.MULTILINE)
        assert match is not None, f"go/{self.name}/go.mod does not require {requirement}"
        return match.group(1)


COMMON = GoModule("programs")
"""Module of all programs but two: a package that several of them import is compiled once."""
PROVIDER_MODULE = GoModule("provider")
"""Module of the Kubernetes provider, which imports another version of Pulumi's packages than the CLI. Every
other version is COMMON's, so that Go's build cache serves both; a test compares them."""
LINTER_MODULE = GoModule("actionlint")
"""Module of actionlint, which needs an older go.yaml.in/yaml/v4 than the CLI; the two versions differ in
exported names."""
KUBE_SCORE_MODULE = GoModule("kube-score")
"""Module of kube-score, which does not compile with the common module's Kubernetes packages: they added a
method to an interface that it implements. Every version that the two have in common is COMMON's."""


@dataclass(frozen=True, kw_only=True)
class GoFamily:
    """Programs of one release, which share a cache folder."""

    name: str
    """Also the beginning of the cache folder's name."""
    requirement: str
    """Requirement in go.mod whose version is the programs' version."""
    programs: Mapping[str, str]
    """Executable's name -> Go package."""
    module: GoModule = COMMON
    version_variables: tuple[str, ...] = ()
    """Linker settings; `{version}` is replaced."""
    release: str = ""
    """Version that the programs report, where the module is available only as a commit's snapshot."""
    sources: tuple[ModuleFile, ...] = ()
    """Copied beside main.go before the build."""
    installs: tuple[ModuleFile, ...] = ()
    """Copied beside the built programs, executable."""
    scripts: Mapping[str, str] = field(default_factory=dict[str, str])
    """Name -> text of shell scripts written beside the built programs."""

    @property
    def version(self) -> str:
        """Returns the version without the leading v."""
        return self.release or self.module.version(self.requirement)


@dataclass(frozen=True, kw_only=True)
class Built:
    """Program of a Go family; one on PATH is preferred when `oldest` <= its version < `first_too_new`."""

    name: str
    family: GoFamily
    oldest: Version | None = None
    """None: PATH is never used, because the cluster's parts must be of one version."""
    first_too_new: Version | None = None
    version_command: tuple[str, ...] = ("version",)
    executable: str = ""
    """File name where it differs from `name`."""
    needs_beside: str = ""
    """Other program that must also be on PATH for this one to count."""
    local_stack: bool = True
    """False: not needed by `make up`."""

    @property
    def file(self) -> str:
        return self.executable or self.name


@dataclass(frozen=True, kw_only=True)
class Packaged:
    """Program that a Debian package contains, or any on PATH that is new enough."""

    name: str
    package: str
    oldest: Version
    version_command: tuple[str, ...] = ("--version",)
    folders: tuple[str, ...] = ("/usr/sbin", "/sbin")
    """Searched after PATH: an unprivileged or non-login PATH often lacks them."""
    members: tuple[str, ...] = ()
    """When given, `name` is a folder that holds these executables; the first one reports the version."""
    service: str = ""
    """Systemd unit that the package would start and enable; the installation disables it."""
    local_stack: bool = True


type Program = Built | Packaged

KUBERNETES = GoFamily(
    name="kubernetes",
    requirement="k8s.io/kubernetes",
    programs={
        name: f"k8s.io/kubernetes/cmd/{name}"
        for name in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kube-proxy",
            "kubectl",
        )
    },
    version_variables=(
        "k8s.io/component-base/version.gitVersion=v{version}",
        "k8s.io/component-base/version.gitMajor={major}",
        "k8s.io/component-base/version.gitMinor={minor}",
    ),
)
ETCD = GoFamily(
    name="etcd",
    requirement="go.etcd.io/etcd/server/v3",
    programs={"etcd": "go.etcd.io/etcd/server/v3"},
)
# The CLI warns about a language host that is on PATH but not beside it.
_HOST_SCRIPT = f"""#!/bin/sh
: "${{{CLONE_VARIABLE}:?is not set: run pulumi with the variables that 'python -m local env' prints}}"
exec "${CLONE_VARIABLE}/.venv/bin/python" "${CLONE_VARIABLE}/tools/toolchain/language_host/__main__.py" \\
    "${{0%/*}}/pulumi-language-python-exec" "$@"
"""
PULUMI = GoFamily(
    name="pulumi",
    requirement="github.com/pulumi/pulumi/pkg/v3",
    programs={"pulumi": "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"},
    version_variables=("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{version}",),
    installs=(
        # Starts the user's program; upstream's releases ship the same file beside the CLI.
        ModuleFile(
            module="github.com/pulumi/pulumi/sdk/v3",
            path="python/cmd/pulumi-language-python-exec",
        ),
    ),
    scripts={"pulumi-language-python": _HOST_SCRIPT},
)
PROVIDER_RELEASE = "4.25.0"
"""Release that pulumi-kubernetes' commit f47bc2d6f199 became: the Python SDK built from that commit
(4.25.0a1768448096 on PyPI) has the same files as 4.25.0 except for the version. requirements/program.in pins
the same number; a test compares them."""
_PROVIDER = "github.com/pulumi/pulumi-kubernetes/provider/v4"
PROVIDER = GoFamily(
    name="provider-kubernetes",
    requirement=_PROVIDER,
    module=PROVIDER_MODULE,
    release=PROVIDER_RELEASE,
    programs={"pulumi-resource-kubernetes": "."},
    version_variables=(f"{_PROVIDER}/pkg/version.Version={{version}}",),
    sources=(
        ModuleFile(
            module=_PROVIDER,
            path="cmd/pulumi-resource-kubernetes/schema.json",
            version=PROVIDER_RELEASE,
        ),
        ModuleFile(module=_PROVIDER, path="cmd/pulumi-resource-kubernetes/terraform-mapping.json"),
    ),
)
COREDNS = GoFamily(
    name="coredns",
    requirement="github.com/coredns/coredns",
    # This project's main package: upstream's links 50 plugins and three clouds' SDKs, and the Corefile names
    # six plugins.
    programs={"coredns": "./coredns"},
)
NETWORK_POLICIES = GoFamily(
    name="network-policies",
    requirement="sigs.k8s.io/kube-network-policies",
    programs={"kube-network-policies": "sigs.k8s.io/kube-network-policies/cmd"},
)
BUCKET = GoFamily(
    name="bucket",
    requirement="github.com/fsouza/fake-gcs-server",
    # This project's main package confines the library to the folder of the objects, which upstream's cannot.
    programs={"bucket": "./bucket"},
)
KWOK = GoFamily(name="kwok", requirement="sigs.k8s.io/kwok", programs={"kwok": "sigs.k8s.io/kwok/cmd/kwok"})
ACTIONLINT = GoFamily(
    name="actionlint",
    requirement="github.com/rhysd/actionlint",
    module=LINTER_MODULE,
    programs={"actionlint": "github.com/rhysd/actionlint/cmd/actionlint"},
    version_variables=("github.com/rhysd/actionlint.version=v{version}",),
)
KUBE_SCORE = GoFamily(
    name="kube-score",
    requirement="github.com/zegl/kube-score",
    module=KUBE_SCORE_MODULE,
    programs={"kube-score": "github.com/zegl/kube-score/cmd/kube-score"},
    version_variables=("main.version={version}",),
)

_SERVER = parse_version(KUBERNETES.version)

_TABLE: tuple[Program, ...] = (
    Built(
        name="pulumi",
        family=PULUMI,
        # An older CLI may lack engine features that the pinned Python SDK uses.
        oldest=parse_version(metadata.version("pulumi")),
        needs_beside="pulumi-language-python",
    ),
    Built(
        name="provider-kubernetes",
        family=PROVIDER,
        executable="pulumi-resource-kubernetes",
        version_command=("--version",),
    ),
    Built(name="etcd", family=ETCD, version_command=("--version",)),
    *(
        Built(name=name, family=KUBERNETES, version_command=("--version",))
        for name in KUBERNETES.programs
        if name != "kubectl"
    ),
    Built(
        name="kubectl",
        family=KUBERNETES,
        # Kubernetes' version skew policy: kubectl within one minor version of the API server.
        oldest=(_SERVER[0], _SERVER[1] - 1),
        first_too_new=(_SERVER[0], _SERVER[1] + 2),
        version_command=("version", "--client"),
    ),
    Built(name="coredns", family=COREDNS, version_command=("-version",)),
    # These have no version command; the cache folders' names contain the version.
    Built(name="kube-network-policies", family=NETWORK_POLICIES, version_command=()),
    Built(name="bucket", family=BUCKET, version_command=()),
    Built(name="kwok", family=KWOK, version_command=("--version",), local_stack=False),
    # One version of the linters for everybody: their findings are a test's result.
    Built(name="actionlint", family=ACTIONLINT, version_command=("-version",), local_stack=False),
    Built(name="kube-score", family=KUBE_SCORE, local_stack=False),
    Packaged(name="containerd", package="containerd", oldest=(1, 6), service="containerd.service"),
    Packaged(name="ctr", package="containerd", oldest=(1, 6), service="containerd.service"),
    Packaged(name="runc", package="runc", oldest=(1, 1)),
    Packaged(
        name="cni",
        package="containernetworking-plugins",
        # Debian's plugins report "version unknown"; every version supports the bridge configuration used
        # here.
        oldest=(),
        version_command=(),
        folders=("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"),
        members=("bridge", "portmap", "host-local", "loopback"),
    ),
    Packaged(name="nft", package="nftables", oldest=(1, 0), service="nftables.service"),
    Packaged(name="iptables", package="iptables", oldest=(1, 8)),
    Packaged(name="mmdebstrap", package="mmdebstrap", oldest=(1, 2), local_stack=False),
    *(
        Packaged(
            name=name,
            package="prometheus",
            oldest=(2, 42),
            service="prometheus.service",
            local_stack=False,
        )
        for name in ("promtool", "prometheus")
    ),
)

PROGRAMS: Mapping[str, Program] = MappingProxyType({program.name: program for program in _TABLE})
