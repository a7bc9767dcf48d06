# `make help` lists them; each runs one ordinary command of `python -m`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PY := .venv/bin/python
STACK ?= local
PROMPT ?= What are you?
COMPONENT ?= vllm
export PROMPT LOAD SLO
# Where this variable is set, each command compiles all modules of the SDKs again: a third of a preview's time.
unexport PYTHONDONTWRITEBYTECODE

# The model server's wheels exist only for Python 3.12, so the whole project uses it.
PYTHON312 = for p in "$$PYTHON" python3.12 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.12*/bin/python3.12 \
	"$${XDG_DATA_HOME:-$$HOME/.local/share}"/uv/python/cpython-3.12*/bin/python3.12; do \
	[ -n "$$p" ] && "$$p" -c 'import sys, venv; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null && { echo "$$p"; exit 0; }; done; \
	echo "Python 3.12 is needed and was not found: install it (pyenv install 3.12, or your distribution's package) or set PYTHON=/path/to/python3.12." >&2; exit 1

.PHONY: help up doctor explain compose monitoring releases promote rollback prune prove bake simulate choose compare preview ask load-test status logs why key env down clean test check bench bench-cold diagram format

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/' | awk -F'\t' '{printf "  make %-11s %s\n", $$1, $$2}'

# uv installs in a quarter of pip's time; its own pin is taken from the same file.
.venv/complete: requirements/dev.txt
	@[ ! -L .venv ] || { echo ".venv is a link, and this would empty the folder that it leads to: remove the link." >&2; exit 2; }
	@python=$$($(PYTHON312)) || exit 1; echo "-> Python environment (.venv) from requirements/dev.txt"; \
	exec 9>.venv.lock; flock 9; [ $@ -nt $< ] || { \
	"$$python" -m venv --clear .venv && sed -n '/^uv==/,/# via/p' requirements/dev.txt >.venv/uv.txt && \
	$(PY) -m pip install -q --require-hashes -r .venv/uv.txt && { \
	.venv/bin/uv pip install -q --python $(PY) --require-hashes -r requirements/dev.txt || { \
	echo "   uv could not install them: trying pip, whose settings may name another index" >&2; \
	$(PY) -m pip install -q --require-hashes -r requirements/dev.txt; }; } && touch $@; }

up: .venv/complete ## bring this machine to a running server and a printed answer
	@$(PY) -m local up

preview: .venv/complete ## what `pulumi up` would change, with the policies: make preview STACK=prod
	@$(PY) -m local preview $(STACK)

doctor: .venv/complete ## what a stack lacks before `pulumi up`: make doctor STACK=prod, ARGS=--offline, ARGS=--json
	@$(PY) -m doctor --stack $(STACK) $(ARGS)

ask: .venv/complete ## ask a stack's server: make ask PROMPT='Hello' STACK=staging
	@$(PY) -m operate ask --stack $(STACK) -- "$$PROMPT"

load-test: .venv/complete ## measure a stack's server under load: make load-test STACK=staging LADDER=seed
	@$(PY) -m load_test --stack $(STACK) $(if $(LADDER),--ladder $(LADDER))

status: .venv/complete ## a stack's nodes or machines, and its servers: make status STACK=prod
	@$(PY) -m operate status --stack $(STACK)

logs: .venv/complete ## a server's log; COMPONENT=sidecar, or kubelet of the local cluster, for another
	@$(PY) -m operate logs --stack $(STACK) --component $(COMPONENT)

why: .venv/complete ## what is wrong with a stack, and the next command: make why STACK=prod
	@$(PY) -m operate why --stack $(STACK)

key: .venv/complete ## set a new API key of a stack; the running servers take it
	@$(PY) -m operate key --stack $(STACK)

env: .venv/complete ## exports for plain pulumi and kubectl: eval "$(make -s env)"
	@$(PY) -m local env

down: .venv/complete ## stop the cluster; model, compile cache, bucket and state stay
	@$(PY) -m local down

clean: .venv/complete ## stop the cluster and remove its state; built programs stay
	@$(PY) -m local clean

# The stack is selected only when it is named: STACK has a default for other commands.
SELECTION = $(if $(filter-out file,$(origin STACK)),--stack $(STACK)) $(if $(PHASE),--phase $(PHASE)) \
	$(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(MODEL),--model $(MODEL)) $(if $(SLICE),--accelerator $(SLICE))

explain: .venv/complete ## memory, programs, cold start and cost of an engine: make explain PHASE=tuned, or STACK=prod
	@$(PY) -m explain engine $(SELECTION) $(ARGS)

