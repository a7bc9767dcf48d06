"""Start of a pod's containers: volumes, image, init container, ends of a container, probes."""

import re
from collections.abc import Iterator

from operate.diagnosis import policies, texts
from operate.diagnosis.evidence import Document, Evidence, containers, end, is_true, phase, state
from operate.diagnosis.finding import Finding, Level, quoted_line
from serving.deploy import container_layout

START, PROBES = "containers", "probes"

BEGINNING = ("ContainerCreating", "PodInitializing")
IMAGE = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError")
"""Reasons of a container that waits for its image (pkg/kubelet/images/types.go, Kubernetes 1.34)."""
CONFIG = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
"""Reasons of a container that cannot be made (pkg/kubelet/kuberuntime/kuberuntime_container.go)."""
VOLUME = re.compile(r'volumes? "(?P<name>[^"]+)"|unmounted volumes=\[(?P<unmounted>[^\] ]+)')
PROBED = re.compile(r"Container (?P<name>\S+) failed (?P<probe>startup|liveness) probe")
KILLED = 137
"""Exit code of a process that got SIGKILL."""


def start(evidence: Evidence) -> list[Finding]:
    """Returns what keeps the containers of the server's pods from running."""
    found = [finding for pod in evidence.servers for finding in obstacles(pod, evidence, START)]
    # A pod that failed stays as a document when another one has taken its place.
    level: Level = "warning" if 0 < evidence.replicas <= evidence.ready else "fault"
    found += [_evicted(pod, evidence, level) for pod in evidence.ended]
    if found or not evidence.servers or not all(map(_server_runs, evidence.servers)):
        return found
    return [Finding(START, "fine", "the server's container runs in every pod")]


def _server_runs(pod: Document) -> bool:
    return any(
        each["name"] == container_layout.SERVER and state(each, "running") is not None
        for each in containers(pod)
    )


def obstacles(pod: Document, evidence: Evidence, stage: str) -> Iterator[Finding]:
    """Yields what keeps a pod's containers from running: the first container that has not started decides."""
    if "nodeName" not in pod["spec"]:
        return
    statuses = list(containers(pod))
    if not any(state(each, "running") or end(each) for each in statuses):
        message = evidence.latest(pod, "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")
        waiting = [waits for each in statuses if (waits := state(each, "waiting"))]
        if message is not None and all(waits.get("reason") in BEGINNING for waits in waiting):
            yield _mount(pod, message, evidence, stage)
            return
    for status in statuses:
        finding = _container(pod, status, evidence, stage)
        if finding is not None:
            yield finding
            return


def _mount(pod: Document, message: str, evidence: Evidence, stage: str) -> Finding:
    """Returns the finding about a volume that cannot be mounted: the key, the weights, or another one."""
    name, said = pod["metadata"]["name"], quoted_line(message)
    match = VOLUME.search(message)
    volume = (match.group("name") or match.group("unmounted")) if match else ""
    if "secrets store" in message or volume in (container_layout.API_KEY, "hugging-face-token"):
        cause = f"pod {name} waits for the secret of its volume {volume}, which has no readable key ({said})"
        return Finding(stage, "fault", cause, _key_advice(volume, evidence))
    if "models" in volume or "gcsfuse" in message:
        cause = f"pod {name} waits for its weights, which the volume {volume} does not show ({said})"
        advice = (
            "run `make up`, which makes the model again"
            if evidence.local
            else f"run `{evidence.kubectl} get jobs`, and see that the account may read the bucket"
        )
        return Finding(stage, "fault", cause, advice)
    known = texts.meaning(message, evidence)
    if known is not None:
        return Finding(
            stage, "fault", f"pod {name} waits for its volumes: {known.cause} ({said})", known.advice
        )
    return Finding(stage, "fault", f"pod {name} waits for its volumes ({said})", evidence.describe(pod))


def _key_advice(volume: str, evidence: Evidence) -> str:
    if evidence.local:
        return "run `make key`"
    if volume == container_layout.API_KEY:
        return (
            f"run `make key STACK={evidence.stack}`; a version that exists may be unreadable for the account"
        )
    return (
        "add the token with `gcloud secrets versions add tpuserve-hugging-face-token --data-file=- "
        "--project=PROJECT` (docs/operations.md, step 5)"
    )


