"""Runs in the model server's own Python: the fields of the protocol classes, as JSON.

vLLM's are its pydantic classes; `sdk` are the parameters that the clients' SDKs send.
"""

import dataclasses
import json
import sys
import typing

from anthropic.types import message_count_tokens_params, message_create_params
from openai.types import completion_create_params
from openai.types.chat import completion_create_params as chat_create_params
from openai.types.responses import (
    FunctionTool,
    ResponseTextConfig,
    response_create_params,
    response_format_text_json_schema_config,
)
from openai.types.shared import Reasoning
from vllm.entrypoints.anthropic import protocol as anthropic
from vllm.entrypoints.generate.base import protocol as generate
from vllm.entrypoints.openai.chat_completion import protocol as chat
from vllm.entrypoints.openai.completion import protocol as completion
from vllm.entrypoints.openai.responses import protocol as responses
from vllm.entrypoints.serve.tokenize import protocol as tokenize
from vllm.sampling_params import StructuredOutputsParams


def fields(*classes):
    """Names as a client writes them: a field's alias where it has one."""
    return sorted({info.alias or name for one in classes for name, info in one.model_fields.items()})


found = {
    "/v1/chat/completions": fields(chat.ChatCompletionRequest),
    "/v1/chat/completions/batch": fields(chat.BatchChatCompletionRequest),
    "/v1/completions": fields(completion.CompletionRequest),
    "/v1/responses": fields(responses.ResponsesRequest),
    "/v1/messages": fields(anthropic.AnthropicMessagesRequest),
    "/v1/messages/count_tokens": fields(anthropic.AnthropicCountTokensRequest),
    "/tokenize": fields(tokenize.TokenizeCompletionRequest, tokenize.TokenizeChatRequest),
    "/detokenize": fields(tokenize.DetokenizeRequest),
}
thinking = [
    anthropic.AnthropicThinkingConfigEnabled,
    anthropic.AnthropicThinkingConfigDisabled,
    anthropic.AnthropicThinkingConfigAdaptive,
]
forms = [
    generate.ResponseFormat,
    generate.StructuralTagResponseFormat,
    generate.LegacyStructuralTagResponseFormat,
]
parts = {
    "/v1/chat/completions structured_outputs": sorted(
        field.name for field in dataclasses.fields(StructuredOutputsParams) if field.init
    ),
    "/v1/chat/completions stream_options": fields(generate.StreamOptions),
    "/v1/chat/completions response_format": fields(*forms),
    "/v1/chat/completions response_format.json_schema": fields(generate.JsonSchemaResponseFormat),
    "/v1/chat/completions tools": fields(chat.ChatCompletionToolsParam),
    "/v1/chat/completions tools.function": fields(generate.FunctionDefinition),
    "/v1/responses tools": fields(FunctionTool),
    "/v1/responses reasoning": fields(Reasoning),
    "/v1/responses text": fields(ResponseTextConfig),
    "/v1/responses text.format": fields(
        response_format_text_json_schema_config.ResponseFormatTextJSONSchemaConfig
    ),
    "/v1/messages thinking": fields(*thinking),
    "/v1/messages output_config": fields(anthropic.AnthropicOutputConfig),
    "/v1/messages output_config.format": fields(anthropic.AnthropicJsonOutputFormat),
    "/v1/messages tools": fields(anthropic.AnthropicTool),
    "/v1/messages tool_choice": fields(anthropic.AnthropicToolChoice),
}
sdk = {
    "/v1/chat/completions": chat_create_params.CompletionCreateParamsStreaming,
    "/v1/completions": completion_create_params.CompletionCreateParamsStreaming,
    "/v1/responses": response_create_params.ResponseCreateParamsStreaming,
    "/v1/messages": message_create_params.MessageCreateParamsStreaming,
    "/v1/messages/count_tokens": message_count_tokens_params.MessageCountTokensParams,
}
completions = completion.CompletionRequest(prompt="Hello", echo=True, logprobs=1)
both = ({"prompt_logprobs": 0}, {"echo": True})
chats = [chat.ChatCompletionRequest(messages=[], **field) for field in both]
answer = {
    "prompt_logprobs": [
        request.to_sampling_params(3, {}).prompt_logprobs for request in (*chats, completions)
    ],
    "classes": found,
    "parts": parts,
    "sdk": {path: sorted(typing.get_type_hints(params)) for path, params in sdk.items()},
}
print(json.dumps(answer), file=sys.__stdout__)
