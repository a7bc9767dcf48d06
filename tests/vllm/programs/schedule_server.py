"""Steps of the real engine and of the planner for one load. Runs in the server's Python, on a model's folder.

vLLM's engine core runs in this process on the CPU, with the tiny model in that folder. When an answer ends,
its client sends the next request, which comes while the following step runs, as from another process. Nothing
reads a clock. Prints one JSON object: the steps of the engine, and those of the planner's scheduler under the
planner's clock, with the same settings and with others.
"""

import json
import os
import sys

os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"

from collections import Counter

from config.selection import from_phase
from config.traffic.load import parse
from planner.clock import simulate
from planner.step_time import StepTime
from planner.vllm_scheduler import VllmScheduler
from serving.hardware.accelerators import STAND_IN

ENGINE = {
    "tensor_parallel_size": 1,
    "max_model_len": 512,
    "max_num_seqs": 4,
    "max_num_batched_tokens": 128,
    "num_gpu_blocks_override": 20,
    "limit_mm_per_prompt": {"image": 2, "video": 0, "audio": 0},
    "image_tokens": 70,
}
"""Few slots, few tokens in a step, too few pages for four long requests, and one image in a step."""

LOADS = (
    "concurrency=6 prompt=uniform:20:220 answer=uniform:5:60 requests=24 prefix=0.4",
    "concurrency=6 prompt=uniform:20:160 answer=uniform:5:30 requests=12 prefix=0.4 images=2",
)
IMAGE = (480, 336)
"""Width and height in pixels of an image of 70 tokens: 10 x 7 squares of 48 pixels."""

OTHERS = {
    "more pages": {"num_gpu_blocks_override": 24},
    "fewer slots": {"max_num_seqs": 3},
    "longer steps": {"max_num_batched_tokens": 160},
    "chunked images": {"disable_chunked_mm_input": False},
    "no prefix cache": {"enable_prefix_caching": False},
    "synchronous": {"async_scheduling": False},
}


def recorded(scheduler, number):
    """Makes vLLM's scheduler note each step that computes something; returns the list that it fills."""
    steps, original = [], scheduler.schedule
    ended, preempted = [], []

    def schedule(*arguments, **named):
        output = original(*arguments, **named)
        ended.extend(map(number, output.finished_req_ids))
        preempted.extend(map(number, output.preempted_req_ids or ()))
        if output.total_num_scheduled_tokens:
            steps.append(
                {
                    "tokens": [[number(name), count] for name, count in output.num_scheduled_tokens.items()],
                    "begun": [
                        [number(request.req_id), request.num_computed_tokens]
                        for request in output.scheduled_new_reqs
                    ],
                    "images": [
                        [number(name), len(images)]
                        for name, images in output.scheduled_encoder_inputs.items()
                    ],
                    "preempted": sorted(preempted),
                    "ended": sorted(ended),
                }
            )
            ended.clear()
            preempted.clear()
        return output

    scheduler.schedule = schedule
    return steps


def counted(scheduler):
    """Makes vLLM's scheduler count the steps that ended; returns a function with their number."""
    original, ended = scheduler.update_from_output, []

    def update_from_output(output, result):
        if output.total_num_scheduled_tokens:
            ended.append(output)
        return original(output, result)

    scheduler.update_from_output = update_from_output
    return lambda: len(ended)


def of_engine(candidate, loads, model):
    """The steps of the real engine, and the sizes of its KV cache."""
    import tpuserve_cpu_backend

    tpuserve_cpu_backend.activate()
    from vllm.engine.arg_utils import EngineArgs
    from vllm.utils.argparse_utils import FlexibleArgumentParser
    from vllm.v1.engine.llm_engine import LLMEngine

    parser = EngineArgs.add_cli_args(FlexibleArgumentParser())
    words = candidate.engine.argv(model, "tiny", 8000)
    known, _ = parser.parse_known_args(["--model", model, *words])
    engine = LLMEngine.from_engine_args(EngineArgs.from_cli_args(known))
    scheduler = engine.engine_core.engine_core.scheduler
    # vLLM adds random letters to a request's name.
    steps = recorded(scheduler, lambda name: int(name.partition("-")[0]))
    ended = counted(scheduler)
    answers = [answered(engine, load, ended) for load in loads]
    cache = engine.vllm_config.cache_config
    return {"steps": steps, "pages": [cache.num_gpu_blocks, cache.block_size], "answers": answers}


def answered(engine, load, ended):
    """The tokens of each answer, once the engine has answered the requests of a load."""
    coming, lengths, coming_back = load.draw(), Counter(), load.concurrency
    while engine.has_unfinished_requests() or coming_back:
        before = ended()
        answers = engine.step() if engine.has_unfinished_requests() else []
        if ended() > before or not engine.has_unfinished_requests():
            for _ in range(coming_back):
                send(engine, next(coming, None))
            coming_back = 0
        for answer in answers:
            if answer.finished:
                lengths[answer.request_id] = len(answer.outputs[0].token_ids)
                coming_back += 1
    return [lengths[str(number)] for number in range(load.requests)]


def send(engine, request):
    """Give the engine a request, if there is one more."""
    from PIL import Image
    from vllm.inputs import TokensPrompt
    from vllm.sampling_params import SamplingParams

    if request is None:
        return
    # The tiny model has 1,024 tokens, of which the first ones are special.
    tokens = [300 + token % 701 for token in request.tokens()]
    prompt = TokensPrompt(prompt_token_ids=tokens)
    if request.images:
        mark = engine.model_config.hf_config.image_token_id
        tokens[request.shared : request.shared] = [mark] * request.images
        colors = [(request.number, image, 0) for image in range(request.images)]
        prompt["multi_modal_data"] = {"image": [Image.new("RGB", IMAGE, color) for color in colors]}
    sampling = SamplingParams(max_tokens=request.answer, ignore_eos=True, temperature=0)
    engine.add_request(str(request.number), prompt, sampling)


def of_planner(candidate, loads):
    """The steps of the planner's scheduler under the planner's clock, on which each step takes a second."""
    pages = candidate.engine.num_gpu_blocks_override
    scheduler = VllmScheduler(candidate, pages)
    steps = recorded(scheduler.scheduler, int)
    second = StepTime(arithmetic=1.0, hbm=0.0, links=0.0, host=0.0)
    asynchronous = candidate.runtime.async_scheduling
    for load in loads:
        # The real engine gets tokens.
        simulate(load, scheduler, lambda pieces: second, asynchronous=asynchronous, token_seconds=0.0)
    answers = [[request.answer for request in load.draw()] for load in loads]
    return {"steps": steps, "pages": [pages, candidate.runtime.block_size], "answers": answers}


def main():
    """Print the answers on stdout."""
    loads = [parse(text) for text in LOADS]
    candidate = from_phase(
        "tuned", phase="tuned", accelerator_name=STAND_IN, model_name="tiny-gemma4-moe", engine=ENGINE
    ).candidate
    found = {"engine": of_engine(candidate, loads, sys.argv[1]), "planner": of_planner(candidate, loads)}
    for name, fields in OTHERS.items():
        found[name] = of_planner(candidate.with_fields(**fields), loads)
    assert sys.__stdout__
    json.dump(found, sys.__stdout__)


if __name__ == "__main__":
    # vLLM logs to sys.stdout, also when the process ends.
    sys.stdout = sys.stderr
    main()
