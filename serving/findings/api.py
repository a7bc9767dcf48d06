"""Rules about what clients may ask for, and what is logged of it."""

from collections.abc import Iterator

from serving.compilation.candidate import Candidate, Rule
from serving.engine.extra_flags import without
from serving.messages.finding import Finding


def tools(candidate: Candidate) -> Iterator[Finding]:
    """Refuses tool calls without a parser (vllm/entrypoints/launchers/cli_args.py,
    `validate_parsed_serve_args`)."""
    if candidate.engine.enable_auto_tool_choice and candidate.engine.tool_call_parser is None:
        yield candidate.finding(
            "error",
            "tool-choice-without-parser",
            "enable_auto_tool_choice",
            "vLLM refuses to boot without a parser",
            {"engine.tool_call_parser": "gemma4"},
            {"engine.enable_auto_tool_choice": None},
        )


def request_logs(candidate: Candidate) -> Iterator[Finding]:
    """Reports what the log holds of requests (vllm/entrypoints/serve/utils/request_logger.py,
    `RequestLogger.log_inputs`)."""
    if candidate.engine.enable_log_requests:
        prompts = candidate.engine.logging_level == "DEBUG"
        yield candidate.finding(
            "warning" if prompts else "note",
            "request-logs",
            "enable_log_requests",
            "at DEBUG the log holds the users' prompts"
            if prompts
            else "each request's parameters go to the log, and its prompt at level DEBUG",
            candidate.unset("enable_log_requests"),
            otherwise="keep it where you want that",
        )


def answer_logs(candidate: Candidate) -> Iterator[Finding]:
    """Reports that the log holds answers, at INFO (vllm/entrypoints/serve/utils/request_logger.py,
    `RequestLogger.log_outputs`)."""
    flags = candidate.engine.extra_flags
    if flags.get("enable_log_outputs") is True and candidate.engine.logging_level not in ("WARNING", "ERROR"):
        yield candidate.finding(
            "warning",
            "answer-logs",
            "extra_flags",
            "the log holds the text of the users' answers",
            {"engine.extra_flags": without(flags, "enable_log_outputs")},
            otherwise="keep it where you want that",
            asked="engine.extra_flags.enable_log_outputs is true",
        )


RULES: tuple[Rule, ...] = (
    tools,
    request_logs,
    answer_logs,
)
