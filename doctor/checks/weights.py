"""Weights in the artifact bucket, which nothing copies there for TPU VMs."""

from config.targets import artifact_bucket
from doctor.case import Case
from doctor.google import Absent
from doctor.outcome import Outcome, missing, ok
from stacks.tpu_vm.boot_metadata import weights_prefix


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
    return ok(f"{described}, which has {len(names)} objects.")
