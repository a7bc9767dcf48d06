"""Table of the checks, in the order of their rows. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from doctor.case import Case
from doctor.checks import access, capacity, cluster, endpoint, programs, quotas, secrets, state, weights
from doctor.outcome import Outcome

Kind = Literal["foundation", "gke", "tpu-vm"]
EVERY: tuple[Kind, ...] = ("foundation", "gke", "tpu-vm")
SERVING: tuple[Kind, ...] = ("gke", "tpu-vm")
GKE: tuple[Kind, ...] = ("gke",)
TPU_VM: tuple[Kind, ...] = ("tpu-vm",)

Asked = Literal["this machine", "Google", "Pulumi"]
"""Source of an answer. Google and Pulumi's backend need the network."""


def _always(_case: Case) -> bool:
    return True


@dataclass(frozen=True)
class Check:
    """One check. `asks_for` is a noun phrase that begins a sentence about a check that was not made."""

    name: str
    asks_for: str
    source: Asked
    kinds: tuple[Kind, ...]
    run: Callable[[Case], Outcome]
    applies: Callable[[Case], bool] = _always
    """Condition on the stack file beside the kind of the target."""


CHECKS: tuple[Check, ...] = (
    Check("python", "The Python packages", "this machine", EVERY, programs.python_packages),
    Check("pulumi", "The Pulumi CLI", "this machine", EVERY, programs.pulumi),
    Check("gke login", "The credential plugin", "this machine", GKE, programs.gke_login),
    Check("gcloud", "The Google Cloud CLI", "this machine", SERVING, programs.gcloud),
    Check("kubectl", "The Kubernetes CLI", "this machine", GKE, programs.kubectl),
    Check("zone list", "The age of the list of zones", "this machine", SERVING, capacity.zone_list),
    Check("login", "The login at Google", "Google", EVERY, access.login),
    Check("project", "The project", "Google", EVERY, access.project),
    Check("apis", "The enabled APIs", "Google", EVERY, access.services),
    Check("permissions", "Your permissions on the project", "Google", EVERY, access.permissions),
    Check("state", "The place of Pulumi's state", "Pulumi", EVERY, state.backend),
    Check("foundation", "The foundation's outputs", "Pulumi", SERVING, state.foundation),
    Check("zone", "The machine types of the zone", "Google", SERVING, capacity.zone),
    Check("chips", "The quota of the TPU family", "Google", SERVING, quotas.on_demand, quotas.uses_on_demand),
    Check(
        "preemptible chips",
        "The quota of preemptible chips",
        "Google",
        SERVING,
        quotas.preemptible,
        quotas.uses_preemptible,
    ),
    Check("disks", "The quota of Hyperdisk", "Google", SERVING, quotas.hyperdisk),
    Check(
        "reservation", "The reservation", "Google", SERVING, capacity.reservation, capacity.has_reservation
    ),
    Check("gke version", "The versions of GKE", "Google", GKE, cluster.version, cluster.is_new),
    Check("cluster", "The existing cluster", "Google", GKE, cluster.existing, cluster.is_existing),
    Check(
        "api key", "The versions of the API key", "Google", SERVING, secrets.api_key, secrets.needs_api_key
    ),
    Check("weights", "The copy of the weights", "Google", TPU_VM, weights.copied),
    Check(
        "hugging face",
        "The versions of the Hugging Face token",
        "Google",
        GKE,
        secrets.hugging_face_token,
        secrets.needs_hugging_face_token,
    ),
    Check("dns record", "The DNS record", "Google", SERVING, endpoint.dns_record, endpoint.has_endpoint),
    Check("certificate", "The certificate", "Google", SERVING, endpoint.certificate, endpoint.has_endpoint),
)
