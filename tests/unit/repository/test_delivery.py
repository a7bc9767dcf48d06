"""Every field of a stack and its engine: what it names outside the file, and what delivers that.

A field that is not in the table fails the test. Give a new one a row: the code or the document that brings
the named file, repository, image, secret, quota or resource to where it is needed, or NOTHING when it names
none.
"""

import re
import typing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel

from config.settings import Settings
from serving.engine.config import EngineConfig
from serving.engine.flag_verdicts import EXTRA

REPOSITORY = Path(__file__).resolve().parents[3]


class By(NamedTuple):
    """The thing that a field names, and the file with the word that delivers it or refuses what is not
    there."""

    what: str
    file: str
    word: str


NOTHING = By("", "", "")

POD_SECURITY = By("a namespace that admits the user", "stacks/workload.py", "user.pod_security")
PROJECT = By("your project", "config/checks.py", "is still the placeholder")
ZONE = By("a zone with the slice, and quota there", "stacks/gcp/stockout.py", "has none free now")
DNS = By("a DNS record", "stacks/gke/load_balancer.py", "dns_records")

DELIVERY: dict[str, dict[str, By]] = {
    "Settings": {
        "target": NOTHING,
        "release": By("files of an accepted release", "config/promotion.py", "there is no file"),
        "model": By("a repository of weights", "components/kubernetes/weights_job.py", "--repository"),
        "model_revision": By("a commit of it", "components/kubernetes/weights_job.py", "--revision"),
        "accelerator": By("quota for the slice", "docs/operations.md", "PREEMPTIBLE-TPU-V6E"),
        "phase": NOTHING,
        "scenario": NOTHING,
        "engine": NOTHING,
        "image": By("an image and the right to pull it", "stacks/gcp/server_image.py", "pull_grant"),
        "replicas": By("a slice each", "stacks/gke/tpu_nodes.py", "nodes=settings.replicas"),
        "rollout": NOTHING,
        "acceptance": NOTHING,
        "expected_load": By(
            "a committed simulation", "config/traffic/verdict.py", "make simulate STACK=NAME"
        ),
        "longest_request_seconds": NOTHING,
        "authentication": By("a secret with the clients' keys", "stacks/gcp/foundation.py", "api-key-"),
        "monitoring": NOTHING,
        "allowed_origins": NOTHING,
    },
    "Monitoring": {
        "enabled": By("roles of the account that deploys", "docs/operations.md", "roles/monitoring.editor"),
        "channels": By(
            "notification channels", "docs/operations.md", "gcloud beta monitoring channels create"
        ),
        "availability": NOTHING,
        "first_token": NOTHING,
        "api_key_days": By("a secret's age", "stacks/gcp/foundation.py", "reports the age"),
        "budget": NOTHING,
    },
    "Budget": {
        "billing_account": By(
            "a role on the billing account", "docs/operations.md", "roles/billing.costsManager"
        ),
        "monthly": NOTHING,
    },
    "Checkpoint": {
        "architecture": NOTHING,
        "repository": By("a repository of weights", "agent/weights_job/stage_weights.py", "--expect"),
        "revision": By("a commit of it", "agent/vm/weights.py", "_refuse_other_checkpoint"),
    },
    "ExpectedLoad": {"load": NOTHING, "slo": NOTHING},
    "Rollout": {"surge": By("a spare slice", "stacks/gke/tpu_nodes.py", "settings.rollout.surge")},
    "Acceptance": {
        "off": NOTHING,
        "prompts": NOTHING,
        "limits": NOTHING,
        "ladder": NOTHING,
        "tolerance": NOTHING,
    },
    "Prompt": {"prompt": NOTHING, "expect": NOTHING},
    "Limits": {"time_to_first_token_ms": NOTHING, "time_between_tokens_ms": NOTHING},
    "Ladder": {"concurrency": NOTHING, "prompt_tokens": NOTHING, "output_tokens": NOTHING},
    "LocalTarget": {
        "kind": NOTHING,
        "run_as": POD_SECURITY,
        "kubeconfig": By("a file of the machine that runs pulumi", "stacks/local.py", "target.kubeconfig"),
        "context": NOTHING,
    },
    "FoundationTarget": {
        "kind": NOTHING,
        "project": PROJECT,
        "region": NOTHING,
        "environments": NOTHING,
        "kms_key": By("a key that two services may use", "docs/operations.md", "--authorize-cmek"),
        "protect": NOTHING,
    },
    "GkeTarget": {
        "kind": NOTHING,
        "run_as": POD_SECURITY,
        "project": PROJECT,
        "zone": ZONE,
        "foundation": By("a deployed stack", "stacks/gcp/foundation_outputs.py", "StackReference"),
        "capacity": NOTHING,
        "cluster": NOTHING,
        "endpoint": NOTHING,
        "hugging_face_token": By("a secret", "stacks/gcp/foundation.py", "hugging-face-token"),
        "protect": NOTHING,
    },
    "TpuVmTarget": {
        "kind": NOTHING,
        "project": PROJECT,
        "zone": ZONE,
        "foundation": By("a deployed stack", "stacks/gcp/foundation_outputs.py", "StackReference"),
        "other_zones": ZONE,
        "capacity": NOTHING,
        "api": By("an enabled service", "stacks/tpu_vm/single_vm.py", "tpu.googleapis.com"),
        "endpoint": NOTHING,
        "clients": By("a way through the firewall", "stacks/tpu_vm/access.py", "MachineFirewall("),
        "keep_data": By("a disk", "stacks/tpu_vm/managed_group.py", "data_disk"),
        "baked_cache": By("an archive in the bucket", "agent/compile_cache/trial.py", "baked"),
        "protect": NOTHING,
    },
    "NewCluster": {
        **dict.fromkeys(("kind", "release_channel", "window", "exclusions"), NOTHING),
        "minor_version": By("a version that the channel offers", "doctor/checks/cluster.py", "_not_offered("),
    },
    "MaintenanceWindow": {"start": NOTHING, "end": NOTHING, "recurrence": NOTHING},
    "MaintenanceExclusion": {"name": NOTHING, "start": NOTHING, "end": NOTHING},
    "ExistingCluster": {
        "kind": NOTHING,
        "name": By("a cluster", "stacks/gke/__init__.py", "Cluster.get("),
        "location": By("a cluster", "stacks/gke/__init__.py", "Cluster.get("),
    },
    "Endpoint": {"hostname": DNS, "exposure": NOTHING},
    "OnDemand": {"kind": NOTHING},
    "Spot": {"kind": NOTHING},
    "FlexStart": {"kind": NOTHING, "max_run_hours": NOTHING, "wait_minutes": NOTHING},
    "Reservation": {
        "kind": NOTHING,
        "name": By("a reservation", "docs/operations.md", "gcloud compute reservations create"),
        "project": By("a shared reservation", "components/gcp/provisioning.py", "projects/{self.project}"),
    },
    "ProvisioningFallback": {"kind": NOTHING, "rungs": NOTHING, "wait_minutes": NOTHING},
    "EngineConfig": {
        **dict.fromkeys(
            (
                "tensor_parallel_size",
                "enable_expert_parallel",
                "dtype",
                "kv_cache_dtype",
                "gpu_memory_utilization",
                "block_size",
                "num_gpu_blocks_override",
                "max_model_len",
                "max_num_seqs",
                "max_num_batched_tokens",
                "speculative",
                "async_scheduling",
                "enable_prefix_caching",
                "disable_chunked_mm_input",
                "limit_mm_per_prompt",
                "vision_programs",
                "load_format",
                "safetensors_load_strategy",
                "architecture_override",
                "override_generation_config",
                "default_chat_template_kwargs",
                "max_logprobs",
                "image_tokens",
                "max_num_queued_reqs",
                "max_num_queued_tokens",
                "qwix_rules",
                "extra_flags",
                "enable_auto_tool_choice",
                "tool_call_parser",
                "reasoning_parser",
                "enable_log_requests",
                "enable_prompt_tokens_details",
                "compilation_sizes",
                "bucket_padding_gap",
                "min_token_bucket",
                "attn_bucketized_num_reqs",
                "sampling_microbatch_size",
                "model_impl_type",
                "use_batched_rpa_kernel",
                "moe_requantize_weight_dtype",
                "moe_requantize_block_size",
                "num_precompile_workers",
                "skip_jax_precompile",
                "xla_check_recompilation",
                "cache_min_compile_seconds",
                "cache_min_entry_bytes",
                "explain_cache_misses",
                "no_usage_stats",
                "logging_level",
            ),
            NOTHING,
        ),
        "trust_remote_code": By("code beside the weights", "agent/weights_job/hub.py", "list_repo_tree"),
        "allowed_media_domains": By(
            "a way to a web server", "stacks/gke/pod_inputs.py", "allowed_media_domains"
        ),
        "otlp_traces_endpoint": By("a way to a collector", "stacks/gke/pod_inputs.py", "service_port"),
        "chat_template": By("a file beside the stack file", "config/chat_template.py", "with_chat_template"),
        "generation_config": By("a file beside the weights", "agent/weights_job/hub.py", "list_repo_tree"),
        "extra_environment": By("files", "serving/engine/environment_variables.py", "_path_problem"),
    },
    "Speculative": {
        "method": By("no draft model", "serving/engine/nested_options.py", "_without_a_draft_model"),
        "num_speculative_tokens": NOTHING,
        "prompt_lookup_min": NOTHING,
        "prompt_lookup_max": NOTHING,
    },
    "GenerationDefaults": dict.fromkeys(("temperature", "top_p", "top_k", "max_new_tokens"), NOTHING),
    "ChatTemplateKwargs": {"enable_thinking": NOTHING},
    "QwixRule": dict.fromkeys(("module_path", "weight_qtype", "act_qtype", "tile_size"), NOTHING),
    "MultimodalLimits": {"image": NOTHING, "video": NOTHING, "audio": NOTHING},
    "VisionPrograms": {"token_budgets": NOTHING, "images_per_call": NOTHING},
}


