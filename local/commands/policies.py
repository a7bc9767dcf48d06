"""Python environment of the policy pack, which the Pulumi CLI creates."""

from tools import toolchain
from tools.support import paths, progress

FOLDER = paths.REPOSITORY / "policies"
_REQUIREMENTS = paths.REPOSITORY / "requirements" / "policy.txt"
_COMPLETE = FOLDER / "venv" / "complete"


def missing() -> bool:
    """Returns whether there is no environment for the present requirements."""
    return not (_COMPLETE.exists() and _COMPLETE.stat().st_mtime > _REQUIREMENTS.stat().st_mtime)


def ensure() -> None:
    """Create the environment with `pulumi install`, which reads PulumiPolicy.yaml. Raises Refusal."""
    with progress.exclusive("policies"):
        if not missing():
            return
        progress.run(
            "Install the policies' Python environment (policies/venv): pulumi install",
            ["pulumi", "install"],
            log="policies",
            env=toolchain.pulumi_environment(),
            cwd=FOLDER,
            advice="Make PyPI reachable and run the same command again.",
        )
        _COMPLETE.touch()
