"""Building projects for tests: notebooks from cells, pipelines from YAML."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from stagebook.errors import PipelineInvalid, Problem
from stagebook.events import Event, Status
from stagebook.pipeline.loader import load_pipeline
from stagebook.planning.plan import Plan
from stagebook.project import Project
from stagebook.runs.run import RunReport
from stagebook.system.files import write_whole


def notebook_data(
    *cells: str, params: str | None = None, kernel: str = "python3", language: str = "python"
) -> dict[str, Any]:
    """A notebook as plain data: a parameters cell if `params` is given, then code cells. A cell
    that starts with `#md` is markdown, one that starts with `#tag NAME` has that tag."""
    made = []
    if params is not None:
        made.append(_cell("code", textwrap.dedent(params).strip(), ["parameters"], 0))
    for at, source in enumerate(cells, start=1):
        text = textwrap.dedent(source).strip()
        if text.startswith("#md"):
            made.append(_cell("markdown", text[3:].strip(), [], at))
        elif text.startswith("#tag "):
            tag, _, text = text[5:].partition("\n")
            made.append(_cell("code", text, [tag.strip()], at))
        else:
            made.append(_cell("code", text, [], at))
    spec = {"name": kernel, "display_name": kernel, "language": language}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}, "cells": made}


def _cell(kind: str, source: str, tags: list[str], at: int) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": f"cell-{at}",
        "metadata": {"tags": tags} if tags else {},
        "source": source,
    }
    if kind == "code":
        cell |= {"outputs": [], "execution_count": None}
    return cell


class ProjectBuilder:
    """Writes the files of a project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._opened: list[Project] = []

    def close(self) -> None:
        """Close all projects that were opened."""
        for project in self._opened:
            project.close()

    def notebook(self, name: str, *cells: str, **options: str | None) -> str:
        """Write `notebooks/NAME.ipynb`, with `options` of `notebook_data`; its path."""
        path = f"notebooks/{name}.ipynb"
        data = notebook_data(*cells, **options)  # type: ignore[arg-type]
        self.file(path, json.dumps(data, indent=1))
        return path

    def pipeline(self, text: str, name: str = "p") -> str:
        """Write `pipelines/NAME.yaml`; its path."""
        path = f"pipelines/{name}.yaml"
        self.file(path, textwrap.dedent(text).lstrip("\n"))
        return path

    def file(self, path: str, text: str | bytes = "") -> Path:
        """Write any file of the project."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)
        return target

    def edit(self, notebook: str, old: str, new: str) -> None:
        """Replace text in the cells of `notebooks/NOTEBOOK.ipynb`, and the whole file at once, as JupyterLab saves it."""
        path = self.root / f"notebooks/{notebook}.ipynb"
        data = json.loads(path.read_text())
        for cell in data["cells"]:
            cell["source"] = "".join(cell["source"]).replace(old, new)
        write_whole(path, json.dumps(data).encode())

    def without_tracking(self) -> None:
        """Switch MLflow off, for tests that are not about it."""
        self.file("stagebook.toml", "[tracking]\nenabled = false\n")

    def events(self, run: str) -> list[Event]:
        """The events of a run, from the journal."""
        return [event for _, event in self.project.journal.events.of(run)]

    def executed(self, run: str, stage: str, attempt: int = 1) -> dict[str, Any]:
        """The executed notebook of an attempt."""
        path = self.root / f".stagebook/runs/{run}/{stage}/{attempt}/notebook.ipynb"
        data: dict[str, Any] = json.loads(path.read_text())
        return data

    def cell_statuses(self, run: str, stage: str, attempt: int = 1) -> list[str]:
        """The statuses of the code cells of an attempt, without the injected one."""
        return [
            cell["metadata"]["papermill"]["status"]
            for cell in self.executed(run, stage, attempt)["cells"]
            if "injected-parameters" not in cell["metadata"].get("tags", [])
        ]

    @property
    def project(self) -> Project:
        """The project, opened anew."""
        project = Project.open(self.root)
        self._opened.append(project)
        return project

    def plan(self, *pairs: str, name: str = "p", **values: Any) -> Plan:
        """The plan of a pipeline with these parameters."""
        return self.project.plan(name, pairs=pairs, values=values)

    def problems(self, text: str | None = None, *pairs: str, name: str = "p") -> list[Problem]:
        """All problems of a pipeline, sorted by place; empty if it has none."""
        if text is not None:
            self.pipeline(text, name)
        try:
            self.plan(*pairs, name=name)
        except PipelineInvalid as error:
            return list(error.problems)
        return []

    def screen(self, text: str | None = None, *pairs: str, name: str = "p") -> str:
        """All problems as a person reads them."""
        return "\n".join(str(problem) for problem in self.problems(text, *pairs, name=name))


def load(text: str, path: str = "pipelines/p.yaml") -> Any:
    """Load a pipeline from text alone."""
    return load_pipeline(textwrap.dedent(text).lstrip("\n"), path)


def ran(report: RunReport) -> list[str]:
    """The stages that were executed."""
    return [stage.id for stage in report.history.stages.values() if stage.status is Status.COMPLETED]
