"""What is measured, by which figures, and what the figures are held against."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from benchmarks.contenders import Contender, Sample
from benchmarks.measure import LIMIT
from benchmarks.meshes import Mesh
from benchmarks.reusing import Reuser
from benchmarks.workloads import (
    BUSY,
    Workload,
    busy_fan,
    count_displays,
    flood,
    many_displays,
    many_outputs,
    no_ops,
    pandas_chain,
)

PAPERMILL = "papermill"
SAVES_OFF = "papermill, saves off"
SERIAL = "Ploomber, Serial"
PARALLEL = "Ploomber, Parallel"
KERNEL = "Stagebook, kernel"
INPROCESS = "Stagebook, inprocess"
TRACKED = "Stagebook, kernel, with MLflow"
AT_TERMINAL = "Stagebook, kernel, with MLflow, on a terminal"

DISPLAYS = 20_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number taken of each sample. With `base` it is also shown as a ratio to that contender's of the
    same round; with `against`, as a ratio of that contender's to it. `digits` after the point, in `unit`."""

    title: str
    unit: str
    value: Callable[[Sample], float]
    digits: int = 2
    base: str | None = None
    against: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a contender's figure has to keep: the median of its ratios to the figure's base at most the
    limit, or the median of the figure itself, or the figure `at most` or `at least` the limit in every
    round."""

    text: str
    figure: str
    contender: str
    kind: Literal["median ratio", "median", "at most", "at least"]
    limit: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A contender in a case. `note` says where its workload is not that of the others."""

    contender: Contender
    workload: Workload
    note: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LastingEntry:
    """A contender in a case in which its project stays for all rounds. It is brought up with these values
    of the parameter `x`, and then asked for one after the other; with no value, it plans what it has
    never done. `in_copy`: each time in a new copy of the project. A command that takes longer than
    `limit` seconds is killed, and not tried again."""

    contender: Reuser
    mesh: Mesh
    values: Sequence[int] = (1,)
    in_copy: bool = False
    limit: float = LIMIT
    most_rounds: int | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Contenders that execute the same thing. `letter` selects it on the command line; `most_rounds`
    is for what takes long and hardly varies; `absent` says why other contenders are not in it."""

    letter: str
    title: str
    entries: Sequence[Entry] | Sequence[LastingEntry]
    figures: Sequence[Figure]
    budgets: Sequence[Budget] = ()
    watch_memory: bool = False
    most_rounds: int | None = None
    absent: Mapping[str, str] = dataclasses.field(default_factory=dict)


def make_cases(contenders: Sequence[Contender], *, quick: bool) -> list[Case]:
    """All cases. Quick ones do less of what takes long; their figures are not for the record."""
    known = {contender.name: contender for contender in contenders}

    def of(workload: Workload, *names: str) -> list[Entry]:
        return [Entry(contender=known[name], workload=workload) for name in names]

    return [
        _overhead(of(no_ops(4 if quick else 10), PAPERMILL, KERNEL, INPROCESS)),
        _one_stage(of(no_ops(1), PAPERMILL, SERIAL, KERNEL, INPROCESS)),
        _chain(
            of(
                pandas_chain(3 if quick else 10),
                PAPERMILL,
                SERIAL,
                PARALLEL,
                KERNEL,
                INPROCESS,
                TRACKED,
                AT_TERMINAL,
            )
        ),
        _fan(
            of(
                busy_fan(4 if quick else 8, _turns_of_one_second(), jobs=2),
                *(PAPERMILL, SERIAL, PARALLEL, KERNEL, INPROCESS),
            )
        ),
        _saves(
            of(many_outputs(50 if quick else 200, lines=500), PAPERMILL, SAVES_OFF, KERNEL, INPROCESS),
        ),
        _displays(of(many_displays(DISPLAYS), PAPERMILL, KERNEL, INPROCESS)),
        _flood(known, papermill=20 if quick else 200, ours=100 if quick else 1000),
    ]


# -- the cases --------------------------------------------------------------------------------------


def _overhead(entries: list[Entry]) -> Case:
    count = len(entries[0].workload.steps)
    figure = Figure(
        title="a no-op notebook, in a process that is up",
        unit="s",
        value=_later_calls,
        digits=3,
        base=PAPERMILL,
    )
    return Case(
        letter="a",
        title=f"Overhead: a no-op notebook, {count} of them in a row, the first left out",
        entries=entries,
        figures=[figure],
        budgets=[
            Budget(
                text="overhead of a no-op stage, `kernel`, ÷ `papermill.execute_notebook`",
                figure=figure.title,
                contender=KERNEL,
                kind="median ratio",
                limit=0.20,
            ),
            Budget(
                text="overhead of a no-op stage, `inprocess`, ÷ `papermill.execute_notebook`",
                figure=figure.title,
                contender=INPROCESS,
                kind="median ratio",
                limit=0.08,
            ),
        ],
    )


def _one_stage(entries: list[Entry]) -> Case:
    return Case(
        letter="a",
        title="One no-op notebook, from the start of the command to its end",
        entries=entries,
        figures=[Figure(title="whole process", unit="s", value=wall, base=PAPERMILL)],
    )


def _chain(entries: list[Entry]) -> Case:
    count = len(entries[0].workload.steps)
    return Case(
        letter="b",
        title=f"A chain of {count} small pandas notebooks",
        entries=entries,
        figures=[Figure(title="whole process", unit="s", value=wall, base=PAPERMILL)],
        budgets=[
            Budget(
                text=f"whole process, a chain of {count}, {what}, ÷ the same in one papermill loop",
                figure="whole process",
                contender=name,
                kind="median ratio",
                limit=0.25,
            )
            for name, what in ((KERNEL, "`kernel`"), (AT_TERMINAL, "with MLflow, on a terminal"))
        ],
    )


def _fan(entries: list[Entry]) -> Case:
    count = len(entries[0].workload.steps)
    return Case(
        letter="c",
        title=f"A fan of {count} notebooks of about one CPU second each, two at a time",
        entries=entries,
        figures=[Figure(title="whole process", unit="s", value=wall, base=PAPERMILL)],
    )


def _saves(entries: list[Entry]) -> Case:
    count = len(entries[0].workload.steps[0].cells)
    return Case(
        letter="d",
        title=f"{count} cells that print 50 kB each",
        entries=entries,
        figures=[
            Figure(title="CPU, all processes", unit="s", value=lambda s: s.measured.cpu, base=SAVES_OFF),
            Figure(title="whole process", unit="s", value=wall, base=SAVES_OFF),
        ],
        budgets=[
            Budget(
                text=f"CPU, {count} cells of 50 kB, `{name}`, ÷ papermill that does not save",
                figure="CPU, all processes",
                contender=contender,
                kind="median ratio",
                limit=2.0,
            )
            for name, contender in (("kernel", KERNEL), ("inprocess", INPROCESS))
        ],
    )


def _displays(entries: list[Entry]) -> Case:
    kept = "displays in the executed notebook"
    both = (("kernel", KERNEL), ("inprocess", INPROCESS))
    return Case(
        letter="e",
        title=f"One cell that calls `display()` {DISPLAYS:,} times",
        entries=entries,
        figures=[
            Figure(title="whole process", unit="s", value=wall, base=PAPERMILL),
            Figure(title=kept, unit="", value=lambda s: count_displays(s.notebooks[0]), digits=0),
        ],
        budgets=[
            *(
                Budget(
                    text=f"displays that arrive, of {DISPLAYS:,}, `{name}`",
                    figure=kept,
                    contender=contender,
                    kind="at least",
                    limit=DISPLAYS,
                )
                for name, contender in both
            ),
            *(
                Budget(
                    text=f"whole process, {DISPLAYS:,} displays, `{name}`, ÷ papermill",
                    figure="whole process",
                    contender=contender,
                    kind="median ratio",
                    limit=1.0,
                )
                for name, contender in both
            ),
        ],
    )


def _flood(known: dict[str, Contender], *, papermill: int, ours: int) -> Case:
    peak = "peak memory of the process that executes the notebook"
    entries = [Entry(contender=known[PAPERMILL], workload=flood(papermill), note=f"{papermill} MB printed")]
    entries += [
        Entry(contender=known[name], workload=flood(ours), note=f"{ours} MB printed")
        for name in (KERNEL, INPROCESS)
    ]
    return Case(
        letter="f",
        title=f"One cell that prints {ours} MB (papermill: {papermill} MB)",
        entries=entries,
        figures=[
            Figure(title=peak, unit="MB", value=lambda s: _peak_of(s, "worker"), digits=0),
            Figure(
                title="peak memory of the process that runs the cells",
                unit="MB",
                value=lambda s: max(_peak_of(s, "kernel"), _peak_of(s, "cells")),
                digits=0,
            ),
            Figure(title="whole process", unit="s", value=wall),
        ],
        budgets=[
            Budget(
                text=f"peak memory of the worker, {ours} MB printed, `{name}`, MB",
                figure=peak,
                contender=contender,
                kind="at most",
                limit=300,
            )
            for name, contender in (("kernel", KERNEL), ("inprocess", INPROCESS))
        ],
        watch_memory=True,
        most_rounds=3,
    )


# -- figures ----------------------------------------------------------------------------------------


def wall(sample: Sample) -> float:
    """Seconds from the start of the command to its end."""
    return sample.measured.wall


def _later_calls(sample: Sample) -> float:
    """The first call loads what the later ones find loaded."""
    return statistics.median(sample.calls[1:])


def _peak_of(sample: Sample, role: str) -> float:
    """In MB of 10⁶ bytes; 0 if there was no such process."""
    return sample.measured.peaks.get(role, 0) / 1e6


def _turns_of_one_second() -> int:
    """How often the loop of the busy notebooks turns in a second of this machine: the work is fixed
    once and the same for all, so that what slows a contender down shows."""
    scope: dict[str, Callable[[int], int]] = {}
    exec(BUSY, scope)
    probe = 2_000_000
    took = []
    for _ in range(3):
        began = time.process_time()
        scope["work"](probe)
        took.append(time.process_time() - began)
    return round(probe / min(took))
