"""The acceptance of one server: every check in order, within the deadline, and the verdict that follows."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from agent.sidecar import evidence, request_checks
from agent.sidecar.client import Client, Failed
from agent.sidecar.hbm import hbm
from agent.sidecar.ladder import ladder
from agent.sidecar.run import Check, Run, Skipped, Warned
from agent.sidecar.settings import CHECK_NAMES, CheckName, Settings
from agent.sidecar.verdict import CheckResult, Result, State, Verdict

CHECKS: Mapping[CheckName, Check] = {
    "chat": request_checks.chat,
    "stream": request_checks.stream,
    "tool_call": request_checks.tool_call,
    "json_schema": request_checks.json_schema,
    "image": request_checks.image,
    "longest_prompt": request_checks.longest_prompt,
    "many_at_once": request_checks.many_at_once,
    "prompts": request_checks.prompts,
    "ladder": ladder,
    "compiled": evidence.compiled,
    "cache_misses": evidence.cache_misses,
    "hbm": hbm,
}

logger = logging.getLogger(__name__)


async def accept(settings: Settings, client: Client, report: Callable[[Verdict], None]) -> Verdict:
    """Returns the verdict on a healthy server, and reports the state before it after each check."""
    run, results = Run(settings, client), list[CheckResult]()
    seconds = settings.acceptance.deadline_seconds
    deadline = asyncio.get_running_loop().time() + seconds
    for name in CHECK_NAMES:
        began = time.monotonic()
        if name in settings.acceptance.off:
            result, sentence = "off", "Switched off by acceptance.off."
        else:
            result, sentence = await _check(name, run, deadline, seconds)
        results.append(
            CheckResult(
                name=name, result=result, sentence=sentence, seconds=round(time.monotonic() - began, 3)
            )
        )
        logger.info("%s: %s: %s", name, result, sentence)
        done = f"{len(results)} of {len(CHECK_NAMES)} checks have ended"
        report(_verdict(run, results, "running", f"The acceptance is running: {done}.", None))
    state, sentence = _conclusion(settings.record.release, results)
    return _verdict(run, results, state, sentence, time.time())


async def _check(name: CheckName, run: Run, deadline: float, seconds: float) -> tuple[Result, str]:
    """Returns the result of one check and its sentence."""
    if asyncio.get_running_loop().time() >= deadline:
        return "skipped", f"Not reached within the {seconds:g} s of acceptance.deadline_seconds."
    try:
        async with asyncio.timeout_at(deadline):
            return "passed", await CHECKS[name](run)
    except Failed as failure:
        text = str(failure)
        return "failed", f"{text[0].upper()}{text[1:].rstrip('.')}."
    except Warned as warning:
        return "warning", str(warning)
    except Skipped as reason:
        return "skipped", str(reason)
    except TimeoutError:
        return (
            "failed",
            f"The acceptance did not end within the {seconds:g} s of acceptance.deadline_seconds; this check "
            "was running then.",
        )
    except Exception as fault:
        # Without a verdict, a rollout would wait until its deadline and report no cause.
        logger.exception("check %s", name)
        return "failed", f"A fault of the check itself ended it ({type(fault).__name__}: {fault})."


def _verdict(
    run: Run, results: Sequence[CheckResult], state: State, sentence: str, finished: float | None
) -> Verdict:
    return Verdict(
        release=run.settings.record.release,
        state=state,
        sentence=sentence,
        finished=finished,
        checks=tuple(results),
        ladder=tuple(run.ladder),
        baseline=run.baseline,
    )


def _conclusion(release: str, results: Sequence[CheckResult]) -> tuple[State, str]:
    """Returns the state after the last check, and the sentence that names every failed check."""
    by_result = {
        result: [each for each in results if each.result == result]
        for result in ("passed", "failed", "warning", "off", "skipped")
    }
    if by_result["failed"]:
        causes = "; ".join(f"{each.name}: {each.sentence.rstrip('.')}" for each in by_result["failed"])
        return "rejected", f"Release {release} is rejected by {causes}."
    others = "".join(
        f", {result}: {', '.join(each.name for each in by_result[result])}"
        for result in ("warning", "off", "skipped")
        if by_result[result]
    )
    return "accepted", f"Release {release} is accepted: {len(by_result['passed'])} checks passed{others}."
