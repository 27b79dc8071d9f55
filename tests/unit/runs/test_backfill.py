"""Backfill: what the intervals of the past lack, and running that."""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from building import ProjectBuilder
from executing import ExecEngine
from stagebook.errors import UsageError
from stagebook.events import RunStarted, Status
from stagebook.planning.select import Selection
from stagebook.runs.backfill import BackfillPlan, BackfillRequest, State, plan_backfill
from stagebook.runs.backfilling import BackfillHooks, BackfillReport, backfill, rest_of_backfill
from stagebook.runs.hooks import LaunchHooks
from stagebook.runs.request import RunRequest
from stagebook.tables import delta
from stagebook.timing.units import units_within

LOAD = """
import pathlib
if pathlib.Path(f"broken/{day}").exists(): raise RuntimeError("no file of that day")
pathlib.Path(out).write_text(day[:7])
"""
SUM = "import pathlib; pathlib.Path(out).write_text(pathlib.Path(src).read_text())"
WINDOW = "import pathlib; pathlib.Path(out).write_text(' '.join(pathlib.Path(p).read_text() for p in src))"
PIPELINE = """
    stages:
      load:
        notebook: notebooks/load.ipynb
        params: {day: "${interval.start}"}
        outputs: {out: "data/days/${interval.name}.txt"}
      total:
        notebook: notebooks/sum.ipynb
        inputs: {src: load.out}
        outputs: {out: "data/total/${interval.name}.txt"}
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.without_tracking()
    builder.notebook("load", LOAD, params="day = ''\nout = ''")
    builder.notebook("sum", SUM, params="src = ''\nout = ''")
    builder.pipeline(PIPELINE)
    return builder


def days(count: int, **how: object) -> BackfillRequest:
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    intervals = list(units_within("day", start, start + dt.timedelta(days=count), "UTC"))
    return BackfillRequest(run=RunRequest(pipeline="p", keep_going=True), intervals=intervals, **how)  # type: ignore[arg-type]


def planned(project: ProjectBuilder, request: BackfillRequest) -> BackfillPlan:
    return plan_backfill(project.project.preparer, request)


def carried_out(project: ProjectBuilder, plan: BackfillPlan, **how: str) -> BackfillReport:
    opened = project.project
    hooks = BackfillHooks(run=LaunchHooks(engine=ExecEngine()))
    return backfill(opened.preparer, opened.launcher, plan, hooks, **how)


def filled(project: ProjectBuilder, request: BackfillRequest, **how: str) -> BackfillReport:
    return carried_out(project, planned(project, request), **how)


def states(plan: BackfillPlan) -> Sequence[str]:
    return [str(one.state) for one in plan.all]


def outcomes(report: BackfillReport) -> dict[str, str]:
    return {one.interval.name[-2:]: str(one.status) for one in report.done}


def test_holes_are_filled_and_nothing_is_run_twice(project: ProjectBuilder) -> None:
    project.project.run("p", interval="2026-01-02", engine=ExecEngine())
    plan = planned(project, days(4))
    assert states(plan) == ["missing", "done", "missing", "missing"]
    assert plan.all[0].why == "no run of it yet"
    assert plan.all[0].runs == ["load", "total"]
    report = carried_out(project, plan)
    assert (report.status, report.left) == (Status.COMPLETED, 0)
    assert outcomes(report) == {"01": "completed", "03": "completed", "04": "completed"}
    again = planned(project, days(4))
    assert states(again) == ["done"] * 4
    assert not again.chosen
    with pytest.raises(UsageError, match="nothing to run"):
        carried_out(project, again)
    forced = days(2)
    forced = dataclasses.replace(forced, run=dataclasses.replace(forced.run, force=True))
    assert outcomes(filled(project, forced)) == {"01": "completed", "02": "completed"}


def test_a_failed_interval_holds_up_no_other_one(project: ProjectBuilder) -> None:
    project.file("broken/2026-01-02")
    report = filled(project, days(3))
    assert report.status is Status.FAILED
    assert outcomes(report) == {"01": "completed", "02": "failed", "03": "completed"}
    assert "no file of that day" in report.done[1].message
    (project.root / "broken/2026-01-02").unlink()
    plan = planned(project, days(4))
    assert states(plan) == ["done", "failed", "done", "missing"]
    assert plan.all[1].why == "the last run of it failed", "and not that its parameters are others"
    only = planned(project, days(4, which=frozenset({State.FAILED})))
    assert [one.interval.name for one in only.chosen] == ["2026-01-02"]
    assert outcomes(carried_out(project, only)) == {"02": "completed"}


def test_a_change_is_found_and_equal_content_goes_no_further(project: ProjectBuilder) -> None:
    filled(project, days(3))
    project.edit("load", "day[:7]", "day[:7] + ''")
    plan = planned(project, days(3))
    assert states(plan) == ["changed"] * 3
    assert "code" in plan.all[0].why or "cell" in plan.all[0].why
    assert plan.seconds is not None
    report = carried_out(project, plan)
    assert [one.reused for one in report.done] == [1, 1, 1], "the totals, for what they read is the same"
    project.edit("load", "day[:7] + ''", "day")
    assert [one.reused for one in filled(project, days(3)).done] == [0, 0, 0]
    assert not planned(project, days(3, which=frozenset({State.MISSING}))).chosen


def test_the_newest_comes_first_where_that_is_asked_for(project: ProjectBuilder) -> None:
    plan = planned(project, days(3, newest_first=True))
    assert [one.interval.name[-2:] for one in plan.chosen] == ["03", "02", "01"]
    assert list(outcomes(carried_out(project, plan))) == ["03", "02", "01"]


def test_windows_follow_what_they_read(project: ProjectBuilder) -> None:
    project.notebook("sum", WINDOW, params="src: list = []\nout = ''")
    project.pipeline(PIPELINE.replace("load.out}", '"load.out[-2:]"}'))
    project.edit("load", "day[:7]", "day")
    project.project.run("p", interval="2026-01-03", engine=ExecEngine())
    plan = planned(project, days(4, newest_first=True, parallel=3))
    assert states(plan) == ["missing", "missing", "done", "missing"]
    assert [one.name for one in plan.followers] == ["2026-01-03"]
    assert (plan.parallel, plan.newest_first) == (1, False)
    report = carried_out(project, plan)
    assert [one.reused for one in report.done] == [0, 0, 1, 0]
    assert (project.root / "data/total/2026-01-03.txt").read_text() == "2026-01-02 2026-01-03"
    project.edit("load", "write_text(day)", "write_text(day if day > '2026-01-01' else 'first')")
    changed = filled(project, days(4))
    assert [one.reused for one in changed.done] == [0, 0, 1, 1], "what read the first day, and no more"


def test_a_follower_that_is_as_it_was_is_no_run(project: ProjectBuilder) -> None:
    project.notebook("sum", WINDOW, params="src: list = []\nout = ''")
    project.pipeline(PIPELINE.replace("load.out}", '"load.out[-2:]"}'))
    filled(project, days(4))
    (project.root / "data/days/2026-01-01.txt").unlink()
    project.project.store.blobs.remove(
        next(iter(project.project.journal.results.latest("p").values())).outputs["out"].sha256
    )
    runs = len(project.project.journal.runs.latest(limit=-1))
    report = filled(project, days(4))
    assert outcomes(report)["04"] == "reused"
    assert report.done[-1].run == ""
    assert len(project.project.journal.runs.latest(limit=-1)) < runs + 5


def test_outputs_in_one_place_are_told_and_go_one_by_one(project: ProjectBuilder) -> None:
    project.pipeline(PIPELINE.replace("data/total/${interval.name}.txt", "data/total.txt"))
    plan = planned(project, days(3, parallel=4))
    assert plan.clashes == ("total.out",)
    assert plan.parallel == 1


def test_what_is_the_same_for_all_intervals_clashes_with_none(project: ProjectBuilder) -> None:
    project.notebook("feed", "open(out, 'w').write('all days')", params="out = ''")
    project.notebook("tell", "open(out, 'w').write(open(src).read())", params="src = out = ''")
    feed = """
