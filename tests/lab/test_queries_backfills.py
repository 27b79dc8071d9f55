"""Backfills as the server's side tells them: how far one is, by its runs, and the words that start one."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import pytest

from building import ProjectBuilder
from journals import HERE, alive
from stagebook.errors import PipelineBusy, RunNotFound, UsageError
from stagebook.events import RunEnded, RunStarted, Status
from stagebook.origin import Origin
from stagebook.project import Project
from stagebook.timing.reading import parse_interval
from stagebook_lab import wire
from stagebook_lab.params import FieldsWrong
from stagebook_lab.queries.backfills import (
    backfills_reply,
    check,
    check_idle,
    find_backfill,
    plan_reply,
    words_of,
)

DAYS = [f"2026-01-{day:02}" for day in range(1, 7)]
PIPELINE = """
schedules:
  daily: {cron: "0 6 * * *", zone: UTC, interval: day}
stages:
  a: {notebook: notebooks/n.ipynb, params: {day: "${interval.name}"}}
  b: {notebook: notebooks/n.ipynb, params: {day: "${interval.name}"}}
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> Project:
    builder.file("stagebook.toml", "[tracking]\nenabled = false\n[environments.prod]\n")
    builder.notebook("n", "1", params="day = ''")
    builder.pipeline(PIPELINE)
    return builder.project


def begin(project: Project, days: Sequence[str] = DAYS, *, newest_first: bool = False) -> None:
    request = {"intervals": [str(parse_interval(day)) for day in days], "newest_first": newest_first}
    origin = Origin(user="ann")
    event = RunStarted(
        run="b", at=1.0, pipeline="p", plan={}, kind="backfill", request=request, origin=origin
    )
    project.journal.begin(event, HERE, alive)


def child(project: Project, day: str, status: Status | None = Status.COMPLETED) -> None:
    """The run of an interval; one that goes on has no status."""
    run, about = f"r{day}", parse_interval(day).to_json()
    started = RunStarted(run=run, at=2.0, pipeline="p", plan={}, parent="b", interval=about)
    ended = [] if status is None else [RunEnded(run=run, at=3.0, status=status)]
    project.journal.append([started, *ended])


def end(project: Project, status: Status) -> None:
    project.journal.append([RunEnded(run="b", at=9.0, status=status, reason="so")])


def look(project: Project) -> wire.BackfillInfo:
    (found,) = backfills_reply(project, "p", "dev").backfills
    return found


def counts(project: Project) -> tuple[int, int, int, int, tuple[str, ...]]:
    found = look(project)
    return found.done, found.failed, found.without, found.left, found.current


def test_it_is_counted_as_it_goes(project: Project) -> None:
    assert backfills_reply(project, "p", "dev") == wire.BackfillsReply(
        backfills=(), every="day", units=("hour", "day", "week", "month", "year")
    )
    begin(project)
    assert counts(project) == (0, 0, 0, 6, ())
    child(project, DAYS[0])
    child(project, DAYS[2], Status.FAILED)  # nothing was to be done for the day before it
    child(project, DAYS[3], None)
    assert counts(project) == (1, 1, 1, 2, (DAYS[3],))
    found = look(project)
    assert (found.total, found.by, found.first, found.last) == (6, "ann", DAYS[0], DAYS[5])
    assert [(run.interval, run.status) for run in found.runs] == [
        (DAYS[2], "failed"), (DAYS[3], "running"),
    ]  # fmt: skip


def test_of_one_that_is_over_nothing_is_left_but_where_it_was_stopped(project: Project) -> None:
    begin(project)
    child(project, DAYS[0])
    child(project, DAYS[1], Status.CANCELLED)
    end(project, Status.CANCELLED)
    assert counts(project) == (1, 1, 0, 4, ())
    assert (look(project).status, look(project).reason) == ("cancelled", "so")


def test_what_was_passed_over_to_the_end_is_not_left(project: Project) -> None:
    begin(project)
    child(project, DAYS[3])
    end(project, Status.COMPLETED)
    assert counts(project) == (1, 0, 5, 0, ())


def test_the_newest_first_is_counted_from_the_end(project: Project) -> None:
    begin(project, newest_first=True)
    child(project, DAYS[5])
    child(project, DAYS[3], None)
    assert counts(project) == (1, 0, 1, 3, (DAYS[3],))


