"""Sidecar of one server: it accepts the server, publishes its compile cache, and records the release.

It runs in the server's image, beside vLLM, with Python 3.12 and the packages of vLLM.
"""
