"""vLLM 0.32's tool parser for Gemma 4 with a grammar (`agent.server.gemma4_tool_calls`); imports vLLM."""

# pyright: basic
# The libraries of the server's image are not installed for the type checker.

from typing import Any

from vllm.exceptions import VLLMValidationError  # pyright: ignore[reportMissingImports]
from vllm.tool_parsers import structural_tag_registry as registry  # pyright: ignore[reportMissingImports]
from vllm.tool_parsers.gemma4_engine_tool_parser import (  # pyright: ignore[reportMissingImports]
    Gemma4EngineToolParser,
)
from vllm.tool_parsers.tool_strict_level import ToolStrictLevel  # pyright: ignore[reportMissingImports]
from xgrammar import normalize_tool_choice  # pyright: ignore[reportMissingImports]

from agent.server import gemma4_tool_calls


class Gemma4ToolParser(Gemma4EngineToolParser):
    """Registered as `gemma4`, instead of vLLM's own."""

    structural_tag_model = gemma4_tool_calls.NAME

    def get_structural_tag(
        self, request: Any, *, reasoning: bool = False, strict_level: Any = ToolStrictLevel.AUTO
    ) -> Any:
        """Return the grammar for the request's tools; None where vLLM constrains nothing."""
        tools = registry.get_structural_tag_tools(
            self.structural_tag_model, request.tools, request.tool_choice
        )
        tools = registry.resolve_tool_strictness(tools, request.tool_choice, strict_level)
        if not tools:
            return None
        functions, _, choice = normalize_tool_choice(
            [registry._dump_tool_for_xgrammar(tool) for tool in tools],
            registry._dump_tool_choice_for_xgrammar(request.tool_choice),
        )
        try:
            return gemma4_tool_calls.structural_tag(
                [tool.function for tool in functions],
                choice,
                gemma4_tool_calls.control_tokens(self.model_tokenizer),
            )
        except gemma4_tool_calls.Unsupported as problem:
            raise VLLMValidationError(
                f"This server cannot hold a strict call to {problem}. Leave it out of the schema, or set "
                "'strict' to false.",
                parameter="tools",
            ) from None
