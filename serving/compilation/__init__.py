"""Programs that vLLM compiles for an engine: resolved values, buckets, fingerprints and proofs."""
