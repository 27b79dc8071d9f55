"""What is measured of results that are there already."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from benchmarks.cases import Budget, Case, Figure, LastingEntry, wall
from benchmarks.contenders import Sample
from benchmarks.meshes import Mesh, mesh
from benchmarks.reusing import Reuser

STAGEBOOK = "Stagebook"
TRACKED = "Stagebook, with MLflow"
DVC = "DVC"
SNAKEMAKE = "Snakemake"
CACHED = "Snakemake, --cache"
PLOOMBER = "Ploomber"

PATIENCE = 180.0  # seconds that the plan of a peer may take

_WHOLE = Figure(title="whole process", unit="s", value=wall, against=STAGEBOOK)


def make_reuse_cases(reusers: Sequence[Reuser], *, quick: bool) -> list[Case]:
    """All of them. Quick ones are smaller; their figures are not for the record."""
    known = {reuser.name: reuser for reuser in reusers}

    def of(wanted: Mesh, *names: str) -> list[LastingEntry]:
        return [LastingEntry(contender=known[name], mesh=wanted) for name in names]

    small = mesh(4, 4) if quick else mesh(10, 9)
    large = mesh(4, 4, 5) if quick else mesh(10, 9, 10)
    huge = mesh(4, 4, 10) if quick else mesh(10, 9, 100)
    return [
        _nothing_changed("g", of(small, STAGEBOOK, TRACKED, DVC, SNAKEMAKE, PLOOMBER), limit=1.0),
        _in_a_copy(of(small, STAGEBOOK, DVC, SNAKEMAKE)),
        _nothing_changed("h", of(large, STAGEBOOK, DVC, SNAKEMAKE, PLOOMBER), limit=2.5),
        _plan(of(huge, STAGEBOOK, DVC, SNAKEMAKE)),
        _set_back(of(small, STAGEBOOK, DVC, CACHED)),
    ]


def _nothing_changed(letter: str, entries: list[LastingEntry], *, limit: float) -> Case:
    count = f"{len(entries[0].mesh):,}"
    few = [dataclasses.replace(entry, most_rounds=3) for entry in entries if entry.contender.name == PLOOMBER]
    return Case(
        letter=letter,
        title=f"Nothing changed: {count} stages that are all done",
        entries=[entry for entry in entries if entry.contender.name != PLOOMBER] + few,
        figures=[_WHOLE],
        budgets=[
            Budget(
                text=f"whole process, nothing changed, {count} stages, s",
                figure=_WHOLE.title,
                contender=STAGEBOOK,
                kind="median",
                limit=limit,
            )
        ],
    )


def _in_a_copy(entries: list[LastingEntry]) -> Case:
    return Case(
        letter="g",
        title=f"The same {len(entries[0].mesh):,} stages, the first time in a copy of the project",
        entries=[dataclasses.replace(entry, in_copy=True) for entry in entries],
        figures=[_WHOLE],
        most_rounds=3,
    )


def _plan(entries: list[LastingEntry]) -> Case:
    count = f"{len(entries[0].mesh):,}"
    peak = Figure(title="peak memory of a process", unit="MB", value=_highest_peak, digits=0)
    return Case(
        letter="i",
        title=f"What would be done: {count} stages, none of them done",
        entries=[dataclasses.replace(entry, values=(), limit=PATIENCE) for entry in entries],
        figures=[_WHOLE, peak],
        budgets=[
            Budget(
                text=f"whole process, the plan of {count} stages, s",
                figure=_WHOLE.title,
                contender=STAGEBOOK,
                kind="median",
                limit=10.0,
            ),
            Budget(
                text=f"peak memory, the plan of {count} stages, MB",
                figure=peak.title,
                contender=STAGEBOOK,
                kind="at most",
                limit=500,
            ),
        ],
        watch_memory=True,
        most_rounds=3,
    )


def _set_back(entries: list[LastingEntry]) -> Case:
    count = f"{len(entries[0].mesh):,}"
    again = "keeps no results of other parameters: it runs all stages again"
    return Case(
        letter="j",
        title=f"A parameter set back to a value that it had before: {count} stages",
        entries=[dataclasses.replace(entry, values=(1, 2)) for entry in entries],
        figures=[_WHOLE],
        budgets=[
            Budget(
                text=f"whole process, {count} outputs of an earlier parameter put back, s",
                figure=_WHOLE.title,
                contender=STAGEBOOK,
                kind="median",
                limit=2.0,
            )
        ],
        most_rounds=3,
        absent={f"{SNAKEMAKE} without its cache": again, PLOOMBER: again},
    )


def _highest_peak(sample: Sample) -> float:
    """In MB of 10⁶ bytes."""
    return max(sample.measured.peaks.values()) / 1e6