def _container(pod: Document, status: Document, evidence: Evidence, stage: str) -> Finding | None:
    """Returns why a container does not run; None when it runs, has succeeded, or only starts."""
    waiting = state(status, "waiting")
    ended = end(status)
    if waiting is not None and waiting.get("reason") in IMAGE:
        return _image(pod, status, waiting, evidence, stage)
    if waiting is not None and waiting.get("reason") in CONFIG:
        return _config(pod, status, waiting, evidence, stage)
    now = state(status, "terminated")
    failed = ended is not None and (ended.get("exitCode") != 0 or ended.get("reason") == "OOMKilled")
    # A container that was restarted and is well again is no obstacle.
    if ended is None or not failed or (state(status, "running") and status.get("ready")):
        return None
    if status["name"] == container_layout.SIDECAR:
        # Its last words are the verdict of the acceptance.
        return None
    if waiting is None and now is None and not status.get("restartCount"):
        return None
    return _ended(pod, status, ended, evidence, stage)


def _image(pod: Document, status: Document, waiting: Document, evidence: Evidence, stage: str) -> Finding:
    name, image = pod["metadata"]["name"], status.get("image") or "its image"
    message = waiting.get("message") or waiting["reason"]
    said = quoted_line(message)
    known = texts.meaning(message, evidence)
    if evidence.local:
        # Its image is never in a registry.
        advice = "run `make up`, which puts the image on the node again"
    elif known is not None:
        cause = f"pod {name} cannot pull its image, because {known.cause} ({said})"
        return Finding(stage, "fault", cause, known.advice)
    elif re.search(r"403|401|[Dd]enied|[Uu]nauthorized", message):
        advice = (
            "grant the nodes' account the right to pull (docs/operations.md, Where the server image may be)"
        )
    else:
        advice = (
            f"set tpuserve:image in Pulumi.{evidence.stack}.yaml to a digest that exists, and run `pulumi up`"
        )
    return Finding(stage, "fault", f"the image of pod {name} is missing: {image} ({said})", advice)


def _config(pod: Document, status: Document, waiting: Document, evidence: Evidence, stage: str) -> Finding:
    message = waiting.get("message") or waiting["reason"]
    cause = (
        f"container {status['name']} of pod {pod['metadata']['name']} cannot be made "
        f"({waiting['reason']}: {quoted_line(message)})"
    )
    if "secret" in message:
        return Finding(stage, "fault", cause, _key_advice(container_layout.API_KEY, evidence))
    return Finding(stage, "fault", cause, evidence.describe(pod))


def _ended(pod: Document, status: Document, ended: Document, evidence: Evidence, stage: str) -> Finding:
    """Returns the finding about a container that ended: memory, a probe, or its last words."""
    name, container = pod["metadata"]["name"], status["name"]
    times = status.get("restartCount", 0)
    again = f", restarted {times} times" if times else ""
    if ended.get("reason") == "OOMKilled":
        limit = _memory_limit(pod, container)
        cause = (
            f"container {container} of pod {name} was killed, because it used more memory than its limit"
            f"{f' of {limit}' if limit else ''} (OOMKilled{again})"
        )
        advice = (
            f"see the end of its log with {evidence.why_logs()}, and use less host memory or a larger limit"
        )
        return Finding(stage, "fault", cause, advice)
    probe = evidence.latest(pod, "Killing")
    match = PROBED.search(probe) if probe else None
    if match is not None and match.group("name") == container and ended.get("exitCode") is not None:
        return _probe(pod, container, match.group("probe"), again, evidence)
    words = ended.get("message") or evidence.logs.get((name, container), "")
    known = texts.meaning(words, evidence)
    last = quoted_line(words.strip().splitlines()[-1]) if words.strip() else "it left no last words"
    reason = (
        "was killed" if ended.get("exitCode") == KILLED else f"ended with exit code {ended.get('exitCode')}"
    )
    cause = f"container {container} of pod {name} {reason}{again}"
    if known is not None:
        return Finding(stage, "fault", f"{cause}, because {known.cause} ({last})", known.advice)
    return Finding(stage, "fault", f"{cause} ({last})", f"read {evidence.why_logs()}")