compose: .venv/complete ## compose.yaml and vllm.env for a machine that is run by hand: make compose STACK=dev
	@$(PY) -m explain compose --stack $(STACK)

monitoring: .venv/complete ## alert rules and dashboard for your own Prometheus and Grafana: make monitoring STACK=prod FOLDER=…
	@[ -n "$(FOLDER)" ] || { echo "monitoring needs a folder for two files: make monitoring STACK=$(STACK) FOLDER=/tmp/rules" >&2; exit 2; }
	@$(PY) -m explain monitoring --stack $(STACK) "$(FOLDER)"

releases: .venv/complete ## accepted releases: make releases STACK=staging, with ARGS='show NAME' or ARGS='diff A B'
	@$(PY) -m releases $(or $(ARGS),list) --stack $(STACK)

promote: .venv/complete ## let a stack run what another one accepted: make promote FROM=staging TO=prod
	@[ -n "$(FROM)" ] && [ -n "$(TO)" ] || { \
	echo "promote needs two stacks: make promote FROM=staging TO=prod, with RELEASE=NAME for another release." >&2; exit 2; }
	@$(PY) -m releases promote --from $(FROM) --to $(TO) $(if $(RELEASE),--release $(RELEASE)) $(ARGS)

rollback: .venv/complete ## let a stack run the release before the present one: make rollback STACK=prod
	@$(PY) -m releases rollback --stack $(STACK) $(if $(RELEASE),--release $(RELEASE)) $(ARGS)

prune: .venv/complete ## what nothing in a stack's bucket needs any more: make prune STACK=staging, to delete it ARGS=--delete
	@$(PY) -m releases prune --stack $(STACK) $(ARGS)

prove: .venv/complete ## compile an engine's TPU programs without a TPU: make prove PHASE=tuned, or STACK=dev
	@$(PY) -m local.commands.prove $(SELECTION) $(ARGS)

bake: .venv/complete ## prove a stack's engine, and pack the compile cache: make bake STACK=dev
	@$(MAKE) --no-print-directory prove ARGS='--bake $(ARGS)'

simulate: .venv/complete ## a load test without a TPU, simulated: make simulate PHASE=tuned LOAD='concurrency=64 prompt=2048 answer=128', or LADDER=seed
	@$(PY) -m local.commands.planner simulate $(SELECTION) $(if $(LOAD),--load "$$LOAD") $(if $(SLO),--slo "$$SLO") $(if $(LADDER),--ladder $(LADDER)) $(ARGS)

choose: .venv/complete ## every phase, scenario and slice under one load, simulated, with prices: make choose LOAD='rate=20 prompt=2048 answer=128' SLO='first=2000 between=60'
	@[ -n "$$LOAD" ] && [ -n "$$SLO" ] || { \
	echo "choose needs a load and an SLO: make choose LOAD='rate=20 prompt=2048 answer=128' SLO='first=2000 between=60'" >&2; exit 2; }
	@$(PY) -m local.commands.planner choose --load "$$LOAD" --slo "$$SLO" $(if $(MODEL),--model $(MODEL)) $(if $(SLICE),--accelerator $(SLICE)) $(ARGS)

compare: .venv/complete ## results of a load test beside its simulation: make compare STACK=prod FILES=run.json
	@[ -n "$(FILES)" ] || { echo "compare needs results: make compare STACK=$(STACK) FILES=run.json" >&2; exit 2; }
	@$(PY) -m local.commands.planner compare $(SELECTION) $(FILES) $(ARGS)

# Through the environment and unexpanded: a test's name may hold blanks, quotes, brackets and dollars.
override export TIER := $(value TIER)
override export ONLY := $(value ONLY)

test: .venv/complete ## every tier, or a part: make test TIER=unit,inventory, or ONLY=tests/unit/stacks/gke/test_gke.py::NAME
	@$(PY) -m tests $${TIER:+--tier "$$TIER"} $${ONLY:+--only "$$ONLY"}

check: .venv/complete ## style, types and fast tests only
	@$(PY) -m tests --fast

bench: .venv/complete ## pulumi preview of prod beside a bare program's, in pairs
	@$(PY) -m tools.bench.preview

bench-cold: .venv/complete ## seconds from nothing to a preview and to an answer, in scratch caches (half an hour)
	@$(PY) -m tools.bench.cold

diagram: .venv/complete ## draw docs/architecture.svg from the stacks' graphs (needs Graphviz)
	@$(PY) -m tools.docs.diagram

format: .venv/complete ## reformat the code
	@.venv/bin/ruff check --fix . && .venv/bin/ruff format .
