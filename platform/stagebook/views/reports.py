"""Explanations, sweeps and the findings of the doctor, for a terminal. The functions return what rich prints."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from stagebook.events import Status
from stagebook.planning.plan import Decision
from stagebook.runs.doctor import Finding
from stagebook.runs.grid import Point, SweepReport
from stagebook.runs.why import Explanation
from stagebook.views import formatting
from stagebook.views.formatting import plain
from stagebook.views.tables import NEXT_RUNS, SIGNS, status_text, table_of

_BEFORE = {Decision.RUN: "would run", Decision.AUDIT: "audits again", Decision.WAIT: "waits"}


def explanation(item: Explanation, now: float) -> RenderableType:
    """What a stage would do, and why: the changes since its last result, with their differences."""
    head = Text.assemble((item.stage, "bold"), "  ", (str(item.next_run), NEXT_RUNS[item.next_run]))
    head += Text(f"  {plain('; '.join(item.reasons[:1]))}")
    lines: list[RenderableType] = [head]
    if item.last is not None:
        what = "nothing declared changed since" if item.unnoticed else "nothing changed since"
        what = "since" if item.changes else what
        ago = formatting.when(item.last.at, now)
        lines.append(Text(f"  {what} the run {item.last.run}, {ago}", style="dim"))
    shown_code = False
    for change in item.changes:
        lines.append(Text(f"  • {plain(change.text)}"))
        if change.part == "code" and not shown_code:
            shown_code = True
            lines += _diff_lines(item.diffs.get("code", ()))
        elif change.part != "code":
            lines += _diff_lines(item.diffs.get(change.name, ()))
    for name, (decision, why) in item.before.items():
        word = _BEFORE[Decision(decision)]
        lines.append(Text(f"  • before it, {name} {word}: {plain(why)}", style="dim"))
    for what in item.unresolved:
        lines.append(Text(f"  ! not followed: {plain(what)}", style="yellow"))
    return Group(*lines)


def _diff_lines(lines: Sequence[str]) -> list[Text]:
    styles = {"+": "green", "-": "red"}
    return [Text(f"    │ {plain(line)}", style=styles.get(line[:1], "dim")) for line in lines]


def sweep_point(point: Point) -> Text:
    """The last outcome of one point, and its failed stages."""
    line = Text("  ") + status_text(point.status)
    reused = point.history.count(Status.REUSED)
    if reused:
        line += Text(f"  {formatting.plural(reused, 'stage')} reused", style="dim")
    for stage in point.history.stages.values():
        if stage.status is Status.FAILED:
            line += Text(
                f"  {stage.id}: {plain(formatting.value(stage.message or stage.reason, 100))}", style="red"
            )
    return line


def sweep_table(report: SweepReport) -> RenderableType:
    """The points of a sweep with their parameters and metrics."""
    names = list(dict.fromkeys(name for point in report.points for name in point.metrics))
    varied = [name for name in names if len({point.metrics.get(name) for point in report.points}) > 1]
    shown = (varied or names)[:8]
    axes = list(report.points[0].params) if report.points else []
    table = table_of("run", "status", *axes, *shown)
    for point in report.points:
        values = [point.metrics.get(name) for name in shown]
        table.add_row(
            point.run,
            status_text(point.status),
            *(Text(plain(formatting.written(point.params[name], 30))) for name in axes),
            *(Text("" if value is None else formatting.value(value)) for value in values),
        )
    sign, style = SIGNS[report.status]
    head = Text(f"{sign} {formatting.plural(len(report.points), 'point')} {report.status}", style=style)
    if report.left:
        head += Text(f"; {formatting.plural(report.left, 'point')} not run", style="yellow")
    if report.why:
        head += Text(f": {plain(report.why)}", style="yellow")
    return Group(head, table)


def findings(found: Sequence[Finding]) -> RenderableType:
    """What `stagebook doctor` found."""
    signs = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "bold red")}
    lines = []
    for item in found:
        sign, style = signs[item.level]
        lines.append(Text.assemble((f"{sign} ", style), plain(item.what)))
        if item.hint:
            lines.append(Text(f"    {plain(item.hint)}", style="dim"))
    return Group(*lines)
