"""The tools whose pipelines can be taken over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from stagebook.errors import Problem
from stagebook.importing.airflow import read_airflow
from stagebook.importing.draft import Draft
from stagebook.importing.dvc import read_dvc
from stagebook.importing.elyra import read_elyra
from stagebook.importing.order import cycle_of
from stagebook.importing.papermill import read_papermill
from stagebook.importing.ploomber import read_ploomber
from stagebook.importing.source import Source
from stagebook.workspace.workspace import Workspace

TOOLS: Mapping[str, Callable[[Source], Draft | None]] = {
    "ploomber": read_ploomber,
    "elyra": read_elyra,
    "dvc": read_dvc,
    "papermill": read_papermill,
    "airflow": read_airflow,
}


def take_over(tool: str, workspace: Workspace, path: str) -> tuple[Draft | None, Sequence[Problem]]:
    """The pipeline that a file of a tool holds, and what is wrong with it: with a problem, nothing is to be written.
    `path`: from the root of the project."""
    source = Source(workspace, path)
    draft = TOOLS[tool](source)
    if draft is not None and not source.problems and (cycle := cycle_of(draft)):
        names = " → ".join(stage.name for stage in (*cycle, cycle[0]))
        hint = "each of them waits for the one before it; remove one of these orders"
        source.report(cycle[0].place, f"a cycle: {names}", hint)
    return draft, source.problems
