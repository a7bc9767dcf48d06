"""Serve Gemma 4 on Google TPU v6e with vLLM: one stack per environment, described in Pulumi.<stack>.yaml."""

from stacks import build
from stacks.load import load

build(load())
