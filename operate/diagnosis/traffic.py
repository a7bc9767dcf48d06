"""Last stages: the acceptance, the rollout, the network, and what the servers count."""

import contextlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client.parser import text_string_to_metric_families

from operate.diagnosis import policies, texts
from operate.diagnosis.evidence import Document, Evidence, PodPages, condition, containers, end, is_true
from operate.diagnosis.finding import Finding, quoted_line
from serving.deploy import container_layout

ACCEPTANCE, ROLLOUT, NETWORK, TRAFFIC = "acceptance", "rollout", "network", "traffic"

REFUSALS = "tpuserve_guard_refusals_total"
"""Counter of the requests that the guard refused, by `reason` (agent/server)."""
SLOW = "tpuserve_slow_compilations_total"
"""Counter of the programs whose compilation a user notices (agent/sidecar/metrics.py). The small ones of each
kind of request are compiled with the first, on every server."""
API_KEY = "api_key"
"""Reason of a request without the key, or with another one."""
ALLOWED = "see docs/what-clients-may-send.md"
FULL = 0.95
"""Share of the KV cache above which vLLM is about to preempt requests (docs/operations.md, Set up
monitoring)."""
REJECTED = re.compile(r"^Release \S+ is rejected by ")


def acceptance(evidence: Evidence) -> list[Finding]:
    """Returns the verdict on each server that runs, and its readiness."""
    found = [finding for pod in evidence.servers for finding in _verdict(pod, evidence)]
    return found


def _verdict(pod: Document, evidence: Evidence) -> Iterator[Finding]:
    name = pod["metadata"]["name"]
    pages = evidence.pages.get(name)
    verdict = pages.acceptance if pages is not None else None
    words = _last_words(pod)
    rejection = verdict["sentence"] if verdict and verdict["state"] == "rejected" else words
    if rejection is not None:
        known = texts.meaning(rejection, evidence)
        cause = f"pod {name} was not accepted, so it gets no traffic: {quoted_line(rejection, 600)}"
        advice = (
            f"{known.advice}"
            if known
            else f"read `make logs STACK={evidence.stack} COMPONENT=sidecar`, and run `make rollback "
            f"STACK={evidence.stack}` or change what the sentence names (docs/acceptance.md)"
        )
        yield Finding(ACCEPTANCE, "fault", cause, advice)
    elif verdict is None:
        if pages is not None and not is_true(pod, "Ready"):
            cause = f"the sidecar of pod {name} does not show its verdict"
            yield Finding(ACCEPTANCE, "warning", cause, f"read `{evidence.kubectl} logs {name} -c sidecar`")
    elif verdict["state"] == "waiting" and "no API key" in verdict["sentence"]:
        cause = (
            f"the API key is missing, so pod {name} cannot be accepted ({quoted_line(verdict['sentence'])})"
        )
        yield Finding(ACCEPTANCE, "fault", cause, f"run `make key STACK={evidence.stack}`")
    elif verdict["state"] in ("waiting", "running"):
        said = quoted_line(verdict["sentence"])
        again = f"run `make why STACK={evidence.stack}` again in a minute"
        yield Finding(ACCEPTANCE, "waiting", f"pod {name} is being accepted ({said})", again)
    else:
        yield from _accepted(pod, verdict, evidence)


def _accepted(pod: Document, verdict: Document, evidence: Evidence) -> Iterator[Finding]:
    name = pod["metadata"]["name"]
    if is_true(pod, "Ready"):
        yield Finding(ACCEPTANCE, "fine", f"pod {name} was accepted and is ready")
    else:
        why = evidence.latest(pod, "Unhealthy") or "the kubelet has not asked yet"
        cause = f"pod {name} was accepted, and its readiness probe fails ({quoted_line(why)})"
        advice = f"see with {evidence.why_logs()} whether it is overloaded or stopping"
        yield Finding(ACCEPTANCE, "fault", cause, advice)
    for check in verdict.get("checks", ()):
        if check["result"] == "warning":
            cause = f"check {check['name']} of pod {name} warns: {quoted_line(check['sentence'])}"
            yield Finding(ACCEPTANCE, "warning", cause, "see docs/acceptance.md")


def _last_words(pod: Document) -> str | None:
    """Returns the sentence with which a rejected server's sidecar ended, unless the pod is ready again."""
    for status in containers(pod):
        if status["name"] == container_layout.SIDECAR and not is_true(pod, "Ready"):
            message = (end(status) or {}).get("message") or ""
            return message if REJECTED.match(message) else None
    return None


