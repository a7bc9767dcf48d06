"""The Job of a load test in a cluster: start it, follow its log, and remove it."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from load_test.manifest import LABELS, LADDER_LABEL, NAME
from load_test.results import Results
from operate.access import Access
from tools.support.progress import Refusal, say

POLL_SECONDS = 2.0
START_SECONDS = 900
"""Seconds for a pod to start: the image is on its node already, the volumes are not."""

SELECTOR = ",".join(f"{name}={value}" for name, value in LABELS.items())


def start(access: Access, objects: Sequence[Mapping[str, Any]], ladder: str) -> None:
    """Starts the Job, unless one of this ladder runs. Raises Refusal when one of another ladder runs."""
    for job in access.items("jobs", SELECTOR):
        if _ended(job) is not None:
            continue
        running = job["metadata"]["labels"][LADDER_LABEL]
        if running != ladder:
            raise Refusal(
                f"A load test with LADDER={running} is running on {access.stack}: follow it with that, "
                f"or end it with `{access.shown} delete job {NAME}`."
            )
        say("   this load test is running already")
        return
    remove(access)
    document = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    access.kubectl("create", "-f", "-", given=json.dumps(document))


def follow(access: Access, results: Results) -> None:
    """Prints a line for each cell until the Job has ended. Raises Refusal for an early end."""
    last = ""
    while True:
        pod = _newest_started(access)
        for line in access.lines("logs", "-f", pod):
            event = _event(line)
            if event is None:
                last = line.strip() or last
            else:
                for news in results.take(event):
                    say(news)
        ended = _job_end(access)
        if ended is not None:
            break
        time.sleep(POLL_SECONDS)
    if not results.ended:
        reason = results.problem or last or ended
        raise Refusal(
            f"The load test ended early: {reason.rstrip('.')}. Run it again: cells that are in the bucket "
            "are not measured again."
        )


def remove(access: Access) -> None:
    """Removes the objects of an ended load test. Its results stay in the bucket."""
    access.kubectl("delete", "job,configmap,networkpolicy", "-l", SELECTOR, "--ignore-not-found", "--wait")


def _event(line: str) -> Mapping[str, Any] | None:
    """Returns the event of a line; None for another line, such as a traceback's."""
    try:
        value: object = json.loads(line)
    except ValueError:
        return None
    if not isinstance(value, dict) or "event" not in value:
        return None
    return cast(Mapping[str, Any], value)


def _newest_started(access: Access) -> str:
    """Returns the name of the Job's newest pod once its container has started.

    Raises Refusal when that takes longer than START_SECONDS.
    """
    reason = "no pod was created"
    for _ in range(int(START_SECONDS / POLL_SECONDS)):
        pods = access.items("pods", SELECTOR)
        if pods:
            pod = max(pods, key=lambda pod: pod["metadata"]["creationTimestamp"])
            if pod["status"].get("phase") != "Pending":
                return pod["metadata"]["name"]
            reason = _waiting(pod)
        elif (ended := _job_end(access)) is not None:
            raise Refusal(f"The load test of {access.stack} has no pod: {ended}")
        time.sleep(POLL_SECONDS)
    raise Refusal(
        f"The load test of {access.stack} has not started for {START_SECONDS} s ({reason}): see "
        f"`{access.shown} describe pods -l {SELECTOR}`."
    )


def _waiting(pod: Mapping[str, Any]) -> str:
    """Returns why a pod has not started."""
    status = pod["status"]
    for container in status.get("containerStatuses", []):
        if waiting := container["state"].get("waiting"):
            return str(waiting.get("message") or waiting.get("reason"))
    unmet = [
        each for each in status.get("conditions", []) if each["status"] != "True" and each.get("message")
    ]
    return str(unmet[0]["message"]) if unmet else "it waits"


def _job_end(access: Access) -> str | None:
    """Returns how the Job ended; None while it runs."""
    jobs = access.items("jobs", SELECTOR)
    return _ended(jobs[0]) if jobs else "the Job was deleted."


def _ended(job: Mapping[str, Any]) -> str | None:
    for condition in job.get("status", {}).get("conditions", []):
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            return str(condition.get("message") or condition["type"])
    return None
