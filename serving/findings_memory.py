"""Rules about HBM: what does not fit, and what the KV cache can hold."""

from serving.finding import Rule

RULES: tuple[Rule, ...] = ()
