"""Every field of Anthropic's Messages API in vLLM 0.32; `agent.server.request_fields` has the terms."""

from agent.server.request_fields import (
    FUNCTION,
    LOGIT_FREE,
    MODEL,
    RENDER_ONLY,
    SAMPLING,
    STREAM,
    TEMPLATE_KWARGS,
    Table,
    front_end,
    label,
    refused,
)

THINKING = front_end(
    "Whether the model thinks.",
    parts={
        "type": front_end(
            "`disabled`, or `adaptive`, which leaves it to output_config.effort. Nothing on TPU ends a "
            "thought after a budget.",
            "disabled",
            "adaptive",
        ),
        "budget_tokens": refused("nothing on TPU ends a thought after a budget"),
        "display": refused("thoughts are returned whole", "summarized"),
    },
)

OUTPUT_CONFIG = front_end(
    "The form of the answer.",
    parts={
        "effort": front_end("Turns thinking on, at all levels alike."),
        "format": front_end(
            "The schema of the answer.",
            parts={
                "type": front_end("`json_schema`."),
                "schema": front_end("The answer is JSON of this schema."),
            },
        ),
    },
)

ANTHROPIC_TOOLS = front_end(
    "Functions that the model may call.",
    parts={
        "name": front_end("The function's name."),
        "description": front_end("Shown to the model."),
        "input_schema": front_end("JSON schema of the input, shown to the model."),
        "strict": front_end("true: the input of a call is made to follow `input_schema`."),
        "defer_loading": FUNCTION["defer_loading"],
        "type": front_end("`custom`; this server runs no tools of its own.", "custom"),
        "cache_control": label("The prefix cache works by itself."),
        "allowed_callers": refused("the model itself is the only caller", ["direct"]),
        "eager_input_streaming": label("The input of a call is always streamed as it comes."),
        "input_examples": refused("vLLM does not show them to the model", []),
    },
)

ANTHROPIC_CHOICE = front_end(
    "Whether a tool must be called; see Tool calls.",
    parts={
        "type": front_end("`auto`, `any`, `tool` or `none`."),
        "name": front_end("The function's name, with `tool`."),
        "disable_parallel_tool_use": front_end("true: one tool call at most."),
    },
)

COUNT_TOKENS: Table = {
    "model": MODEL,
    "messages": front_end("The conversation. Media as `data:` URLs; see Images."),
    "system": front_end("The system message."),
    "thinking": THINKING,
    "output_config": OUTPUT_CONFIG,
    "tool_choice": label("The prompt is the same for each choice, and so is the count."),
    "tools": ANTHROPIC_TOOLS,
    "chat_template_kwargs": TEMPLATE_KWARGS,
    "cache_control": label("The prefix cache works by itself."),
    "speed": refused("there is one speed", "standard"),
    "user_profile_id": label("Names the end user. Not stored."),
    "workspace_id": label("Names the owner. Not stored."),
    "context_management": refused("conversations are not shortened here", {"edits": []}),
}

MESSAGES: Table = {
    **COUNT_TOKENS,
    "tool_choice": ANTHROPIC_CHOICE,
    "max_tokens": front_end("The longest answer, in tokens."),
    "metadata": label("Not stored."),
    "stop_sequences": front_end("Ends the answer at the first of these texts."),
    "stream": STREAM,
    **{name: SAMPLING[name] for name in ("temperature", "top_k", "top_p", "watermarking")},
    "return_mm_kwargs": refused(RENDER_ONLY, True),
    **{name: LOGIT_FREE[name] for name in ("cache_salt", "kv_transfer_params", "ec_transfer_params")},
    "vllm_xargs": LOGIT_FREE["vllm_xargs"],
    "service_tier": refused("there is one tier", "auto", "standard_only"),
    "container": refused("the server runs no code"),
    "mcp_servers": refused("the server calls no other servers", []),
    "inference_geo": refused("the operator decides where the server stands"),
    "diagnostics": refused("the server has none"),
}
