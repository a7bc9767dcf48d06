"""Checkpoints of the user: which are planned as their architecture, and the sentence for every other one."""

from typing import Any

import pytest

from config.selection import candidate_of
from config.settings import Settings
from serving.compilation import fingerprint, proofs
from serving.findings import findings

REVISION = "0123456789abcdef0123456789abcdef01234567"
OWN = {"architecture": "gemma-4-26b-a4b-it", "repository": "your-team/support", "revision": REVISION}
GKE = {"kind": "gke", "project": "a-project", "zone": "us-east5-b", "capacity": {"kind": "on-demand"}}
TABLE = {"target": GKE, "model": "gemma-4-26b-a4b-it", "model_revision": "f" * 40}
GOOD: dict[str, Any] = {"target": GKE, "model": OWN}


def test_a_checkpoint_is_planned_as_its_architecture() -> None:
    own, row = (candidate_of(Settings.parse(each)) for each in (GOOD, TABLE))
    assert (own.model.hf_repo, own.model.revision) == ("your-team/support", REVISION)
    assert own.model.name == row.model.name
    first, second = (fingerprint.fingerprint(each, image="i") for each in (own, row))
    assert first.graph_digest == second.graph_digest
    assert proofs.with_proof(own).proof == proofs.with_proof(row).proof
    assert proofs.with_proof(own).proof is not None
    assert findings(own) == findings(row)


def test_an_architecture_is_found_by_its_repository_too() -> None:
    named = {**OWN, "architecture": "google/gemma-4-26B-A4B-it"}
    assert candidate_of(Settings.parse({**GOOD, "model": named})).model.name == "gemma-4-26b-a4b-it"


def changed(**change: object) -> dict[str, Any]:
    model = {key: value for key, value in {**OWN, **change}.items() if value is not None}
    return {**GOOD, "model": model}


REFUSED = [
    (changed(revision=None), "model.revision is not set and has no default; set it."),
    (changed(repository=None), "model.repository is not set and has no default; set it."),
    (changed(architecture=None), "model.architecture is not set and has no default; set it."),
    (
        changed(revision="main"),
        "model.revision is the text 'main'; it must look like 4d7ae4984b7db7de8f8457170b3f1a419ee76d52; "
        "change it.",
    ),
    (
        changed(repository="gs://bucket/model"),
        "model.repository is the text 'gs://bucket/model'; it must look like your-team/gemma-4-26b-support; "
        "change it.",
    ),
    (
        changed(repository="/models/mine"),
        "model.repository is the text '/models/mine'; it must look like your-team/gemma-4-26b-support; "
        "change it.",
    ),
    (
        changed(quantization="fp8"),
        "model.quantization is not a name here: it takes architecture, repository, revision; remove it.",
    ),
    (
        changed(weight_bytes=1),
        "model.weight_bytes is not a name here: it takes architecture, repository, revision; remove it.",
    ),
    ({**GOOD, "model": 7}, "model is 7; it must be text; write it in quotes."),
    ({**GOOD, "model": []}, "model is a list; it must be text; write it in quotes."),
    ({**GOOD, "model": {}}, "model.architecture is not set and has no default; set it."),
    (
        changed(architecture="tiny-gemma4-moe"),
        "model.architecture is tiny-gemma4-moe, which is made on the local machine and has no published "
        "checkpoints; choose a model of the Gemma family.",
    ),
    (
        {**GOOD, "model_revision": REVISION},
        "model_revision is set beside model.revision; remove model_revision.",
    ),
    (
        {**GOOD, "target": {"kind": "local"}},
        "model.repository is your-team/support and target.kind is local, where nothing copies weights from a "
        "repository; set model to a row of the model table.",
    ),
]


@pytest.mark.parametrize(("values", "sentence"), REFUSED, ids=[sentence[:60] for _, sentence in REFUSED])
def test_every_other_checkpoint_is_one_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        candidate_of(Settings.parse(values))
    assert str(caught.value).split("\n")[0] == sentence


def test_an_architecture_that_does_not_exist_names_the_others() -> None:
    with pytest.raises(ValueError, match=r"^model 'gemma-4-27b' does not exist: "):
        candidate_of(Settings.parse(changed(architecture="gemma-4-27b")))
