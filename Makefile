# Everything runs from a fresh checkout with Python ≥ 3.11 and make: the targets set up `.venv`.

PYTHON ?= python3
BIN := .venv/bin
export PLOOMBER_STATS_ENABLED := false
export MLFLOW_DISABLE_TELEMETRY := true

# Unit tests with full numbers of their own.
FAULTS_UNIT := planning/test_semantics.py runs/test_lease.py system/test_file_cache.py system/test_store.py \
	journal/test_database.py

.PHONY: run test part check faults parity lint layers types front docs bench lock clean setup-run setup-test format

run: setup-run  ## run the reference pipeline on real data
	@$(BIN)/stagebook run flights

setup-run:
	@$(PYTHON) tools/setup_env.py run

setup-test:
	@$(PYTHON) tools/setup_env.py test

test: setup-test  ## all tests
	$(BIN)/python -m pytest -n 3 --dist loadfile

part: setup-test  ## all tests but those that take long, and every eighth of these, in turn
	$(BIN)/python -m pytest -n 3 --dist loadfile --part

check: lint layers types front docs part  ## what CI runs: all checks, and the tests of `part`

faults: setup-test  ## the fault suite with its full numbers, about two hours; see docs/faults.md
	STAGEBOOK_FAULTS=full $(BIN)/python -m pytest -n 3 --dist loadfile tests/faults tests/cases tests/e2e $(addprefix tests/unit/,$(FAULTS_UNIT))

parity: setup-test  ## every notebook of tests/parity beside plain papermill, about ten minutes; prints a table
	STAGEBOOK_FAULTS=full $(BIN)/python -m pytest -q tests/parity

lint: setup-test
	test ! -e platform/__init__.py
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/figures.py

format: setup-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

layers: setup-test
	PYTHONPATH=platform:jupyter_extension $(BIN)/lint-imports --no-cache

types: setup-test
	$(BIN)/mypy

front: setup-test  ## lint, types and unit tests of the JupyterLab extension's front end
	$(BIN)/python tools/wire.py --check
	$(BIN)/python jupyter_extension/tools/front_end.py check

docs: setup-test
	$(BIN)/python tools/reference.py --check

bench: setup-run  ## measure side by side with papermill, Ploomber, DVC and Snakemake; writes docs/performance.md
	$(BIN)/python -m benchmarks --write docs/performance.md

lock: setup-test  ## resolve the dependencies anew; the lock names no download host
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --all-extras --custom-compile-command 'make lock' \
		pyproject.toml -o requirements.lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