stages:
  feed: {notebook: notebooks/feed.ipynb, outputs: {out: data/feed.txt}}
  tell: {notebook: notebooks/tell.ipynb, inputs: {src: feed.out}, outputs: {out: data/told.txt}}
"""
    project.pipeline(PIPELINE.replace("    stages:\n", textwrap.indent(feed, "    ")))

    plan = planned(project, days(3, parallel=2))

    assert (plan.clashes, plan.shared, plan.parallel) == ((), {"feed", "tell"}, 2)
    assert outcomes(carried_out(project, plan)) == dict.fromkeys(["01", "02", "03"], "completed")
    assert planned(project, days(4)).shared == set(), "made already"


def test_what_reads_the_interval_in_the_run_clashes(project: ProjectBuilder) -> None:
    project.notebook("feed", "import scrapbook as sb\nsb.glue('n', 1)", params="x = 0")
    project.notebook("tell", "open(out, 'w').write(str(n))", params="n = ''\nout = ''")
    more = """
stages:
  feed: {notebook: notebooks/feed.ipynb}
  tell:
    notebook: notebooks/tell.ipynb
    params: {n: "${str(stages.feed.scraps.n) + interval.name}"}
    outputs: {out: data/told.txt}
  last: {notebook: notebooks/sum.ipynb, inputs: {src: tell.out}, outputs: {out: data/last.txt}}
"""
    project.pipeline(PIPELINE.replace("    stages:\n", textwrap.indent(more, "    ")))
    assert planned(project, days(3)).clashes == ("tell.out", "last.out")


DAY = "{'day': [src[-6:-4]]}"
TELL = """
stages:
  load:
    notebook: notebooks/load.ipynb
    params: {day: "${interval.start}"}
    outputs: {out: "data/days/${interval.name}.txt"}
  tell: {notebook: notebooks/tell.ipynb, inputs: {src: load.out}}
