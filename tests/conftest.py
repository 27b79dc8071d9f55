"""Fixtures of all tests. Everything real by default; fakes are in `fakes`."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from building import ProjectBuilder
from golden import Golden, default_case, refuse_update

# So that their assertions, too, show what they compared.
pytest.register_assert_rewrite("semantics", "faults")

# The processes that tests start inherit these.
os.environ.setdefault("PLOOMBER_STATS_ENABLED", "false")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# Some library of pytest-xdist has readline set these.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)
# One seed for all workers of pytest-xdist: they have to collect the same tests.
SEED = os.environ.setdefault("STAGEBOOK_FAULTS_SEED", str(random.SystemRandom().randrange(1, 10**6)))

import effort  # noqa: E402 - it reads the seed

WAYS = frozenset({"executor", "way", "fork"})  # the parameters of tests that say how a notebook is executed
IN_TURN = frozenset({"cases", "faults"})  # the folders of such tests; those of `e2e` take each executor


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "rewrite the outputs in tests/golden with what the tests find"
    parser.addoption("--update-golden", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    workers = config.getoption("numprocesses", None) or 0
    if config.getoption("--update-golden") and (refusal := refuse_update(workers)):
        raise pytest.UsageError(f"--update-golden: {refusal}")


def pytest_report_header() -> str:
    return f"random tests: STAGEBOOK_FAULTS_SEED={SEED}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each test of whole runs, with each of its inputs, takes one executor, in turn; `make faults` has every one."""
    if effort.IS_FULL:
        return
    tests: dict[Path, dict[tuple[str, str], list[pytest.Item]]] = {}
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        if isinstance(item, pytest.Function) and IN_TURN & {*item.path.parts} and WAYS & params.keys():
            given = repr([value for name, value in params.items() if name not in WAYS])
            tests.setdefault(item.path, {}).setdefault((item.originalname, given), []).append(item)
    left_out = {
        item
        for inputs in tests.values()
        for at, ways in enumerate(inputs.values())
        for item in ways
        if item is not ways[at % len(ways)]
    }
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares what a test found with its golden file, see `golden`."""
    return Golden(
        update=request.config.getoption("--update-golden"),
        default=lambda: default_case(request.path, request.function.__name__),
    )


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProjectBuilder]:
    """An empty project in a folder of its own, which is the working directory."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    made = ProjectBuilder(root)
    yield made
    made.close()
