"""Compiler of the programs that a TPU server compiles at boot, for a real slice on a machine without TPUs.

An engine of serving/ becomes the server's command line. vllm-tpu's real EngineCore boots from it over arrays
that have shapes and shardings but no data, on the devices of libtpu's compile-only client (environment ->
checkpoint -> engine_boot; patches and abstract_weights have every replaced function). The programs that the
boot requests are collected, then lowered and compiled one after another. Each result is a file, so that a
killed run continues where it stopped (compile_programs, work_folder). The results become one
serving.compilation.proof.Proof, which serving/ uses in place of its formulas, and a table and a picture of
each chip's memory (report, memory_chart).

Runs in the model server's Python environment (local/image builds it). Imports only serving/ and config/.
"""
