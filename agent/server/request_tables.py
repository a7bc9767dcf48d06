"""Fields of every protocol that this server offers. See `agent.server.request_fields` for the terms.

tests/vllm/test_request_fields.py compares the tables with vLLM's own protocol classes. A new version that
adds a field fails it until a developer has examined what the TPU backend does with the field.
"""

from agent.server.messages_tables import COUNT_TOKENS, MESSAGES
from agent.server.request_fields import (
    FUNCTION,
    LOGIT_FREE,
    MEDIA_KWARGS,
    MODEL,
    OPENAI_CLOUD,
    RESPONSE_FORMAT,
    ROUTING,
    SAMPLING,
    SAMPLING_MORE,
    STOPPING,
    STREAM,
    STREAM_OPTIONS,
    STRUCTURED_OUTPUTS,
    TEMPLATE_KWARGS,
    Table,
    front_end,
    label,
    refused,
)

CONSTRAINT = front_end("A constraint on the answer.", parts=STRUCTURED_OUTPUTS)
FORMAT = front_end("The form of the answer.", parts=RESPONSE_FORMAT)
TEMPLATE = refused("clients may not bring a chat template of their own")
PARALLEL = front_end("false: one tool call at most.")

TOOLS = front_end(
    "Functions that the model may call.",
    parts={
        "type": front_end("`function`.", "function"),
        "function": front_end("The function.", parts=FUNCTION),
        "defer_loading": FUNCTION["defer_loading"],
    },
)

CHAT: Table = {
    "messages": front_end("The conversation. Media as `data:` URLs; see Images."),
    "model": MODEL,
    **SAMPLING,
    **SAMPLING_MORE,
    **STOPPING,
    "logprobs": front_end("Log-probabilities of the answer's tokens; needs top_logprobs from 1."),
    "top_logprobs": front_end("How many likeliest tokens to give for each one."),
    "max_tokens": front_end("The older name of max_completion_tokens."),
    "max_completion_tokens": front_end("The longest answer, in tokens."),
    "n": front_end("How many answers."),
    "response_format": FORMAT,
    "structured_outputs": CONSTRAINT,
    "stream": STREAM,
    "stream_options": front_end("What a stream carries.", parts=STREAM_OPTIONS),
    "tools": TOOLS,
    "tool_choice": front_end("`none`, `auto`, `required` or a named function; see Tool calls."),
    "parallel_tool_calls": PARALLEL,
    "reasoning_effort": front_end("`none`: no thinking. Every other level turns thinking on, all alike."),
    "include_reasoning": front_end("false: leaves the thoughts out of the answer."),
    "truncate_prompt_tokens": front_end("Cuts the prompt to this many tokens."),
    "truncation_side": front_end("Which end of the prompt is cut."),
    "echo": refused("vLLM makes it prompt_logprobs, which the runner on TPU does not have", False),
    "add_generation_prompt": front_end("false: the prompt does not open the model's turn."),
    "continue_final_message": front_end("The model goes on with the last message."),
    "add_special_tokens": front_end("Adds <bos> to the prompt once more."),
    "documents": refused("the chat template of Gemma 4 does not read documents", []),
    "chat_template": TEMPLATE,
    "chat_template_kwargs": TEMPLATE_KWARGS,
    **MEDIA_KWARGS,
    **LOGIT_FREE,
    **ROUTING,
    "return_prompt_text": front_end("Adds the prompt that the template made."),
    **OPENAI_CLOUD,
    "modalities": refused("answers are text", ["text"]),
    "audio": refused("answers are text"),
    "prediction": refused("the server does not use a predicted answer"),
    "functions": refused("use 'tools'", []),
    "function_call": refused("use 'tool_choice'"),
    "web_search_options": refused("the server does not search the web"),
}

ONE_ANSWER = "the batch endpoint gives one whole answer for each conversation"

BATCH: Table = {
    **CHAT,
    "messages": front_end("A list of conversations. Media as `data:` URLs; see Images."),
    "n": refused(ONE_ANSWER, 1),
    "best_of": refused(ONE_ANSWER, 1),
    "stream": refused(ONE_ANSWER, False),
    "stream_options": refused(ONE_ANSWER),
    "stream_interval": refused(ONE_ANSWER),
    "tools": refused("the batch endpoint has no tools"),
    "tool_choice": refused("the batch endpoint has no tools", "none"),
    "parallel_tool_calls": refused("the batch endpoint has no tools", True, False),
    "use_beam_search": refused("the batch endpoint has no beam search", False),
    "length_penalty": refused("the batch endpoint has no beam search", 1),
    "early_stopping": refused("the batch endpoint has no beam search", False),
    "return_prompt_text": refused("the answer of the batch endpoint has no place for it", False),
    "guided_decoding_backend": refused("vLLM does not read it any more"),
}

