"""What a stage was observed to read and write, held against what the pipeline declares of it.

Not every read is seen (docs/observed.md), and a false alarm is worse than a missed one: where it is not
certain, nothing is found.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from stagebook.observed import Observed
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.planning.connections import read_through
from stagebook.planning.plan import PlannedStage
from stagebook.system.logins import looks_secret
from stagebook.workspace.dependencies import ProjectDependencies
from stagebook.workspace.paths import folders_around

_NAMED = 3  # files of one folder that a message names one by one


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Paths that were read or written and are not declared; names of inputs that were never read."""

    undeclared_reads: tuple[str, ...] = ()
    undeclared_writes: tuple[str, ...] = ()
    unread_inputs: tuple[str, ...] = ()


def compare(
    stage: PlannedStage,
    observed: Observed | None,
    *,
    code: Collection[str] = (),
    names: Collection[str] | None = None,
) -> Findings:
    """Compare what was observed with the declared inputs and outputs.

    Args:
        stage: what is declared. A folder covers all that is in it.
        observed: None if nothing was observed, and then nothing is found. What was `declared` at that time was
            expected, though other parameters declare something else.
        code: the files that the notebook's code consists of. The notebook need not be among them.
        names: the variables that the notebook's cells use; None if they are not known. An input whose
            name is used counts as read, since not every read is seen.
    """
    if observed is None:
        return Findings()
    reads, writes = observed.reads, observed.writes
    inputs = {*(path for item in stage.inputs.values() for path in item.paths), *observed.inputs}
    outputs = {*(item.path for item in stage.outputs.values()), *observed.outputs}
    known = {*inputs, *outputs, *writes, *code, stage.path, stage.notebook}
    # A listing of the folder that a declared file is in; what else was read of it shows by itself.
    around = {".", *(folder for path in known for folder in folders_around(path))}
    return Findings(
        undeclared_reads=tuple(path for path in reads if path not in around and not _is_covered(path, known)),
        undeclared_writes=tuple(path for path in writes if not _is_covered(path, outputs)),
        unread_inputs=tuple(
            name
            for name in _unread(stage, {*reads, *writes}, names, complete=not observed.left_out)
            if not observed.inputs or {*stage.inputs[name].paths} & {*observed.inputs}
        ),
    )


def _unread(
    stage: PlannedStage, used: Collection[str], names: Collection[str] | None, *, complete: bool
) -> tuple[str, ...]:
    if names is None or not complete:
        return ()
    touched = {".", *used, *(folder for path in used for folder in folders_around(path))}
    return tuple(
        name
        for name, item in stage.inputs.items()
        if item.is_passed
        and name not in names
        and not any(path in touched or _is_covered(path, used) for path in item.paths)
    )


def _is_covered(path: str, by: Collection[str]) -> bool:
    """Whether it is one of these paths, or in a folder that is."""
    return path in by or "." in by or any(folder in by for folder in folders_around(path))


# -- what it was, and whether it is so still ------------------------------------------------------

MAX_MARKED = 1_000  # paths of an attempt
MAX_READ = 256_000_000  # bytes that are read for their marks
# Environment variables that most results do not depend on, though much code asks for them.
_OF_THE_MACHINE = frozenset(
    {"HOME", "PATH", "USER", "LOGNAME", "USERNAME", "PWD", "SHELL", "TERM", "TMPDIR", "TMP", "TEMP", "HOSTNAME",
     "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX", "DISPLAY", "COLUMNS", "LINES"}
)  # fmt: skip
_OURS = ("STAGEBOOK_", "MLFLOW_")


def variables_of(stage: PlannedStage, read: Collection[str]) -> list[str]:
    """Of the environment variables that the code of a stage reads, those that it does not declare. Secrets are left
    out: they open what is read, and are not what is read."""
    return [
        name
        for name in sorted(read)
        if name not in stage.env
        and name not in stage.variables
        and name not in _OF_THE_MACHINE
        and not name.startswith(_OURS)
        and not looks_secret(name)
    ]


