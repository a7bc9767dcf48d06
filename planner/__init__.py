"""The load test without a TPU: what an engine on a slice would answer under a load. Simulated, not measured.

A load (config/traffic/load.py, load_file.py) sends requests to vLLM's own V1 scheduler and KV cache manager
(`vllm_scheduler.py`), which choose the requests, tokens and pages of each step as they do in a server. The
duration of a step (`step_time.py`) follows from its work (`step_work.py`, `attention_kernel.py`) and from
three constants, which are fitted on published measurements (`constants.py`, `measured_cells.py`, `fit.py`);
it moves a simulated clock (`clock.py`), on which no engine and no device runs. The times of all requests
become percentiles, a limiting resource and a knee (`answer.py`), printed as a table (`report.py`), JSON and
the load test's charts.

`sweep.py` simulates many loads and keeps their results, `slo.py` finds the slices that a rate needs,
`choices.py` compares engines, and `expected.py` simulates the load that a stack file names.
`measured_files.py` and `fit_report.py` put results of a load test beside the simulation.

Only `vllm_scheduler.py` imports vLLM, so the simulation runs in the model server's environment: `make
simulate`. The other modules run in any Python.
"""