"""


def test_the_effect_of_an_interval_stands_whatever_others_had(project: ProjectBuilder) -> None:
    """A stage without outputs sends a mail of each day, say: no day is told of twice."""
    project.notebook(
        "tell", "with open('told.txt', 'a') as file: file.write(src[-6:-4] + ' ')", params="src = ''"
    )
    project.pipeline(TELL)
    filled(project, days(3))
    assert states(planned(project, days(4))) == ["done", "done", "done", "missing"]
    project.edit("tell", "src[-6:-4] + ' '", "src[-6:-4] + '! '")
    opened = project.project
    opened.run("p", interval="2026-01-02", engine=ExecEngine())
    project.edit("tell", "+ '! '", "+ ' '")
    assert (project.root / "told.txt").read_text() == "01 02 03 02! "
    # What was told of the second day last is not what would be told now.
    assert states(planned(project, days(3))) == ["done", "changed", "done"]


def test_rows_that_an_interval_added_stand_whatever_others_added(project: ProjectBuilder) -> None:
    add = f"import pandas as pd\nimport pathlib\npathlib.Path(out).mkdir()\npd.DataFrame({DAY}).to_parquet(out + '/rows.parquet')"
    project.notebook("add", add, params="src = out = ''")
    added = "add.ipynb, inputs: {src: load.out}, outputs: {out: {path: data/all, kind: delta, mode: append}}"
    project.pipeline(
        "defaults: {executor: inprocess}" + TELL.replace("tell.ipynb, inputs: {src: load.out}", added)
    )
    opened = project.project
    backfill(opened.preparer, opened.launcher, planned(project, days(3)))
    assert states(planned(project, days(4))) == ["done", "done", "done", "missing"]
    rows = delta.dataset(project.root / "data/all").to_table()["day"].to_pylist()
    assert sorted(rows) == ["01", "02", "03"]
    shutil.rmtree(project.root / "data/all")
    assert states(planned(project, days(3))) == ["changed", "changed", "changed"]


def test_it_is_gone_on_with_by_its_run(project: ProjectBuilder) -> None:
    project.file("broken/2026-01-02")
    report = filled(project, days(3))
    opened = project.project
    record = opened.journal.runs.find(report.run)
    assert record is not None
    assert (record.kind, record.is_series) == ("backfill", True)
    children = opened.journal.runs.points_of(report.run)
    assert [str(run.status) for run in children] == ["completed", "failed", "completed"]
    about = opened.journal.intervals.of_runs([run.id for run in children])
    assert [about[run.id].name for run in children] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    (project.root / "broken/2026-01-02").unlink()
    rest = rest_of_backfill(opened.preparer, record, RunRequest(jobs=2))
    assert rest.intervals == days(3).intervals
    assert rest.run.jobs == 2
    again = filled(project, rest, resumes=report.run)
    assert outcomes(again) == {"02": "completed"}
    started = next(event for _, event in opened.journal.events.of(again.run))
    assert isinstance(started, RunStarted)
    assert started.resumes == report.run


def test_gone_on_with_it_keeps_its_order_and_gives_what_came_to_others(
    project: ProjectBuilder, tmp_path: Path
) -> None:
    (tmp_path / "shared").mkdir()
    settings = f"[tracking]\nenabled = false\n[store]\nremote = '{tmp_path / 'shared'}'\n"
    project.file("stagebook.toml", settings)
    project.file("broken/2026-01-03")
    project.file("broken/2026-01-01")
    first = filled(project, days(3, newest_first=True))
    assert outcomes(first) == {"03": "failed", "02": "completed", "01": "failed"}
    assert len([*(tmp_path / "shared/results").rglob("*.json")]) == 2, "of the one that completed"
    for path in (project.root / "broken").iterdir():
        path.unlink()
    opened = project.project
    rest = rest_of_backfill(opened.preparer, opened.history.find(first.run), RunRequest())
    assert rest.intervals == days(3).intervals
    assert list(outcomes(filled(project, rest))) == ["03", "01"], "the newest first, as it was asked for"


def test_some_stages_alone(project: ProjectBuilder) -> None:
    request = days(2)
    request = dataclasses.replace(
        request, run=dataclasses.replace(request.run, selection=Selection(targets=("load",)))
    )
    report = filled(project, request)
    assert outcomes(report) == {"01": "completed", "02": "completed"}
    assert not (project.root / "data/total").exists()
    assert rest_of_backfill(
        project.project.preparer, project.project.history.find(report.run), RunRequest()
    ).run.selection == Selection(targets=("load",))


def test_its_plan_is_plain_data(project: ProjectBuilder) -> None:
    data = planned(project, days(2)).to_json()
    assert data["chosen"] == ["2026-01-01", "2026-01-02"]
    assert data["intervals"][0]["stages"] == {"load": "RUN", "total": "RUN"}