def test_several_at_a_time(project: Project) -> None:
    begin(project)
    for day in DAYS[:3]:
        child(project, day, None)
    assert counts(project) == (0, 0, 0, 3, tuple(DAYS[:3]))
    child(project, DAYS[3])
    assert counts(project) == (1, 0, 0, 2, tuple(DAYS[:3]))


def test_a_backfill_is_found_by_its_id_alone(project: Project) -> None:
    begin(project)
    child(project, DAYS[0])
    assert find_backfill(project, "dev", "b").id == "b"
    for environment, run in (("dev", f"r{DAYS[0]}"), ("dev", "none"), ("prod", "b")):
        with pytest.raises(RunNotFound, match=f"there is no backfill '{run}' in {environment}"):
            find_backfill(project, environment, run)


def test_nothing_is_started_while_the_pipeline_is_run(project: Project) -> None:
    check_idle(project, "p", "dev")
    begin(project)
    child(project, DAYS[0], None)
    with pytest.raises(PipelineBusy, match="'p' is being run already: b"):
        check_idle(project, "p", "dev")
    check_idle(project, "p", "prod")
    end(project, Status.COMPLETED)


def ask(**fields: object) -> wire.BackfillRequest:
    return wire.BackfillRequest(**{"pipeline": "p", "start": "2026-01-01", "end": "2026-01-03", **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "p"),
        ({"every": "week", "environment": "prod"}, "--every=week --env=prod p"),
        ({"which": ("missing", "failed"), "newest_first": True}, "--missing --failed --newest-first p"),
        ({"parallel": 3, "texts": {"x": "-1 2"}}, "--parallel=3 '--param=x=-1 2' p"),
        ({"stages": ("a", "-b")}, "-- p a -b"),
    ],
)
def test_its_words_are_those_of_the_command(fields: dict[str, object], words: str) -> None:
    expected = f"backfill --from=2026-01-01 --to=2026-01-03 {words}"
    assert shlex.join(words_of(ask(**fields))) == expected


def test_a_plan_has_the_rows_of_the_terminal(project: Project) -> None:
    plan = plan_reply(project, ask(which=("failed",)))
    (row,) = plan.rows
    assert (row.intervals, row.number, row.state, row.why, row.is_chosen) == (
        "2026-01-01 … 2026-01-03", 3, "missing", "left out", False,
    )  # fmt: skip
    assert (plan.count, plan.lines) == (0, ("✓ 3 intervals, nothing to run",))
    plan = plan_reply(project, ask(stages=("a",), newest_first=True, parallel=2))
    assert (plan.rows[0].stages, plan.count) == ("1 of 2", 3)
    assert plan.lines == ("3 of 3 intervals to run, the newest first, 2 at a time",)
    with pytest.raises(UsageError, match="none"):
        plan_reply(project, ask(stages=("none",)))
    with pytest.raises(UsageError, match="prd"):
        plan_reply(project, ask(environment="prd"))
    assert not project.history.has_journal, "looking leaves nothing"


@pytest.mark.parametrize(
    ("fields", "name", "text"),
    [
        ({"start": " "}, "start", "say when"),
        ({"end": "2026-13"}, "end", "'2026-13' is no time; write a day"),
        ({"end": "2025-01-01"}, "end", "2025-01-01 is before 2026-01-01"),
        ({"every": "moon"}, "every", "one of hour, day"),
        ({"every": "month"}, "end", "there is no whole month from 2026-01-01 to 2026-01-03"),
        ({"parallel": 0}, "parallel", "from 1 to 64, not 0"),
        ({"start": "1900", "end": "2800", "every": "hour"}, "end", "more than 100,000 intervals"),
    ],
)
def test_a_mistake_stands_at_its_field(
    project: Project, fields: dict[str, object], name: str, text: str
) -> None:
    with pytest.raises(FieldsWrong) as caught:
        plan_reply(project, ask(**fields))
    assert list(caught.value.fields) == [name]
    assert text in caught.value.fields[name]


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(FieldsWrong) as caught:
        check(ask(start="", end="soon", every="x", parallel=99))
    assert list(caught.value.fields) == ["start", "end", "every", "parallel"]
    check(ask())


def test_what_no_command_line_takes_is_refused() -> None:
    for fields in ({"stages": ("a\0",)}, {"texts": {"x": "\0"}}, {"pipeline": "p\0"}):
        with pytest.raises(UsageError, match="cannot be in a command"):
            check(ask(**fields))
