"""Weights in the artifact bucket, which nothing copies there for TPU VMs."""

import re

from config.targets import artifact_bucket
from doctor.case import Case
from doctor.google import Absent
from doctor.outcome import Outcome, missing, ok
from stacks.tpu_vm.boot_metadata import weights_prefix

_SHARD = re.compile(r"(.*-)\d{5}-of-(\d{5})\.safetensors")
"""Name of one of several files with weights, as Hugging Face's libraries write it."""


def copied(case: Case) -> Outcome:
    """Asks whether the bucket has the weights that a TPU VM downloads when it boots."""
    bucket, prefix = artifact_bucket(case.target.project), weights_prefix(case.settings.model_spec)
    described = f"The machines download gs://{bucket}/{prefix}"
    try:
        pages = case.google.pages(
            "storage", f"b/{bucket}/o", prefix=prefix, fields="items/name,nextPageToken"
        )
        names = [str(item["name"]) for page in pages for item in page.get("items", [])]
    except Absent:
        return missing(f"{described}, and there is no such bucket: deploy the foundation.")
    if not any(name.endswith(".safetensors") for name in names):
        return missing(
            f"{described}, which has no weights: copy them there (docs/operations-tpu-vm.md, Weights)."
        )
    expected = {
        f"{match[1]}{number:05d}-of-{match[2]}.safetensors"
        for match in filter(None, map(_SHARD.fullmatch, names))
        for number in range(1, int(match[2]) + 1)
    }
    if absent := sorted(expected - set(names)):
        return missing(
            f"{described}, which lacks {len(absent)} of {len(expected)} files with weights, the first "
            f"of them {absent[0].removeprefix(prefix)}: copy them there (docs/operations-tpu-vm.md, Weights)."
        )
    return ok(f"{described}, which has {len(names)} objects.")