COMPLETIONS: Table = {
    "model": MODEL,
    "prompt": front_end("Text, token ids, or a list of either."),
    **SAMPLING,
    **SAMPLING_MORE,
    **STOPPING,
    "logprob_token_ids": refused("the sampler on TPU gives the likeliest tokens only; use 'logprobs'", []),
    "skip_special_tokens": front_end("false: leaves special tokens in the answer."),
    "echo": front_end("Puts the prompt before the answer; not together with logprobs."),
    "logprobs": front_end("How many likeliest tokens to give for each one, from 1."),
    "max_tokens": front_end("The longest answer, in tokens."),
    "n": front_end("How many answers."),
    "best_of": refused("vLLM does not read it any more", 1),
    "stream": STREAM,
    "stream_options": front_end("What a stream carries.", parts=STREAM_OPTIONS),
    "suffix": refused("Gemma 4 does not fill in the middle"),
    "user": OPENAI_CLOUD["user"],
    "truncate_prompt_tokens": front_end("Cuts the prompt to this many tokens."),
    "truncation_side": front_end("Which end of the prompt is cut."),
    "prompt_embeds": refused("the server was not started for embeddings as a prompt"),
    "add_special_tokens": front_end("false: no <bos> before the prompt."),
    "response_format": FORMAT,
    "structured_outputs": CONSTRAINT,
    **LOGIT_FREE,
    **ROUTING,
}

RESPONSES_TOOLS = front_end(
    "Functions that the model may call.",
    parts={
        **FUNCTION,
        "type": front_end(
            "`function`, `custom` or `namespace`; this server runs no tools of its own.",
            "function",
            "custom",
            "namespace",
        ),
        "format": refused(
            "the input of a custom tool is free text, and the model does not see a format", {"type": "text"}
        ),
        "tools": front_end("The functions of a namespace."),
        "allowed_callers": refused("the model itself is the only caller", ["direct"]),
        "async": refused("calls are not asynchronous", False),
        "output_schema": refused("vLLM does not show it to the model"),
    },
)

RESPONSES: Table = {
    "model": MODEL,
    "input": front_end("Text, or the items of the conversation. Media as `data:` URLs; see Images."),
    "instructions": front_end("The system message."),
    **SAMPLING,
    **STOPPING,
    "max_output_tokens": front_end("The longest answer, in tokens."),
    "include": front_end(
        "Log-probabilities of the answer, with top_logprobs from 1. Thoughts are returned as plain text, so "
        "encrypted ones add nothing.",
        "message.output_text.logprobs",
        "reasoning.encrypted_content",
    ),
    "top_logprobs": front_end("How many likeliest tokens to give for each one."),
    "background": refused("answers are not stored here", False),
    "previous_response_id": refused("answers are not stored here; send the conversation in 'input'"),
    "previous_input_messages": refused("it is for models of the gpt-oss family"),
    "prompt": refused("prompts are not stored here"),
    "reasoning": front_end(
        "Whether the model thinks.",
        parts={
            "effort": front_end("`none`: no thinking. Every other level turns thinking on, all alike."),
            "summary": refused("thoughts are returned whole", "auto"),
            "generate_summary": refused("thoughts are returned whole", "auto"),
            "context": refused("the chat template decides which thoughts the model sees again", "auto"),
            "mode": refused("the model has no such setting", "standard"),
        },
    ),
    "include_reasoning": front_end("false: leaves the thoughts out of the answer."),
    "text": front_end(
        "The form of the answer.",
        parts={
            "format": front_end(
                "The schema of the answer.",
                parts={"type": RESPONSE_FORMAT["type"], **(RESPONSE_FORMAT["json_schema"].parts or {})},
            ),
            "verbosity": OPENAI_CLOUD["verbosity"],
        },
    ),
    "structured_outputs": CONSTRAINT,
    "tools": RESPONSES_TOOLS,
    "tool_choice": front_end(
        "`none`, `auto`, `required` or a named function; see Tool calls.",
        parts={
            "type": front_end("`function` or `custom`.", "function", "custom"),
            "name": front_end("The function's name."),
        },
    ),
    "parallel_tool_calls": PARALLEL,
    "max_tool_calls": refused("it limits tools that the server runs, and this one runs none"),
    "stream": STREAM,
    "stream_options": refused(
        "this server does not pad the chunks of a stream", {"include_obfuscation": False}
    ),
    "truncation": front_end("`auto`: cuts a prompt that is too long, instead of 400."),
    "chat_template_kwargs": TEMPLATE_KWARGS,
    "enable_response_messages": front_end("Adds prompt and answer as the model sees them."),
    **MEDIA_KWARGS,
    **LOGIT_FREE,
    **{name: field for name, field in OPENAI_CLOUD.items() if name != "verbosity"},
    "metadata": label("Repeated in the answer."),
    "conversation": refused("conversations are not stored here; send them in 'input'"),
    "context_management": refused("conversations are not shortened here", []),
    "background_options": refused("answers are not stored here"),
    "access_programs": refused("it is a setting of OpenAI's service"),
    "image": refused("the server does not make images"),
}

TOKENIZE: Table = {
    "model": MODEL,
    "prompt": front_end("A text, instead of `messages`."),
    **{name: CHAT[name] for name in ("messages", "add_generation_prompt", "continue_final_message")},
    "add_special_tokens": front_end("Whether <bos> is added."),
    "return_token_strs": front_end("Adds the text of each token."),
    "chat_template": TEMPLATE,
    "chat_template_kwargs": TEMPLATE_KWARGS,
    **MEDIA_KWARGS,
    "tools": TOOLS,
}

DETOKENIZE: Table = {"model": MODEL, "tokens": front_end("Token ids.")}

TABLES: dict[str, Table] = {
    "/v1/chat/completions": CHAT,
    "/v1/chat/completions/batch": BATCH,
    "/v1/completions": COMPLETIONS,
    "/v1/responses": RESPONSES,
    "/v1/messages": MESSAGES,
    "/v1/messages/count_tokens": COUNT_TOKENS,
    "/tokenize": TOKENIZE,
    "/detokenize": DETOKENIZE,
}
"""Path of a POST -> its fields."""
