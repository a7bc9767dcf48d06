"""First stages: what the cluster itself needs, and the Job that copies the weights into the bucket."""

from operate.diagnosis import containers, texts
from operate.diagnosis.evidence import Document, Evidence, condition, is_true
from operate.diagnosis.finding import Finding, quoted_line

CLUSTER, WEIGHTS = "cluster", "weights"


def cluster(evidence: Evidence) -> list[Finding]:
    """Returns the programs of the local cluster that do not run, and a name server without a ready pod."""
    if evidence.stopped:
        cause = f"the local cluster lacks {', '.join(evidence.stopped)}"
        return [Finding(CLUSTER, "fault", cause, "run `make up`, which starts what does not run")]
    if evidence.dns_pods and not any(is_true(pod, "Ready") for pod in evidence.dns_pods):
        cause = f"no pod of the cluster's name server (DNS) is ready, of {len(evidence.dns_pods)}"
        return [Finding(CLUSTER, "fault", cause, _dns_advice(evidence))]
    return [Finding(CLUSTER, "fine", "the control plane answers")]


def _dns_advice(evidence: Evidence) -> str:
    """Returns the command that shows the name server's pods."""
    if evidence.local:
        return "run `make up`, which repairs it"
    return f"run `{evidence.kubectl} describe pods -n kube-system -l k8s-app=kube-dns`"


def weights(evidence: Evidence) -> list[Finding]:
    """Returns a finding for each Job that copies weights."""
    return [finding for job in evidence.jobs for finding in _job(job, evidence)]


def _job(job: Document, evidence: Evidence) -> list[Finding]:
    name = job["metadata"]["name"]
    if is_true(job, "Complete"):
        return [Finding(WEIGHTS, "fine", f"Job {name} has copied the weights")]
    pods = [pod for pod in evidence.job_pods if pod["metadata"].get("labels", {}).get("job-name") == name]
    pods.sort(key=lambda pod: pod["metadata"].get("creationTimestamp", ""))
    failed = condition(job, "Failed")
    if failed is not None and failed["status"] == "True":
        words = _last_words(pods[-1], evidence) if pods else ""
        known = texts.meaning(words, evidence)
        why = f"{failed['message'].rstrip('.')}" + (
            f"; its log ends with: {quoted_line(words)}" if words else ""
        )
        cause = f"the weights Job {name} failed" + (f", {known.cause}" if known else "") + f" ({why})"
        again = f"then run `pulumi up -s {evidence.stack}`, which replaces it"
        advice = f"{known.advice}; {again}" if known else f"follow that sentence, {again}"
        return [Finding(WEIGHTS, "fault", cause, advice)]
    found = [finding for pod in pods[-1:] for finding in containers.obstacles(pod, evidence, WEIGHTS)]
    found = [finding for finding in found if finding.level == "fault"]
    if found:
        return found
    if pods and (retry := _last_words(pods[-1], evidence)) and job.get("status", {}).get("failed"):
        return [
            Finding(
                WEIGHTS,
                "warning",
                f"Job {name} tries again after: {quoted_line(retry)}",
                _follow(name, evidence),
            )
        ]
    return [Finding(WEIGHTS, "waiting", f"Job {name} is copying the weights", _follow(name, evidence))]


def _follow(name: str, evidence: Evidence) -> str:
    return f"follow it with `{evidence.kubectl} logs -f job/{name}`"


def _last_words(pod: Document, evidence: Evidence) -> str:
    """Returns the last line of the log of a Job's pod."""
    lines = evidence.logs.get((pod["metadata"]["name"], "stage"), "").strip().splitlines()
    return lines[-1] if lines else ""
