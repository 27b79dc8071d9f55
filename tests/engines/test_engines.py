"""What every engine promises, held against each of them."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from building import ProjectBuilder
from fakes import FakeClock, FakeEngine
from stagebook.events import Cause, CellStarted
from stagebook.execution.attempt import MARKER, Attempt, AttemptResult, OutputSlot
from stagebook.execution.engine.local import LocalEngine
from stagebook.execution.engine.protocol import Ended, Engine, Progress, Report
from stagebook.execution.fork.client import ForkServer
from stagebook.system import processes

Make = Callable[..., Attempt]


def script(attempt: Attempt) -> tuple[float, AttemptResult]:
    """What the notebooks below do, for the fake."""
    if attempt.stage == "bad":
        return 1.0, AttemptResult(cause=Cause.EXCEPTION, message="ValueError: no", cell=1, cells=1)
    if attempt.stage == "slow":
        return 600.0, AttemptResult()
    if attempt.stage == "lazy":
        return 1.0, AttemptResult(
            cause=Cause.OUTPUT_MISSING, message="the notebook ended without writing 'out' (out.txt)"
        )
    return 1.0, AttemptResult(cells=2, scraps={"rows": {"kind": "json", "value": 3}})


def _forked() -> LocalEngine:
    return LocalEngine(server=ForkServer(), to_come={"kernel": 2}, jobs=2)


_MAKERS: dict[str, Callable[[], Engine]] = {
    "fake": lambda: FakeEngine(FakeClock(), script, writes=True),
    "local": LocalEngine,
    "forked": _forked,
}


@pytest.fixture(
    params=["fake", *(pytest.param(name, marks=pytest.mark.kernel) for name in ("local", "forked"))]
)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    made = _MAKERS[request.param]()
    yield made
    made.close()


@pytest.fixture
def make(builder: ProjectBuilder, tmp_path: Path) -> Make:
    params = 'n = 0\nout = "out.txt"'
    builder.notebook("good", 'open(out, "w").write(str(n))', _GLUE, params=params)
    builder.notebook("bad", 'raise ValueError("no")', params=params)
    builder.notebook("slow", "import time\ntime.sleep(600)", params=params)
    builder.notebook("lazy", "n", params=params)

    def attempt(stage: str, number: int = 1, **values: object) -> Attempt:
        folder = builder.root / ".stagebook/runs/r" / stage / str(number)
        folder.mkdir(parents=True)
        staged = f"{folder.relative_to(builder.root)}/outputs/out/out.txt"
        return Attempt(
            run=f"r-{os.getpid()}-{tmp_path.name}",
            pipeline="p",
            stage=stage,
            number=number,
            root=str(builder.root),
            folder=str(folder),
            notebook=f"notebooks/{stage}.ipynb",
            executable=str(builder.root / f"notebooks/{stage}.ipynb"),
            params={"n": 7},
            outputs={"out": OutputSlot(path="out.txt", staged=staged)},
            grace=5.0,
            **values,  # type: ignore[arg-type]
        )

    return attempt


# A scrap as scrapbook writes it, without the seconds that its import takes.
_GLUE = """
from IPython.display import display
payload = {"name": "rows", "data": 3, "encoder": "json", "version": 1}
display({"application/scrapbook.scrap.json+json": payload},
        metadata={"scrapbook": {"name": "rows", "data": True, "display": False}}, raw=True)