def marks(
    stage: PlannedStage, observed: Observed | None, dependencies: ProjectDependencies
) -> dict[str, Any]:
    """What an attempt that just completed read and wrote undeclared, as `events.AttemptEnded.undeclared`."""
    try:
        code = dependencies.code(stage.notebook, stage.runs_in, stage.folder)
    except NotebookUnreadable:
        return {}
    paths = [item.path for item in (*code.modules, *code.files)] + read_through(stage, dependencies.workspace)
    found = compare(stage, observed, code=paths)
    reads: dict[str, str] = {}
    left = MAX_READ
    for path in found.undeclared_reads[:MAX_MARKED]:
        if mark := dependencies.marks.of(path, most=left):
            reads[path] = mark
            left -= dependencies.marks.size(path) if mark.startswith("sha256 ") else 0
    env = {name: dependencies.env_mark(name) for name in variables_of(stage, code.variables)}
    made = {"reads": reads, "writes": list(found.undeclared_writes[:MAX_MARKED]), "env": env}
    return {kind: values for kind, values in made.items() if values}


def what_changed(undeclared: Mapping[str, Any], dependencies: ProjectDependencies) -> str:
    """What is not as it was of what an attempt read and wrote undeclared, for a person; empty if all is. It goes on
    from "nothing declared changed"."""
    changed: list[str] = []
    gone: list[str] = []
    for path, mark in undeclared.get("reads", {}).items():
        if not dependencies.marks.fits(path, mark):
            (changed if dependencies.workspace.exists(path) else gone).append(path)
    changed += [
        f"the environment variable {name}"
        for name, mark in undeclared.get("env", {}).items()
        if dependencies.env_mark(name) != mark
    ]
    lost = [path for path in undeclared.get("writes", ()) if not dependencies.workspace.exists(path)]
    told = ((changed, "reads", "did"), (gone, "reads", "is gone"), (lost, "writes", "is gone"))
    return "; ".join(
        f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}, which it {verb} undeclared, {how}"
        for names, verb, how in told
        if names
    )


# -- for a person ---------------------------------------------------------------------------------


def messages(findings: Findings, stage: PlannedStage) -> list[str]:
    """What was found, a line each."""
    lines = [
        f"{stage.id} reads {what}, which {verb} not declared: changes of {it} go unnoticed"
        for what, verb, it in _grouped(findings.undeclared_reads)
    ]
    lines += [
        f"{stage.id} writes {what}, which {verb} not declared: no stage can refer to {it}, and a failed "
        f"run may leave {it} half-written"
        for what, verb, it in _grouped(findings.undeclared_writes)
    ]
    for name in findings.unread_inputs:
        paths = stage.inputs[name].paths
        shown = paths[0] if len(paths) == 1 else f"{len(paths)} files"
        lines.append(
            f"{stage.id} does not use its input '{name}' ({shown}): changes of it run the stage for nothing"
        )
    return lines


def _grouped(paths: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """The paths, those of one folder together where there are many."""
    by_folder: dict[str, list[str]] = {}
    for path in paths:
        by_folder.setdefault(path.rpartition("/")[0], []).append(path)
    for folder, inside in by_folder.items():
        if len(inside) <= _NAMED:
            yield from ((path, "is", "it") for path in inside)
        else:
            yield f"{len(inside)} files in {folder or 'the project folder'}", "are", "them"


def refusal(stage: PlannedStage, observed: Observed | None, code: Collection[str] = ()) -> str:
    """Why a strict stage fails: what it read that is not declared; empty if it may be published."""
    if not stage.strict:
        return ""
    reads = compare(stage, observed, code=code).undeclared_reads
    if not reads:
        return ""
    shown = ", ".join(what for what, _, _ in _grouped(reads))
    return f"it is strict, and reads what is not declared as an input: {shown}"
