"""Tables and texts of runs and plans for a terminal. The functions return what rich prints."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from stagebook.events import Status
from stagebook.journal.history import RunHistory, StageRecord, figures
from stagebook.journal.interval_table import RunInterval
from stagebook.journal.journal import RunRecord
from stagebook.pipeline.arguments import as_written
from stagebook.pipeline.types import shorten
from stagebook.planning.plan import NextRun, Plan, PlannedStage
from stagebook.views import formatting
from stagebook.views.audit_lines import failing_rows, in_short
from stagebook.views.failures import excerpt
from stagebook.views.formatting import plain

# A sign and a style for each status; the sign serves where there is no colour.
SIGNS: Mapping[Status, tuple[str, str]] = {
    Status.PENDING: ("…", "dim"),
    Status.RUNNING: ("▶", "cyan"),
    Status.RETRYING: ("↻", "yellow"),
    Status.COMPLETED: ("✓", "green"),
    Status.REUSED: ("↺", "green"),
    Status.FAILED: ("✗", "bold red"),
    Status.BLOCKED: ("⊘", "yellow"),
    Status.SKIPPED: ("–", "dim"),  # noqa: RUF001 - as in JupyterLab
    Status.CANCELLED: ("■", "yellow"),
    Status.INTERRUPTED: ("!", "bold red"),
}
# The style of the word for what the next run would do.
NEXT_RUNS: Mapping[NextRun, str] = {
    NextRun.NEW: "cyan",
    NextRun.STALE: "yellow",
    NextRun.WOULD_RUN: "cyan",
    NextRun.AUDITS: "cyan",
    NextRun.WAITS: "yellow",
    NextRun.RESTORES: "yellow",
    NextRun.UP_TO_DATE: "green",
    NextRun.SKIPPED: "dim",
}
# How many stages would do what, in words for one and for several.
_COUNTED: Mapping[tuple[NextRun, ...], tuple[str, str]] = {
    (NextRun.NEW, NextRun.STALE, NextRun.WOULD_RUN): ("would run", "would run"),
    (NextRun.AUDITS,): ("audits again", "audit again"),
    (NextRun.WAITS,): ("waits", "wait"),
    (NextRun.RESTORES,): ("restores", "restore"),
    (NextRun.UP_TO_DATE,): ("up to date", "up to date"),
    (NextRun.SKIPPED,): ("skipped", "skipped"),
}
_CUT = {"", "parameters"}  # columns that are cut where the terminal ends


def table_of(*columns: str) -> Table:
    """An empty table; a column of the same name looks the same in all tables."""
    cut_any = any(column in _CUT for column in columns)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=cut_any)
    for column in columns:
        kept = column in {"stage", "time", "run", "next run", "intervals"}
        cut = column in _CUT
        table.add_column(
            column,
            justify="right" if column == "time" else "left",
            no_wrap=kept or cut,
            overflow="ellipsis" if cut else "fold",
            ratio=1 if cut else None,  # takes the space that the other columns leave
            min_width=12 if cut else None,
        )
    return table


def status_text(status: Status) -> Text:
    """A status with its sign."""
    sign, style = SIGNS[status]
    return Text(f"{sign} {status}", style=style)


_WIDE = 100  # columns of a terminal, from which on a plan has its notebooks and parameters
MAX_ROWS = 300  # of a table of a plan; laying out thousands takes longer than planning them


def plan_table(plan: Plan) -> RenderableType:
    """What a run would do, a row for each stage instance; notebooks and parameters where there is room for them."""
    narrow = table_of("stage", "next run", "because")
    wide = table_of("stage", "next run", "because", "notebook", "parameters")
    for stage in plan.stages:
        next_run = next_run_text(stage)
        because = Text(plain("; ".join(stage.reasons[:2])))
        narrow.add_row(stage.id, next_run, because)
        shown = Text(formatting.params(_shown_params(stage)), style="dim")
        wide.add_row(
            stage.id,
            next_run,
            because,
            Text(stage.shown if stage.program is None else shorten(stage.shown, 34)),
            shown,
        )
    params = Text(formatting.params(plan.params, 100), style="dim")
    return Group(_plan_head(plan), params, ByWidth(wide, narrow))


@dataclasses.dataclass(frozen=True, slots=True)
class ByWidth:
    """One of two tables, by the width of the terminal."""

    wide: RenderableType
    narrow: RenderableType

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.wide if options.max_width >= _WIDE else self.narrow


def plan_lines(plan: Plan) -> Iterator[str]:
    """What a run would do as lines of text, for plans of more than `MAX_ROWS` stages."""
    yield _plan_head(plan).plain
    yield formatting.params(plan.params, 100)
    width = max((len(stage.id) for stage in plan.stages), default=0)
    for stage in plan.stages:
        because = plain("; ".join(stage.reasons[:2]))
        yield f"{stage.id:<{width}}  {stage.next_run:<10}  {because}"


def _plan_head(plan: Plan) -> Text:
    found = collections.Counter(stage.next_run for stage in plan.stages)
    counts = []
    for kinds, (one, many) in _COUNTED.items():
        if count := sum(found[kind] for kind in kinds):
            counts.append(f"{count} {one if count == 1 else many}")
    stages = formatting.plural(len(plan.stages), "stage")
    about = "" if plan.interval is None else f" {plan.interval.name}"
    return Text.assemble((plan.pipeline, "bold"), about, f"  {stages}: {', '.join(counts)}")


def _shown_params(stage: PlannedStage) -> dict[str, Any]:
    return {**as_written(stage.params), **{name: item.source for name, item in stage.deferred.items()}}


def progress_table(history: RunHistory, now: float, *, limit: int | None = None) -> RenderableType:
    """The stages of a run at this moment.

    Args:
        history: the events of the run so far.
        now: the time, as Unix time in seconds.
        limit: the most rows. Stages that run, or failed, come first; those without a row are counted.
    """
    table = table_of("stage", "status", "cells", "time", "memory", "")
    stages = list(history.stages.values())
    shown = stages
    if limit is not None and len(stages) > limit:
        active = {Status.RUNNING, Status.RETRYING, Status.FAILED}
        shown = [stage for stage in stages if stage.status in active][:limit]
        rest = [stage for stage in stages if stage not in shown]
        shown += rest[-max(0, limit - len(shown)) :] if limit > len(shown) else []
        shown.sort(key=stages.index)
    for stage in shown:
        table.add_row(
            Text(stage.id),
            status_text(stage.status),
            _cells(stage),
            _time(stage, now),
            formatting.size(stage.memory) if stage.memory else "",
            _remark(stage),
        )
    if len(shown) < len(stages):
        table.add_row(Text(f"… and {formatting.plural(len(stages) - len(shown), 'more stage')}", style="dim"))
    return table


def _time(stage: StageRecord, now: float) -> Text:
    """How long the stage has run, and how long it usually takes."""
    shown = Text(formatting.duration(stage.seconds(now)))
    if stage.status is Status.RUNNING and stage.expected:
        shown += Text(f" of ~{formatting.duration(stage.expected)}", style="dim")
    return shown


def _cells(stage: StageRecord) -> Text:
    if not stage.cells:
        return Text("")
    done = stage.cells if stage.status is Status.COMPLETED else max(0, stage.cell - 1)
    width = 10
    full = round(width * done / stage.cells)
    _, style = SIGNS[stage.status]
    bar = Text("━" * full, style=style) + Text("━" * (width - full), style="bright_black")
    return bar + Text(f" {stage.cell if stage.status is not Status.COMPLETED else stage.cells}/{stage.cells}")


def _remark(stage: StageRecord) -> Text:
    if stage.status in {Status.COMPLETED, Status.REUSED} and (short := in_short(stage.audits)):
        return Text(short, style="yellow")
    if stage.status in {Status.COMPLETED, Status.REUSED} and not stage.restored:
        return Text(plain(formatting.pairs(figures(stage.scraps))), style="dim")
    if stage.status is Status.FAILED:
        return Text(plain(formatting.value(stage.message or stage.reason, 80)), style="red")
    if stage.frozen:
        return Text(
            f"frozen: its process has been stopped for {formatting.duration(stage.frozen)}", style="bold red"
        )
    if stage.status is Status.RUNNING and stage.last_line:
        return Text(plain(formatting.value(stage.last_line, 60)), style="dim")
    if stage.status is Status.RETRYING:
        return Text(
            f"attempt {stage.attempt} failed: {plain(formatting.value(stage.message, 60))}", style="yellow"
        )
    return Text(plain(stage.reason), style="dim")


def failure(run: str, stage: StageRecord) -> RenderableType:
    """Why a stage failed: the cell, the error, and where the executed notebook is."""
    lines = [Text.assemble(("✗ ", "bold red"), (stage.id, "bold"), f" failed{_in_cell(stage)}")]
    lines.append(Text(f"  {plain(stage.message)}", style="red"))
    lines += [Text(f"  │ {line}", style="dim") for line in excerpt(stage.traceback)]
    lines += [Text(f"  │ {plain(line)}", style="dim") for line in failing_rows(stage)]
    if stage.folder:
        lines.append(Text(f"  notebook  {stage.folder}/notebook.ipynb"))
        lines.append(Text(f"  log       stagebook logs {run} {stage.id}"))
    if stage.dump:
        lines.append(Text(f"  debugger  stagebook debug {run} {stage.id}"))
    if stage.kernel:
        until = "; it ends by itself after a day" if stage.kernel.get("expires") else ""
        lines += [Text(f"  the kernel is kept, with all variables{until}")]
        lines += [Text(f"  {how:<10}{command}") for how, command in attaching(run, stage)]
    return Group(*lines)


def attaching(run: str, stage: StageRecord) -> list[tuple[str, str]]:
    """The commands to attach to a kept kernel and to end it, each after a word for it."""
    assert stage.kernel is not None
    file = stage.kernel["connection_file"]
    where = f"--ServerApp.external_connection_dir={file.rpartition('/')[0]}"
    return [
        ("console", f"jupyter console --existing {file}"),
        ("in Lab", f"jupyter lab --ServerApp.allow_external_kernels=True {where}"),
        ("end it", f"stagebook kernels --end {run} {stage.id}"),
    ]


def kept_kernel(run: str, stage: StageRecord, now: float) -> RenderableType:
    """A kept kernel, and the commands for it."""
    assert stage.kernel is not None
    head = Text.assemble(
        (stage.id, "bold"),
        f"  run {run}, failed {formatting.when(stage.ended, now)}{_in_cell(stage)}: ",
        (plain(formatting.value(stage.message, 80)), "red"),
        f"  (process {stage.kernel['pid']})",
    )
    return Group(head, *(Text(f"  {how:<10}{command}") for how, command in attaching(run, stage)))


def _in_cell(stage: StageRecord) -> str:
    return f" in cell {stage.cell} of {stage.cells}" if stage.cause and stage.cell and stage.cells else ""


def run_summary(history: RunHistory, now: float) -> Text:
    """One line: how the run ended, how long it took, and the number of stages of each status."""
    started = history.started
    assert started is not None
    ended = history.ended
    sign, style = SIGNS[history.status]
    counts = [
        f"{history.count(status)} {status}"
        for status in Status
        if status is not Status.PENDING and history.count(status)
    ]
    seconds = (ended.at if ended else now) - started.at
    about = f" {started.interval['name']}" if started.interval else ""
    head = Text.assemble((f"{sign} {started.pipeline}{about} {history.status}", style))
    return head + Text(f" in {formatting.duration(seconds)}: {', '.join(counts) or 'nothing to do'}")


def produced(history: RunHistory) -> RenderableType | None:
    """The outputs that a run made or restored, a row each; `None` if there are none."""
    table = table_of("output", "size", "stage")
    for stage in history.stages.values():
        for output in stage.outputs.values():
            if stage.status is Status.COMPLETED or output.path in stage.restored:
                how = " (restored)" if output.path in stage.restored else ""
                table.add_row(
                    Text(plain(output.path)),
                    formatting.size(output.size),
                    Text(f"{stage.id}{how}", style="dim"),
                )
    return table if table.row_count else None


def runs_table(
    runs: Sequence[RunRecord], now: float, about: Mapping[str, RunInterval] | None = None
) -> RenderableType:
    """Runs, the newest first. `about`: the intervals and schedules of those that have one, by their ids."""
    table = table_of("run", "pipeline", "status", "started", "time", "parameters")
    for run in runs:
        end = run.ended if run.ended is not None else now
        table.add_row(
            run.id,
            Text(run.pipeline) + Text(_kind(run, (about or {}).get(run.id)), style="dim"),
            status_text(run.status),
            formatting.when(run.started, now),
            formatting.duration(end - run.started),
            Text(plain(formatting.params(run.params)), style="dim"),
        )
    return table


def _kind(run: RunRecord, about: RunInterval | None) -> str:
    """What a run is about, and of which kind it is, where that says more."""
    name = f" {about.name}" if about is not None and about.name else ""
    if run.parent:
        return name or " (point)"
    return name if run.kind == "run" else f" ({run.kind}){name}"


def status_table(
    stages: Mapping[str, tuple[RunRecord, StageRecord] | None],
    planned: Mapping[str, PlannedStage],
    now: float,
    on_disk: Mapping[str, str] | None = None,
) -> RenderableType:
    """Each stage with its last outcome, and what the next run would do.

    Args:
        stages: the record of each stage's last execution or reuse; `None`: it never ran. That of a reused stage has the
            times of the attempt that made its result, and is shown as what that attempt came to.
        planned: what the next run would do with each stage; empty where the pipeline has mistakes.
        now: the time, as Unix time in seconds.
        on_disk: what lies in the place of outputs that the next run would restore, by stage.
    """
    table = table_of("stage", "last outcome", "when", "time", "next run", "")
    for name, known in stages.items():
        plan = planned.get(name)
        next_run = next_run_text(plan)
        if known is None:
            table.add_row(Text(name), Text("○ never ran", style="dim"), "", "", next_run, "")
            continue
        run, stage = known
        stale = plan is not None and plan.runs and stage.status.is_good
        judged = plan.judgement if plan is not None else None
        unnoticed = judged is not None and judged.unnoticed
        because = plan.reasons[0] if plan is not None and (stale or unnoticed) and plan.reasons else ""
        if stage.status.is_good:
            because = because or (on_disk or {}).get(name, "")
        outcome = Status.COMPLETED if stage.status is Status.REUSED and stage.ended else stage.status
        table.add_row(
            Text(name),
            status_text(outcome),
            formatting.when(stage.ended or stage.started or run.started, now),
            formatting.duration(stage.seconds(now)),
            next_run,
            Text(plain(because), style="cyan") if because else _remark(stage),
        )
    return table


def next_run_text(stage: PlannedStage | None) -> Text:
    """What the next run would do with a stage, in a word; empty where nobody knows."""
    return Text("") if stage is None else Text(str(stage.next_run), style=NEXT_RUNS[stage.next_run])
