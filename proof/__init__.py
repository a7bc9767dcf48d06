"""Compiles the programs that a TPU server compiles at boot, for the real slice, on a machine without one.

A phase of serving/ becomes the server's own command line; vllm-tpu's real EngineCore boots from it over
arrays that have shapes and shardings but no data, laid out on the devices of libtpu's compile-only client
(environment -> checkpoint -> engine_boot, with every replaced function in patches and abstract_weights).
Whatever the boot asks to have compiled is collected and then lowered and compiled one program after another,
each result a file of its own, so that a killed run goes on where it was (compile_programs, work_folder). The
results become one serving.compilation.proof.Proof, which serving/ uses in place of its formulas, with a
table and a picture of each chip's memory (report, memory_chart).

Runs in the model server's own Python (local/image builds it) and imports serving/ alone.
"""
