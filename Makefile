# `make help` lists them; each runs one ordinary command of `python -m`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PY := .venv/bin/python
STACK ?= local
PROMPT ?= What are you?
COMPONENT ?= vllm
export PROMPT

# The model server's wheels exist only for Python 3.12, so the whole project uses it.
PYTHON312 = for p in "$$PYTHON" python3.12 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.12*/bin/python3.12 \
	"$${XDG_DATA_HOME:-$$HOME/.local/share}"/uv/python/cpython-3.12*/bin/python3.12; do \
	[ -n "$$p" ] && "$$p" -c 'import sys, venv; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null && { echo "$$p"; exit 0; }; done; \
	echo "Python 3.12 is needed and was not found: install it (pyenv install 3.12, or your distribution's package) or set PYTHON=/path/to/python3.12." >&2; exit 1

.PHONY: help up explain compose prove bake preview ask status logs key env down clean test check bench bench-cold diagram format

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/' | awk -F'\t' '{printf "  make %-11s %s\n", $$1, $$2}'

# uv installs in a quarter of pip's time; its own pin is taken from the same file.
.venv/complete: requirements/dev.txt
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

ask: .venv/complete ## ask the server: make ask PROMPT='Hello'
	@$(PY) -m local ask "$$PROMPT"

status: .venv/complete ## the cluster's programs, the node, the server's pods
	@$(PY) -m local status

logs: .venv/complete ## the server's log; COMPONENT=kubelet (or another) for the cluster's
	@$(PY) -m local logs $(COMPONENT)

key: .venv/complete ## set a new API key; the running server takes it
	@$(PY) -m local key

env: .venv/complete ## exports for plain pulumi and kubectl: eval "$(make -s env)"
	@$(PY) -m local env

down: .venv/complete ## stop the cluster; model, compile cache and state stay
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

prove: .venv/complete ## compile an engine's TPU programs without a TPU: make prove PHASE=tuned, or STACK=dev
	@$(PY) -m local.commands.prove $(SELECTION) $(ARGS)

bake: .venv/complete ## prove a stack's engine, and pack the compile cache: make bake STACK=dev
	@$(MAKE) --no-print-directory prove ARGS='--bake $(ARGS)'

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
