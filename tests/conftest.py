"""Fixtures of all tests. Everything real by default; fakes are in `fakes`."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import filelock
import pytest
from hypothesis import settings

from building import ProjectBuilder
from golden import Golden, default_case, refuse_update

# So that their assertions, too, show what they compared.
pytest.register_assert_rewrite("semantics", "faults")

# How long an example takes says what else the machine does.
settings.register_profile("stagebook", deadline=None)
settings.load_profile("stagebook")

# The processes that tests start inherit these.
os.environ.setdefault("PLOOMBER_STATS_ENABLED", "false")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# What is compiled once need not be compiled by each of the thousands of processes that tests start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Who started the tests in the background may have asked to ignore Ctrl-C, and the processes that tests start would as well.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Some library of pytest-xdist has readline set these.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)
# One seed for all workers of pytest-xdist: they have to collect the same tests.
SEED = os.environ.setdefault("STAGEBOOK_FAULTS_SEED", str(random.SystemRandom().randrange(1, 10**6)))

import effort  # noqa: E402 - it reads the seed

WAYS = frozenset({"executor", "way", "fork"})  # the parameters of tests that say how a notebook is executed
SLOW = frozenset({"cases", "e2e", "faults"})  # the folders of tests of whole runs
TESTS = Path(__file__).parent
FEW = 2  # inputs that each of them takes with small numbers, in turn
PART = 8  # of so many tests that take long, one run of `make check` has one


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "rewrite the outputs in tests/golden with what the tests find"
    parser.addoption("--update-golden", action="store_true", help=text)
    text = f"of the tests that are marked `long` only every {PART}th, in turn"
    parser.addoption("--part", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    workers = config.getoption("numprocesses", None) or 0
    if config.getoption("--update-golden") and (refusal := refuse_update(workers)):
        raise pytest.UsageError(f"--update-golden: {refusal}")


def pytest_report_header() -> str:
    return f"random tests: STAGEBOOK_FAULTS_SEED={SEED}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each test of whole runs takes few of its inputs, and each of these one executor, in turn; `make faults` has all
    of both."""
    if effort.IS_FULL:
        return
    if config.getoption("--part"):
        _leave_out(config, items, _long_for_later(items))
    tests: dict[tuple[Path, str], dict[str, list[pytest.Item]]] = {}
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and folder in SLOW:
            given = repr([value for name, value in item.callspec.params.items() if name not in WAYS])
            tests.setdefault((item.path, item.originalname), {}).setdefault(given, []).append(item)
    taken: set[pytest.Item] = set()
    for test in tests.values():
        for at in turn(len(test)):
            ways = [*test.values()][at]
            taken.add(ways[len(taken) % len(ways)])
    left_out = {item for test in tests.values() for ways in test.values() for item in ways} - taken
    _leave_out(config, items, left_out)


def _long_for_later(items: list[pytest.Item]) -> set[pytest.Item]:
    """Those that take long and whose turn it is not."""
    tests: dict[tuple[Path, str], list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("long"):
            tests.setdefault((item.path, item.name.partition("[")[0]), []).append(item)
    later = [test for at, test in enumerate(tests.values()) if (at + int(SEED)) % PART]
    return {item for test in later for item in test}


def _leave_out(config: pytest.Config, items: list[pytest.Item], left_out: set[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


def turn(count: int) -> list[int]:
    """At most `FEW` of so many places, apart from each other: which ones, the seed says."""
    step = max(1.0, count / FEW)
    return sorted({int(int(SEED) + at * step) % count for at in range(min(FEW, count))})


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database as it is when it has just been made, which takes seconds: once for all workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    path = folder / "empty-mlflow.db"
    with filelock.FileLock(folder / "empty-mlflow.lock"):
        if not path.exists():
            from tracked import client

            made = tmp_path_factory.mktemp("store")
            client(made).search_experiments()
            shutil.copy(made / "mlflow.db", path)
    return path


@pytest.fixture
def with_store(builder: ProjectBuilder, empty_store: Path) -> None:
    """The project has MLflow's database already, for tests that are not about how that comes to be."""
    shutil.copy(empty_store, builder.root / "mlflow.db")


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
