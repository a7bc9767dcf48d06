"""Runs in the model server's own Python: what its programs read from environments that serving/ renders.

Reads a list of environments as JSON on stdin; prints, for each, the values that the readers of these
variables return.
"""

import json
import os
import sys

os.environ.update(JAX_PLATFORMS="cpu", TPU_ACCELERATOR_TYPE="v6e-4", TPU_NAME="names", TPU_WORKER_ID="0")
os.environ.update(VLLM_LOGGING_LEVEL="ERROR", VLLM_PLUGINS="")


def readers():
    """Returns variable -> function that computes its value, from vLLM's and tpu-inference's own tables; the
    first one wins."""
    from tpu_inference import envs as tpu_envs
    from vllm import envs

    return {**tpu_envs.environment_variables, **envs.environment_variables}


def main():
    """Print the answers on stdout."""
    table = readers()
    answers = []
    for environment in json.load(sys.stdin):
        os.environ.update(environment)
        answers.append({name: table[name]() if name in table else None for name in environment})
        for name in environment:
            del os.environ[name]
    assert sys.__stdout__
    json.dump(answers, sys.__stdout__)


if __name__ == "__main__":
    sys.stdout = sys.stderr
    main()
