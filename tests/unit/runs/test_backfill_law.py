"""Whatever was changed, broken and run before: after a backfill each interval holds what a run of all of them from nothing would
have made, and nothing is left to do."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from building import ProjectBuilder
from effort import amount
from executing import ExecEngine
from stagebook.errors import PipelineInvalid
from stagebook.events import Status
from stagebook.runs.backfill import BackfillRequest, plan_backfill
from stagebook.runs.backfilling import BackfillHooks, BackfillReport, backfill
from stagebook.runs.hooks import LaunchHooks
from stagebook.runs.request import RunRequest
from stagebook.timing.units import units_within

DAYS = 4
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
INTERVALS = list(units_within("day", START, START + dt.timedelta(days=DAYS), "UTC"))
LOAD = """
import pathlib
text = pathlib.Path(src).read_text()
if text == "broken": raise RuntimeError("broken")
pathlib.Path(out).write_text(text.upper())
"""
TOTAL = """
import pathlib
pathlib.Path(out).write_text("+".join(pathlib.Path(one).read_text() for one in days))
"""
PIPELINE = """
    stages:
      load:
        notebook: notebooks/load.ipynb
        inputs: {src: "raw/${interval.name}.txt"}
        outputs: {out: "data/days/${interval.name}.txt"}
      total:
        notebook: notebooks/total.ipynb
        inputs: {days: "load.out[-2:]"}
        outputs: {out: "data/total/${interval.name}.txt"}
"""

day = st.integers(0, DAYS - 1)
text = st.sampled_from(["a", "b", "A", "broken"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("raw"), day, text),
        st.tuples(st.just("code"), st.sampled_from(["upper", "lower", "title"]), st.just("")),
        st.tuples(st.just("run"), day, st.just("")),
        st.tuples(st.just("backfill"), day, st.just("")),
        st.tuples(st.just("edit"), day, st.sampled_from(["by hand", ""])),
    ),
    max_size=8,
)


class World:
    """A project with a file for each day, and a plain model of what its days have to hold."""

    def __init__(self, root: Path) -> None:
        self.builder = ProjectBuilder(root)
        self.builder.without_tracking()
        self.builder.notebook("load", LOAD, params="src = ''\nout = ''")
        self.builder.notebook("total", TOTAL, params="days: list = []\nout = ''")
        self.builder.pipeline(PIPELINE)
        self.raw = ["a"] * DAYS
        self.method = "upper"
        for at in range(DAYS):
            self.put(at, "a")

    def put(self, at: int, content: str) -> None:
        self.raw[at] = content
        self.builder.file(f"raw/{INTERVALS[at].name}.txt", content)

    def recode(self, method: str) -> None:
        self.builder.edit("load", f"text.{self.method}()", f"text.{method}()")
        self.method = method

    def tamper(self, at: int, content: str) -> None:
        """Somebody edits a partition, or removes it where `content` is empty."""
        path = self.builder.root / f"data/days/{INTERVALS[at].name}.txt"
        if path.exists() and content:
            path.write_text(content)
        elif path.exists():
            path.unlink()

    def run(self, at: int) -> None:
        self.builder.project.run("p", interval=str(INTERVALS[at]), engine=ExecEngine(), keep_going=True)

    def backfill(self) -> BackfillReport | None:
        project = self.builder.project
        request = BackfillRequest(run=RunRequest(pipeline="p", keep_going=True), intervals=INTERVALS)
        plan = plan_backfill(project.preparer, request)
        if not plan.chosen:
            return None
        hooks = BackfillHooks(run=LaunchHooks(engine=ExecEngine()))
        return backfill(project.preparer, project.launcher, plan, hooks)

    def found(self, folder: str) -> list[str]:
        paths = (self.builder.root / f"data/{folder}/{one.name}.txt" for one in INTERVALS)
        return [path.read_text() if path.exists() else "" for path in paths]

    @property
    def loads(self) -> list[str]:
        return [str(getattr(one, self.method)()) for one in self.raw]

    @property
    def totals(self) -> list[str]:
        loads = self.loads
        return ["+".join(loads[max(0, at - 1) : at + 1]) for at in range(DAYS)]

    def step(self, what: str, value: int | str, content: str) -> None:
        match what:
            case "raw":
                self.put(int(value), content)
            case "code":
                self.recode(str(value))
            case "run":
                self._try_to_run(int(value))
            case "edit":
                self.tamper(int(value), content)
            case "backfill":
                self.backfill()

    def _try_to_run(self, at: int) -> None:
        with contextlib.suppress(PipelineInvalid):  # a partition of an earlier day was removed
            self.run(at)


@settings(
    max_examples=amount(6, 200),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps)
@pytest.mark.long
def test_after_a_backfill_all_is_as_from_nothing(taken: list[tuple[str, int | str, str]]) -> None:
    folder = Path(tempfile.mkdtemp())
    world = World(folder)
    try:
        for what, value, content in taken:
            world.step(what, value, content)
        world.backfill()
        if "broken" in world.raw:
            for at, content in enumerate(world.raw):
                if content == "broken":
                    world.put(at, "mended")
            world.backfill()
        report = world.backfill()
        while report is not None and any(one.status is Status.COMPLETED for one in report.done):
            report = world.backfill()
        assert world.found("days") == world.loads
        assert world.found("total") == world.totals
    finally:
        world.builder.close()
        shutil.rmtree(folder)
