"""The foundation under the real CLI: its life, its failures, and its protection against deletion."""

import re
from collections.abc import Iterator

import pytest

from config.stack_file import read
from config.targets import FoundationTarget
from tests.pulumi.deployment import Deployment
from tools.support import paths


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, pack: tuple[str, str]) -> Iterator[Deployment]:
    """Yields a project in which nothing is deployed yet."""
    del pack
    yield Deployment(tmp_path_factory.mktemp("fresh"))


def names(deployment: Deployment) -> set[str]:
    """Returns the ids of all resources at Google."""
    return set(deployment.console.objects())


def test_a_first_preview_keeps_the_policies_and_makes_nothing(
    fresh: Deployment, pack: tuple[str, str]
) -> None:
    fresh.add("foundation", {})
    shown = fresh.good("preview", *pack)
    assert "fake Google Cloud" in shown and "to create" in shown
    assert "tpuserve" in shown.partition("Policies:")[2]
    assert names(fresh) == set()


# Each fault strikes what is created after the resource of the fault before it.
FAULTS = [
    ({"fault": "timeout", "type": "*Network"}, "timeout while waiting for state to become 'DONE'"),
    ({"fault": "unavailable", "type": "*Subnetwork"}, "Error 503"),
    ({"fault": "permission", "type": "*RouterNat"}, "Required 'compute.routers"),
]


def test_each_failure_ends_the_run_and_the_next_one_goes_on(fresh: Deployment) -> None:
    for fault, sentence in FAULTS:
        fresh.console.order(fault)
        shown = fresh.bad("up", "--yes", "--skip-preview")
        assert sentence in shown and "Traceback" not in shown, fault
    fresh.console.order()
    fresh.up()
    fresh.good("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_it_is_stable_under_the_policies(founded: Deployment, pack: tuple[str, str]) -> None:
    founded.use("foundation")
    founded.good("up", "--yes", "--expect-no-changes", *pack)
    founded.good("refresh", "--yes", "--skip-preview", "--expect-no-changes")


def test_destroying_it_is_refused_while_it_is_protected(fresh: Deployment) -> None:
    there = names(fresh)
    shown = fresh.bad("destroy", "--yes")
    assert "cannot be deleted" in shown and "protect" in shown
    assert names(fresh) == there
    fresh.good("preview", "--expect-no-changes")


def test_what_holds_data_outlives_even_a_careless_destroy(fresh: Deployment) -> None:
    """A destroy without its preview continues past protected resources; bucket and secrets stay, and `up`
    repairs the stack."""
    kept = {name for name in names(fresh) if re.search(r"-tpuserve$|/secrets/[^/]+$", name)}
    target = read("foundation", paths.REPOSITORY).target
    assert isinstance(target, FoundationTarget)
    # The bucket, the secret of Hugging Face, and one secret for each environment.
    assert len(kept) == 1 + 1 + len(target.environments)
    fresh.pulumi("destroy", "--yes", "--skip-preview")
    assert kept <= names(fresh)
    fresh.up()
    fresh.good("preview", "--expect-no-changes")


KEY = "projects/acme-keys/locations/us-east5/keyRings/tpu/cryptoKeys/artifacts"


def test_a_later_key_replaces_the_image_mirror_under_its_name(fresh: Deployment) -> None:
    fresh.change({"target.protect": False})
    fresh.up()
    fresh.change({"target.protect": False, "target.kms_key": KEY})
    assert fresh.steps() == {
        "artifacts-bucket": "update",
        "tpuserve-images-repository": "replace",
        "tpuserve-images-node": "replace",
    }
    fresh.up()
    assert fresh.state()["tpuserve-images-repository"]["inputs"]["kmsKeyName"] == KEY


def test_unprotected_it_goes_and_leaves_nothing(fresh: Deployment) -> None:
    fresh.good("destroy", "--yes", "--skip-preview")
    assert names(fresh) == set()
