"""Conversion between Pulumi's wire format and Python values."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import grpc
from google.protobuf import json_format, struct_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import status_pb2
from pulumi.runtime.proto import provider_pb2

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
"""Mark of a secret in the wire format (sdk/go/common/resource/sig)."""


def plain(message: struct_pb2.Struct) -> dict[str, Any]:
    """Returns a message's fields; whole numbers become int, secrets their values."""
    return _plain(json_format.MessageToDict(message))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == SECRET:
            return _plain(value.get("value"))
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def struct(value: Mapping[str, Any]) -> struct_pb2.Struct:
    """Returns fields as a message."""
    return json_format.ParseDict(dict(value), struct_pb2.Struct())


def fail(context: grpc.ServicerContext, text: str) -> NoReturn:
    """End the call with an error; nothing was created."""
    context.abort(grpc.StatusCode.UNKNOWN, text)
    raise AssertionError("abort returns never")


def unfinished(
    context: grpc.ServicerContext, text: str, id: str, outputs: Mapping[str, Any], inputs: Mapping[str, Any]
) -> NoReturn:
    """End the call with an error that carries the resource, so that the engine keeps it in its state."""
    detail = AnyMessage()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=id, properties=struct(outputs), inputs=struct(inputs), reasons=[text]
        )
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=text, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, text)
    raise AssertionError("abort returns never")


def failures(found: Sequence[tuple[str, str]]) -> list[provider_pb2.CheckFailure]:
    """Returns problems in the form that the engine shows."""
    return [provider_pb2.CheckFailure(property=path, reason=text) for path, text in found]