NAMES_A_THING = re.compile(
    r"path|file|dir\b|folder|url|endpoint|template$|tokenizer|lora|plugin|host|model$|hf_"
)
REQUEST_PATHS = {"disable_access_log_for_endpoints"}
"""Flags of extra_flags whose value names an endpoint of this server."""


def models(root: Any) -> dict[str, type[BaseModel]]:
    """Every model class that an annotation holds, at any depth, by name."""
    if isinstance(root, type) and issubclass(root, BaseModel):
        inner = (models(field.annotation) for field in root.model_fields.values())
        return {root.__name__: root} | {name: each for found in inner for name, each in found.items()}
    return {name: each for part in typing.get_args(root) for name, each in models(part).items()}


def classes() -> dict[str, type[BaseModel]]:
    return {**models(Settings), **models(EngineConfig)}


def test_every_field_has_a_row() -> None:
    fields = {name: set(each.model_fields) for name, each in classes().items()}
    assert {name: set(rows) for name, rows in DELIVERY.items()} == fields


def test_no_extra_flag_names_a_file() -> None:
    assert {name for name in EXTRA if NAMES_A_THING.search(name)} == REQUEST_PATHS


@pytest.mark.parametrize(
    ("path", "row"),
    [
        (f"{name}.{field}", row)
        for name, rows in DELIVERY.items()
        for field, row in rows.items()
        if row != NOTHING
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_delivers_is_there(path: str, row: By) -> None:
    assert row.what
    assert row.word in (REPOSITORY / row.file).read_text("utf-8"), f"{path}: {row.file} has no {row.word!r}"
