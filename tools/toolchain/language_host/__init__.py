"""Pulumi's language host for Python: the gRPC service by which the CLI runs Python programs and policy packs.

Upstream's own host is part of the CLI's releases and not part of a Go module at its present version, so it
cannot be built like the CLI (programs.py). This host implements the same protocol (sdk's
proto/pulumi/language.proto, whose Python classes the `pulumi` package ships) for what the CLI asks of an
existing project: preview, up, refresh, destroy, about, install, policy packs. It does not generate SDKs or
projects from schemas.
"""
