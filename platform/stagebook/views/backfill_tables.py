"""Backfills: what one would do, and what it came to."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from stagebook.events import Status
from stagebook.runs.backfill import BackfillPlan, PlannedInterval, State
from stagebook.runs.backfilling import BackfillReport, IntervalDone
from stagebook.timing.interval import Interval
from stagebook.views.formatting import duration, plain, plural, value
from stagebook.views.tables import status_text, table_of

_MOST = 40  # stretches of intervals that are shown
_FOLLOWS = "follows"
_STYLES = {
    str(State.MISSING): "yellow",
    str(State.FAILED): "red",
    str(State.CHANGED): "cyan",
    str(State.DONE): "green",
    _FOLLOWS: "cyan",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """Intervals beside each other that are alike, as texts. `state` is that of the plan, or `follows`; `is_chosen`: they run."""

    intervals: str
    number: int
    state: str
    stages: str
    time: str
    why: str
    is_chosen: bool


def plan_rows(plan: BackfillPlan) -> list[PlanRow]:
    """The intervals of a plan, those beside each other that are alike in one row."""
    chosen = {one.interval for one in plan.chosen}
    keyed = ((one, (_kind(one), one.interval in chosen)) for one in plan.all)
    stretches = ([one for one, _ in group] for _, group in itertools.groupby(keyed, key=lambda pair: pair[1]))
    return [_row(group, is_chosen=group[0].interval in chosen) for group in stretches]


def plan_table(plan: BackfillPlan) -> Table:
    """The rows of a plan."""
    table = table_of("intervals", "number", "state", "stages", "time", "why")
    rows = plan_rows(plan)
    for row in rows[:_MOST]:
        table.add_row(
            Text(row.intervals, style="" if row.is_chosen else "dim"),
            str(row.number),
            Text(row.state, style=_STYLES[row.state]),
            row.stages,
            row.time,
            Text(row.why, style="dim"),
        )
    if len(rows) > _MOST:
        table.caption_justify = "left"
        table.caption = Text(f"… and {len(rows) - _MOST} more stretches; --json has all", style="dim")
    return table


def _row(group: Sequence[PlannedInterval], *, is_chosen: bool) -> PlanRow:
    first, last = group[0], group[-1]
    names = first.interval.name if len(group) == 1 else f"{first.interval.name} … {last.interval.name}"
    runs = len(first.runs)
    seconds = [one.seconds for one in group if one.seconds is not None]
    state, why = str(first.state), plain(value(first.why, 80))
    if first.state is State.DONE and is_chosen:
        state, why = _FOLLOWS, "reads earlier intervals, and runs where these change"
    elif not is_chosen and first.state is not State.DONE:
        why = "left out"
    return PlanRow(
        intervals=names,
        number=len(group),
        state=state,
        stages=f"{runs} of {len(first.decisions)}" if runs else "",
        time=f"~{duration(sum(seconds))}" if seconds else "",
        why=why,
        is_chosen=is_chosen,
    )


def _kind(one: PlannedInterval) -> tuple[State, int, str]:
    return one.state, len(one.runs), one.why.replace(one.interval.name, "")


def left_out(intervals: Sequence[Interval]) -> Text:
    """That the last intervals are not over yet."""
    count = plural(len(intervals), "interval")
    text = f"! from {intervals[0].name} on no interval is over yet: {count} left out"
    return Text(text, style="yellow")


def summary(plan: BackfillPlan) -> Text:
    """What a backfill would do, in a sentence."""
    if not plan.chosen:
        return Text(f"✓ {plural(len(plan.all), 'interval')}, nothing to run", style="green")
    order = "the newest first" if plan.newest_first else "the oldest first"
    side = f", {plan.parallel} at a time" if plan.parallel > 1 else ""
    time = f", about {duration(plan.seconds)} by earlier runs" if plan.seconds is not None else ""
    count = len(plan.chosen) - len(plan.followers)
    text = Text(f"{count} of {plural(len(plan.all), 'interval')} to run, {order}{side}{time}")
    if plan.reads_earlier and (plan.request.parallel > 1 or plan.request.newest_first):
        why = "stages read what earlier intervals write, so that one runs after the other, the oldest first"
        text.append(f"\n! {why}", style="yellow")
    if plan.clashes and len(plan.all) > 1:
        names = ", ".join(plan.clashes[:3]) + (" …" if len(plan.clashes) > 3 else "")
        text.append(
            f"\n! each interval writes {names} to the same place, so that the last one stays, and one runs at a time;"
            " put ${interval.name} into the path",
            style="yellow",
        )
    return text


def done_line(one: IntervalDone) -> Text:
    """What became of an interval."""
    line = Text(f"{one.interval.name}  ") + status_text(one.status)
    if one.status is Status.REUSED:
        line.append("  nothing changed for it", style="dim")
    elif one.reused:
        line.append(f"  {plural(one.reused, 'stage')} reused", style="dim")
    if one.message:
        line.append(f"  {plain(value(one.message, 100))}", style="red" if not one.status.is_good else "dim")
    return line


def report_lines(report: BackfillReport) -> list[Text]:
    """What a backfill came to."""
    counted = _counts(report.done)
    line = Text(f"backfill {report.run}  ") + status_text(report.status)
    line.append(f"  {', '.join(counted)}" if counted else "")
    if report.left:
        line.append(f", {plural(report.left, 'interval')} left")
    if report.reason:
        line.append(f": {plain(report.reason)}", style="dim")
    lines = [line]
    if report.version is not None:
        lines.append(Text(f"shown as version {report.version.version}"))
    if report.status is not Status.COMPLETED:
        lines.append(Text(f"go on with   stagebook resume {report.run}"))
    return lines


def _counts(done: Sequence[IntervalDone]) -> list[str]:
    ran = sum(one.status is Status.COMPLETED for one in done)
    same = sum(one.status is Status.REUSED for one in done)
    cancelled = sum(one.status is Status.CANCELLED for one in done)
    failed = sum(not one.status.is_good for one in done) - cancelled
    pairs = (
        (ran, f"{ran} completed"),
        (same, f"{same} unchanged"),
        (failed, f"{failed} failed"),
        (cancelled, f"{cancelled} cancelled"),
    )
    return [text for count, text in pairs if count]
