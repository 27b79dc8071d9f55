"""Comparisons: why a stage would run, its notebook against what ran, and runs side by side."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from stagebook.errors import RunNotFound, UsageError
from stagebook.execution.attempt import NOTEBOOK_FILE
from stagebook.journal.journal import RunRecord
from stagebook.pipeline.notebook_file import NotebookUnreadable, parse_notebook, read_bytes, source_of
from stagebook.project import Project
from stagebook.runs.grid import metrics_of
from stagebook.runs.request import RunRequest
from stagebook.runs.why import why
from stagebook_lab import wire
from stagebook_lab.present import Paths, run_info
from stagebook_lab.queries.runs import Attempts, notebook_reply

MAX_RUNS = 20  # side by side
MAX_LINES = 400  # of the difference of a cell
INJECTED = "injected-parameters"  # the tag of the cell that papermill adds
_SHOWN = {
    "RUN": "would run",
    "REUSE": "up to date",
    "AUDIT": "audits again",
    "WAIT": "waits",
    "SKIP": "skipped",
}


def why_reply(project: Project, request: RunRequest, stage: str) -> wire.WhyReply:
    """The decision about a stage, and everything that it rests on. Raises as `why`."""
    item = next((one for one in why(project.preparer, request, [stage]) if one.stage == stage), None)
    if item is None:
        raise UsageError(f"no stage '{stage}'")
    return wire.WhyReply(
        stage=item.stage,
        decision=str(item.decision),  # type: ignore[arg-type]
        next_run=str(item.next_run),  # type: ignore[arg-type]
        reasons=item.reasons,
        last_run=item.last.run if item.last else "",
        last_at=item.last.at if item.last else None,
        changes=tuple(change.text for change in item.changes),
        diffs=tuple(wire.Diff(title=name, lines=tuple(lines)) for name, lines in item.diffs.items()),
        before={name: f"{_SHOWN[decision]}: {reason}" for name, (decision, reason) in item.before.items()},
        unresolved=item.unresolved,
    )


# -- a notebook against what ran --------------------------------------------------------------------


def changes_reply(
    project: Project, paths: Paths, run: RunRecord, stage: str, attempt: int | None
) -> wire.ChangesReply:
    """What a stage ran, compared with its notebook as it is now.

    Raises:
        RunNotFound: there is no executed notebook, or the notebook is not there any more.
        NotebookUnreadable: as `Workspace.executable`, told as a `RunNotFound`.
    """
    executed = notebook_reply(project, run, stage, attempt)
    record = project.history.stage(run, stage)
    folder = project.root / Attempts().find(project, run, stage, attempt)[1]
    try:
        now = parse_notebook(read_bytes(project.dependencies.workspace.executable(record.notebook)))
    except NotebookUnreadable as error:
        raise RunNotFound(f"the notebook '{record.notebook}' cannot be read: {error}") from error
    ran, ran_numbers = _cells(executed.content)
    now_cells, now_numbers = _cells(now)
    return wire.ChangesReply(
        run=record.of_run or run.id,
        attempt=int(folder.name) if folder.name.isdecimal() else executed.attempt,
        executed=paths.of((folder / NOTEBOOK_FILE).relative_to(project.root).as_posix()),
        notebook=paths.of(record.notebook),
        cells=tuple(_numbered(diff, ran_numbers, now_numbers) for diff in cell_diffs(ran, now_cells)),
    )


Cell = tuple[str, str]  # its kind and its source
Numbers = tuple[int | None, int | None]  # of a code cell: by hand, and in the executed notebook


def _cells(notebook: Any) -> tuple[list[Cell], list[Numbers]]:
    """The cells without those that were put in, and their numbers: the places of code cells among those that are not
    empty, from 1, without and with the cells that were put in."""
    found: list[Cell] = []
    numbers: list[Numbers] = []
    number = prompt = 0
    for cell in notebook.get("cells", ()) if isinstance(notebook, Mapping) else ():
        kind, source = str(cell.get("cell_type")), source_of(cell)
        metadata = cell.get("metadata")
        tags = metadata.get("tags") if isinstance(metadata, Mapping) else None
        injected = isinstance(tags, list) and INJECTED in tags
        runs = kind == "code" and bool(source.strip())
        prompt += runs
        if not injected:
            number += runs
            found.append((kind, source))
            numbers.append((number, prompt) if runs else (None, None))
    return found, numbers


def _numbered(diff: wire.CellDiff, ran: Sequence[Numbers], now: Sequence[Numbers]) -> wire.CellDiff:
    of_old = ran[diff.before - 1] if diff.before else (None, None)
    of_new = now[diff.now - 1] if diff.now else of_old
    return dataclasses.replace(diff, number=of_new[0], executed=of_old[1])


def cell_diffs(before: Sequence[Cell], now: Sequence[Cell]) -> list[wire.CellDiff]:
    """All cells in order. Cells that replace each other are compared line by line."""
    found: list[wire.CellDiff] = []
    matcher = difflib.SequenceMatcher(None, before, now, autojunk=False)
    for _, i, i_end, j, j_end in matcher.get_opcodes():
        for at in range(max(i_end - i, j_end - j)):
            old = i + at if i + at < i_end else None
            new = j + at if j + at < j_end else None
            found.append(_cell_diff(before, now, old, new))
    return found


def _cell_diff(
    before: Sequence[Cell], now: Sequence[Cell], old: int | None, new: int | None
) -> wire.CellDiff:
    is_same = old is not None and new is not None and before[old] == now[new]
    change: wire.CellChange = "same" if is_same else "changed"
    if old is None or new is None:
        change = "added" if old is None else "removed"
    was = before[old][1] if old is not None else ""
    becomes = now[new][1] if new is not None else ""
    kind = now[new][0] if new is not None else before[old or 0][0]
    lines: Sequence[str] = ()
    if not is_same:
        all_lines = [line for line in difflib.ndiff(was.splitlines(), becomes.splitlines()) if line[0] != "?"]
        lines = [f"{line[0]}{line[2:]}" for line in all_lines[:MAX_LINES]]
        if len(all_lines) > MAX_LINES:
            lines.append(f"… {len(all_lines) - MAX_LINES} more lines")
    return wire.CellDiff(
        change=change,
        kind=kind,
        before=None if old is None else old + 1,
        now=None if new is None else new + 1,
        lines=tuple(lines),
    )


# -- runs side by side ----------------------------------------------------------------------------


def compare_reply(project: Project, names: Sequence[str]) -> wire.CompareReply:
    """Runs side by side. Raises `UsageError` for fewer than two or too many, and `RunNotFound`."""
    if not 2 <= len(names) <= MAX_RUNS:
        raise UsageError(f"compare 2 to {MAX_RUNS} runs, not {len(names)}")
    runs = [project.history.find(name) for name in names]
    histories = [project.history.of(run) for run in runs]
    seconds = [
        {
            stage.id: round(max(0.0, stage.ended - stage.started), 3)
            for stage in history.stages.values()
            if stage.started is not None and stage.ended is not None
        }
        for history in histories
    ]
    return wire.CompareReply(
        runs=tuple(run_info(run) for run in runs),
        params=_rows([run.params for run in runs]),
        metrics=_rows([metrics_of(history) for history in histories]),
        states=_rows(
            [{stage.id: str(stage.status) for stage in history.stages.values()} for history in histories]
        ),
        seconds=_rows(seconds),
    )


def _rows(tables: Sequence[Mapping[str, Any]]) -> tuple[wire.CompareRow, ...]:
    names = dict.fromkeys(name for table in tables for name in table)
    rows = {name: tuple(table.get(name) for table in tables) for name in names}
    return tuple(
        wire.CompareRow(name=name, values=values, differs=any(value != values[0] for value in values))
        for name, values in rows.items()
    )