"""


def until_ended(engine: Engine, count: int = 1) -> tuple[list[Progress], dict[str, AttemptResult]]:
    progress: list[Progress] = []
    results: dict[str, AttemptResult] = {}
    limit = time.monotonic() + 120
    while len(results) < count and time.monotonic() < limit:
        for report in engine.wait(5.0):
            match report:
                case Progress():
                    progress.append(report)
                case Ended(stage=stage, result=result):
                    assert stage not in results, "an attempt ended twice"
                    results[stage] = result
    assert len(results) == count
    return progress, results


def test_an_attempt_that_completes_tells_its_cells_scraps_and_outputs(engine: Engine, make: Make) -> None:
    attempt = make("good")
    engine.start(attempt)
    progress, results = until_ended(engine)
    result = results["good"]
    assert (result.cause, result.message) == (None, "")
    assert result.scraps == {"rows": {"kind": "json", "value": 3}}
    assert isinstance(progress[0].event, CellStarted)
    assert {report.event.stage for report in progress} == {"good"}
    staged = Path(attempt.root) / attempt.outputs["out"].staged
    assert staged.is_file()
    assert result.outputs["out"].path == "out.txt"
    assert result.outputs["out"].size == staged.stat().st_size
    assert not (Path(attempt.root) / "out.txt").exists(), "an engine never publishes"


def test_an_attempt_that_fails_says_where_and_why(engine: Engine, make: Make) -> None:
    engine.start(make("bad"))
    _, results = until_ended(engine)
    assert results["bad"].cause is Cause.EXCEPTION
    assert results["bad"].message == "ValueError: no"
    assert results["bad"].outputs == {}


def test_a_declared_output_that_was_not_written_is_a_failure(engine: Engine, make: Make) -> None:
    engine.start(make("lazy"))
    _, results = until_ended(engine)
    assert results["lazy"].cause is Cause.OUTPUT_MISSING
    assert "'out' (out.txt)" in results["lazy"].message


def test_a_timeout_ends_an_attempt(engine: Engine, make: Make) -> None:
    engine.start(make("slow", timeout=2.0))
    _, results = until_ended(engine)
    assert results["slow"].cause is Cause.TIMEOUT
    assert "2 s" in results["slow"].message


@pytest.mark.parametrize("now", [False, True])
@pytest.mark.long
def test_cancel_ends_an_attempt_and_all_of_its_processes(engine: Engine, make: Make, *, now: bool) -> None:
    attempt = make("slow")
    engine.start(attempt)
    reports: list[Report] = []
    while not any(isinstance(report, Progress) for report in reports):
        reports += engine.wait(60.0)
    engine.cancel("slow", now=now)
    _, results = until_ended(engine)
    assert results["slow"].cause is Cause.CANCELLED
    assert processes.marked(MARKER, attempt.marker) == []


def test_wake_lets_a_wait_return(engine: Engine) -> None:
    engine.wake()
    assert list(engine.wait(30.0)) == []


@pytest.mark.long
def test_several_attempts_run_side_by_side(engine: Engine, make: Make) -> None:
    engine.start(make("good"))
    engine.start(make("bad"))
    _, results = until_ended(engine, 2)
    assert results["good"].cause is None
    assert results["bad"].cause is Cause.EXCEPTION


def test_close_leaves_no_process(engine: Engine, make: Make) -> None:
    attempt = make("slow")
    engine.start(attempt)
    engine.wait(30.0)
    engine.close()
    assert processes.marked(MARKER, attempt.marker) == []


@pytest.mark.kernel
def test_a_worker_that_is_killed_is_reported_and_its_kernel_goes_too(make: Make) -> None:
    engine = LocalEngine()
    try:
        attempt = make("slow")
        engine.start(attempt)
        while not any(isinstance(report, Progress) for report in engine.wait(60.0)):
            pass
        worker = min(processes.marked(MARKER, attempt.marker), key=lambda process: process.create_time())
        worker.kill()
        _, results = until_ended(engine)
        assert results["slow"].cause is Cause.WORKER_DIED
        assert "SIGKILL" in results["slow"].message
        assert processes.marked(MARKER, attempt.marker) == []
    finally:
        engine.close()


@pytest.mark.kernel
def test_the_result_is_kept_as_a_manifest(make: Make) -> None:
    engine = LocalEngine()
    try:
        attempt = make("good")
        engine.start(attempt)
        _, results = until_ended(engine)
        manifest = json.loads((Path(attempt.folder) / "result.json").read_text())
        assert AttemptResult.from_json(manifest) == results["good"]
    finally:
        engine.close()


@pytest.mark.kernel
def test_a_worker_that_is_killed_leaves_a_notebook_that_says_so(make: Make, builder: ProjectBuilder) -> None:
    builder.notebook(
        "two", "done = 1", "import time\ntime.sleep(600)", "never = 1", params='n = 0\nout = "out.txt"'
    )
    attempt = make("two")
    with contextlib.closing(LocalEngine()) as engine:
        engine.start(attempt)
        started: list[int] = []
        while len(started) < 4:  # the parameters, what is injected, and the two
            started += [
                report.event.cell
                for report in engine.wait(60.0)
                if isinstance(report, Progress) and isinstance(report.event, CellStarted)
            ]
        engine.cancel("two", now=True)
        _, results = until_ended(engine)
    assert (results["two"].cause, results["two"].cell, results["two"].cells) == (Cause.CANCELLED, 4, 5)
    notebook = json.loads((Path(attempt.folder) / "notebook.ipynb").read_text())
    statuses = [cell["metadata"]["papermill"]["status"] for cell in notebook["cells"]]
    assert statuses == ["completed"] * 3 + ["failed", "pending"]
    assert notebook["metadata"]["papermill"]["exception"] is True
    assert notebook["metadata"]["stagebook"]["cause"] == "cancelled"