def _probe(pod: Document, container: str, probe: str, again: str, evidence: Evidence) -> Finding:
    name = pod["metadata"]["name"]
    answer = evidence.latest(pod, "Unhealthy")
    said = f" ({quoted_line(answer)})" if answer else ""
    cause = f"container {container} of pod {name} failed its {probe} probe and was restarted{again}{said}"
    if barred := policies.closed(evidence, "ingress", container_layout.PORT):
        return Finding(
            PROBES, "fault", f"{cause}: {barred}", f"run `pulumi up -s {evidence.stack} --refresh`"
        )
    if probe == "startup":
        advice = (
            f"see how far it came with {evidence.why_logs()}; the output cold_start has the budget, and a "
            "compile cache shortens the boot"
        )
    else:
        advice = f"see why it stopped answering with {evidence.why_logs()}"
    return Finding(PROBES, "fault", cause, advice)


def _memory_limit(pod: Document, container: str) -> str | None:
    every = [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]
    for each in every:
        if each["name"] == container:
            return each.get("resources", {}).get("limits", {}).get("memory")
    return None


def _evicted(pod: Document, evidence: Evidence, level: Level) -> Finding:
    """Returns the finding about a pod that failed as a whole, mostly by an eviction of the kubelet."""
    name = pod["metadata"]["name"]
    status = pod.get("status", {})
    message, reason = status.get("message") or "", status.get("reason") or phase(pod)
    said = quoted_line(message) if message else reason
    if "compile-cache" in message:
        cause = f"pod {name} was evicted, because its compile cache is full ({said})"
        advice = (
            "raise the size limit of the compile cache (COMPILE_CACHE in stacks/gke/pod_inputs.py), or "
            f"compile fewer programs (`make explain STACK={evidence.stack}`)"
        )
        return Finding(START, level, cause, advice)
    if "ephemeral" in message and "exceed" in message:
        # The volumes have limits of their own, whose messages name them, so it was a log.
        cause = f"pod {name} was evicted, because it wrote more to its node's disk than its limit ({said})"
        return Finding(
            START, level, cause, "log less, or raise LOG_MIB in serving/deploy/ephemeral_storage.py"
        )
    if "ephemeral" in message or "DiskPressure" in message:
        cause = f"pod {name} was evicted, because the disk of its node is full ({said})"
        return Finding(START, level, cause, f"run `{evidence.kubectl} describe nodes`, and free the disk")
    if "memory" in message.lower():
        cause = f"pod {name} was evicted, because its node is out of memory ({said})"
        return Finding(START, level, cause, f"run `{evidence.kubectl} describe nodes`")
    return Finding(START, level, f"pod {name} has failed ({reason}: {said})", evidence.describe(pod))


def booting(pod: Document) -> bool:
    """Returns whether the server's container runs and its startup probe has not succeeded yet."""
    for status in containers(pod):
        if status["name"] == container_layout.SERVER:
            return state(status, "running") is not None and not status.get("started", False)
    return False


def boot(evidence: Evidence) -> list[Finding]:
    """Returns the stage of each pod that starts and has no obstacle."""
    found = list[Finding]()
    for pod in evidence.servers:
        name = pod["metadata"]["name"]
        if "nodeName" not in pod["spec"] or is_true(pod, "Ready") or list(obstacles(pod, evidence, START)):
            continue
        if booting(pod):
            last = evidence.logs.get((name, container_layout.SERVER), "").strip().splitlines()
            where = f"; its log ends with: {quoted_line(last[-1], 160)}" if last else ""
            cause = f"pod {name} is booting: it loads weights and compiles programs{where}"
            found.append(Finding(PROBES, "waiting", cause, f"follow it with {evidence.why_logs()}"))
        elif any(
            (waits := state(each, "waiting")) and waits.get("reason") in BEGINNING for each in containers(pod)
        ):
            cause = f"pod {name} prepares its volumes, its image and its compile cache"
            found.append(Finding(START, "waiting", cause, evidence.describe(pod)))
    return found
