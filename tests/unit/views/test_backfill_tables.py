"""Backfills on the screen: stretches that are alike in one row, and what came of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io

from rich.console import Console, RenderableType

from stagebook.events import Status
from stagebook.planning.plan import Decision
from stagebook.runs.backfill import BackfillPlan, BackfillRequest, PlannedInterval, State
from stagebook.runs.backfilling import BackfillReport, IntervalDone
from stagebook.runs.request import RunRequest
from stagebook.timing.interval import Interval
from stagebook.timing.units import units_within
from stagebook.views import backfill_tables

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
DAYS = list(units_within("day", START, START + dt.timedelta(days=60), "UTC"))
RUN, REUSE = Decision.RUN, Decision.REUSE


def screen(*shown: RenderableType, width: int = 100) -> str:
    out = io.StringIO()
    for one in shown:
        Console(file=out, width=width, color_system=None).print(one, soft_wrap=False)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def planned(day: Interval, state: State, why: str = "", seconds: float | None = None) -> PlannedInterval:
    runs = state is not State.DONE
    return PlannedInterval(
        interval=day,
        state=state,
        decisions={"load": RUN if runs else REUSE, "total": RUN if runs else REUSE},
        why=why,
        seconds=seconds,
    )


def plan(*intervals: PlannedInterval, **how: object) -> BackfillPlan:
    request = BackfillRequest(run=RunRequest(pipeline="p"), intervals=[one.interval for one in intervals])
    chosen = [one for one in intervals if one.state is not State.DONE]
    made = BackfillPlan(
        request=request, pipeline="p", path="pipelines/p.yaml", params={}, all=intervals, chosen=chosen
    )
    return dataclasses.replace(made, **how)  # type: ignore[arg-type]


def test_intervals_that_are_alike_share_a_row() -> None:
    shown = plan(
        planned(DAYS[0], State.MISSING, "no run of it yet", 60.0),
        planned(DAYS[1], State.MISSING, "no run of it yet", 60.0),
        planned(DAYS[2], State.DONE),
        planned(DAYS[3], State.FAILED, "load failed", 30.0),
        planned(DAYS[4], State.CHANGED, "cell 3 changed"),
    )
    text = screen(backfill_tables.plan_table(shown), backfill_tables.summary(shown))
    assert [" ".join(line.split()) for line in text.splitlines()] == [
        "intervals number state stages time why",
        "2026-01-01 … 2026-01-02 2 missing 2 of 2 ~2 min 00 s no run of it yet",
        "2026-01-03 1 done",
        "2026-01-04 1 failed 2 of 2 ~30 s load failed",
        "2026-01-05 1 changed 2 of 2 cell 3 changed",
        "4 of 5 intervals to run, the oldest first, about 3 min 20 s by earlier runs",
    ]


def test_in_a_narrow_terminal_no_stretch_is_broken() -> None:
    why = "the last run of it failed in a stage of a long name"
    shown = plan(*(planned(day, State.FAILED, why, 60.0) for day in DAYS[:3]))
    lines = screen(backfill_tables.plan_table(shown), width=80).splitlines()
    assert lines[1].startswith("2026-01-01 … 2026-01-03  3       failed  2 of 2  ~3 min 00 s  ")
    assert all(line.startswith(" " * 55) for line in lines[2:]), "only the reason goes on below"
    assert max(map(len, lines)) <= 80
    assert why in " ".join(" ".join(lines[1:]).split())


def test_what_is_left_out_and_what_follows_is_said() -> None:
    follower = planned(DAYS[1], State.DONE)
    first, left = (
        planned(DAYS[0], State.MISSING, "no run of it yet"),
        planned(DAYS[2], State.FAILED, "load failed"),
    )
    shown = plan(
        first,
        follower,
        left,
        chosen=[first, follower],
        followers=frozenset({follower.interval}),
        reads_earlier=True,
    )
    text = screen(backfill_tables.plan_table(shown), backfill_tables.summary(shown), width=130)
    assert "follows" in text
    assert "reads earlier intervals, and runs where these change" in text
    assert "left out" in text
    assert "1 of 3 intervals to run, the oldest first" in text
    asked = dataclasses.replace(
        shown, request=dataclasses.replace(shown.request, newest_first=True, parallel=4)
    )
    text = screen(backfill_tables.summary(asked), width=200)
    assert (
        "! stages read what earlier intervals write, so that one runs after the other, the oldest first"
        in text
    )


def test_outputs_in_one_place_are_said() -> None:
    shown = plan(planned(DAYS[0], State.MISSING), planned(DAYS[1], State.MISSING), clashes=("total.out",))
    text = screen(backfill_tables.summary(shown), width=300)
    assert "! each interval writes total.out to the same place" in text
    assert "put ${interval.name} into the path" in text


def test_of_many_stretches_the_first_are_shown() -> None:
    shown = plan(*(planned(day, State.MISSING if at % 2 else State.DONE) for at, day in enumerate(DAYS)))
    text = screen(backfill_tables.plan_table(shown), width=120)
    assert "… and 20 more stretches; --json has all" in text


def test_nothing_to_run_is_good_news() -> None:
    shown = plan(planned(DAYS[0], State.DONE))
    assert screen(backfill_tables.summary(shown)) == "✓ 1 interval, nothing to run"


def test_what_became_of_each_and_of_all() -> None:
    done = [
        IntervalDone(interval=DAYS[0], status=Status.COMPLETED, run="r1", reused=1),
        IntervalDone(interval=DAYS[1], status=Status.REUSED, reused=2),
        IntervalDone(interval=DAYS[2], status=Status.FAILED, run="r2", message="load: ValueError: no\nmore"),
    ]
    text = screen(*(backfill_tables.done_line(one) for one in done))
    assert "2026-01-01  ✓ completed  1 stage reused" in text
    assert "nothing changed for it" in text
    assert "2026-01-03  ✗ failed  load: ValueError: no" in text
    report = BackfillReport(run="b1", status=Status.FAILED, done=done, left=3)
    text = screen(*backfill_tables.report_lines(report))
    assert "1 completed, 1 unchanged, 1 failed, 3 intervals left" in text
    assert "go on with   stagebook resume b1" in text
    stopped = [*done[:2], IntervalDone(interval=DAYS[2], status=Status.CANCELLED, run="r2")]
    text = screen(*backfill_tables.report_lines(dataclasses.replace(report, done=stopped)))
    assert "1 completed, 1 unchanged, 1 cancelled, 3" in text, "what a person stopped has not failed"
    well = dataclasses.replace(report, status=Status.COMPLETED, done=done[:1], left=0)
    assert "go on" not in screen(*backfill_tables.report_lines(well))


def test_rows_are_values_too_and_none_is_cut() -> None:
    """What other views than the terminal show has all stretches."""
    days = [
        planned(day, State.DONE if at % 2 else State.MISSING, "no run of it yet", 1.0)
        for at, day in enumerate(DAYS)
    ]
    rows = backfill_tables.plan_rows(plan(*days))
    assert len(rows) == len(DAYS)
    assert rows[0] == backfill_tables.PlanRow(
        intervals="2026-01-01",
        number=1,
        state="missing",
        stages="2 of 2",
        time="~1.0 s",
        why="no run of it yet",
        is_chosen=True,
    )
    assert (rows[1].state, rows[1].is_chosen, rows[1].time) == ("done", False, "~1.0 s")
    left_out = backfill_tables.plan_rows(plan(*days[:1], chosen=[]))
    assert (left_out[0].why, left_out[0].is_chosen) == ("left out", False)
    follows = backfill_tables.plan_rows(plan(*days[:2], chosen=days[:2], reads_earlier=True))
    assert [row.state for row in follows] == ["missing", "follows"]
