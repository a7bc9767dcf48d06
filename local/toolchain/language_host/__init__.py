"""Pulumi's language host for Python: the gRPC service by which the CLI runs Python programs and policy packs.

Upstream's own host is part of the CLI's releases and of no Go module at its current version, so it cannot be
built like the CLI (programs.py). This one speaks the same protocol (sdk's proto/pulumi/language.proto, whose
Python classes the `pulumi` package ships) for what the CLI asks of an existing project: preview, up, refresh,
destroy, about, install, policy packs. Making SDKs and projects out of schemas is not served.
"""