def rollout(evidence: Evidence) -> list[Finding]:
    """Returns a finding when the Deployment gave up."""
    deployment = evidence.deployment
    progress = None if deployment is None else condition(deployment, "Progressing")
    if deployment is None or progress is None or progress["status"] != "False":
        return []
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    cause = (
        f"the rollout exceeded its deadline of {seconds} s ({quoted_line(progress.get('message', ''))}); "
        f"{evidence.ready} of {evidence.replicas} servers are ready"
    )
    advice = (
        f"read {evidence.why_logs()}, then run `pulumi up -s {evidence.stack}` or "
        f"`make rollback STACK={evidence.stack}`"
    )
    return [Finding(ROLLOUT, "fault", cause, advice)]


def network(evidence: Evidence) -> list[Finding]:
    """Returns the directions in which the network policies allow nothing that the server needs."""
    restore = f"run `pulumi up -s {evidence.stack} --refresh`, which writes the policy again"
    barred = policies.closed(evidence, "ingress", container_layout.PORT)
    if barred:
        return [Finding(NETWORK, "fault", f"clients cannot reach the server, because {barred}", restore)]
    found = list[Finding]()
    for name, what in _store_failures(evidence):
        silent = policies.closed(evidence, "egress")
        log = "\n".join(text for (pod, _), text in evidence.logs.items() if pod == name)
        known = texts.meaning(log, evidence)
        if silent:
            cause, advice = f"{what} of pod {name} failed, because {silent}", restore
        elif known:
            cause, advice = f"{what} of pod {name} failed, because {known.cause}", known.advice
        else:
            cause, advice = (
                f"{what} of pod {name} failed",
                f"read `{evidence.kubectl} logs {name} -c sidecar`",
            )
        found.append(Finding(NETWORK, "warning", cause, advice))
    return found


def _store_failures(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Yields what a pod could not read from the bucket or write to it, once for each pod."""
    for name, samples in _samples(evidence.pages):
        restore = ("tpuserve_compile_cache_restore", "failed")
        if any((sample, labels.get("result")) == restore for sample, labels, _ in samples):
            yield name, "the restore of the compile cache"
        elif any(
            sample == "tpuserve_release_record" and labels.get("result") == "failed"
            for sample, labels, _ in samples
        ):
            yield name, "the record of the release in the bucket"


def traffic(evidence: Evidence) -> list[Finding]:
    """Returns what the servers count, and how many get traffic when nothing is to be said."""
    found = counted(evidence.pages, evidence.stack, "pod")
    if not found and evidence.ready:
        found.append(Finding(TRAFFIC, "fine", f"{evidence.ready} of {evidence.replicas} servers get traffic"))
    return found


def counted(pages: Mapping[str, PodPages], stack: str, kind: str) -> list[Finding]:
    """Returns what the counters say about requests. `kind` is what each page's name names: pod or machine."""
    found = list[Finding]()
    refused: Counter[str] = Counter()
    for name, samples in _samples(pages):
        for sample, labels, value in samples:
            if sample == REFUSALS and value > 0:
                refused[labels.get("reason", "?")] += int(value)
            elif sample == SLOW and value > 0:
                cause = (
                    f"requests to {kind} {name} waited for {value:.0f} slow compilations after its warm-up"
                )
                advice = f"run `make explain STACK={stack}`, which lists the programs of a warm-up"
                found.append(Finding(TRAFFIC, "warning", cause, advice))
            elif sample == "vllm:kv_cache_usage_perc" and value >= FULL:
                cause = f"the KV cache of {kind} {name} is {value:.0%} full, so vLLM preempts requests"
                advice = f"lower `engine.max_num_seqs`, or add `replicas` in Pulumi.{stack}.yaml"
                found.append(Finding(TRAFFIC, "warning", cause, advice))
            elif sample == "vllm:num_requests_waiting" and value > 0:
                cause = f"{value:.0f} requests wait in the queue of {kind} {name}"
                advice = f"add `replicas` in Pulumi.{stack}.yaml if this lasts"
                found.append(Finding(TRAFFIC, "warning", cause, advice))
    if refused:
        reasons = ", ".join(f"{reason} {count}" for reason, count in refused.most_common())
        cause = f"the guard refused {refused.total()} requests, by reason: {reasons}"
        most = refused.most_common(1)[0][0]
        advice = f"give the clients the present key of {stack}" if most == API_KEY else ALLOWED
        found.insert(0, Finding(TRAFFIC, "warning", cause, advice))
    return found


Sample = tuple[str, Mapping[str, str], float]


def _samples(pages: Mapping[str, PodPages]) -> Iterator[tuple[str, list[Sample]]]:
    """Yields the name of each page with its samples."""
    for name, page in pages.items():
        samples = list[Sample]()
        # A page that is not in Prometheus' format has no samples after its first mistake.
        with contextlib.suppress(ValueError):
            for family in text_string_to_metric_families(page.metrics):
                samples += [(each.name, each.labels, each.value) for each in family.samples]
        yield name, samples
