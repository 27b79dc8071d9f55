"""The other pipelines of a project, as far as one has to stay out of their way: their outputs and notebooks."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stagebook.errors import StagebookError
from stagebook.pipeline.loader import load_pipeline
from stagebook.planning.expansion import Expansion
from stagebook.workspace.catalog import Catalog
from stagebook.workspace.workspace import Workspace

VERSION = 2  # of what is remembered of a pipeline file
PROGRAMS = (".py", ".pyc", ".so", ".pyd", ".ipynb", ".md", ".sh", ".R", ".jl")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """What another pipeline has at a path: a notebook, or with a `stage` an output of that."""

    pipeline: str
    notebook: str
    stage: str = ""
    output: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """The outputs and notebooks of all other pipelines, by their paths."""

    outputs: Mapping[str, Neighbour] = dataclasses.field(default_factory=dict)
    notebooks: Mapping[str, Neighbour] = dataclasses.field(default_factory=dict)

    def paths_of(self, dataset: str) -> tuple[str, ...]:
        """Where a dataset of another pipeline is, by its name `pipeline.stage.output`."""
        return tuple(
            path
            for path, one in self.outputs.items()
            if one.stage and f"{one.pipeline}.{one.stage}.{one.output}" == dataset
        )


def neighbours_of(catalog: Catalog, path: str, workspace: Workspace, env: Mapping[str, str]) -> Neighbours:
    """The neighbours of the pipeline file at `path`. What their files do not tell, such as the items of a list that
    only a run knows, is not known."""
    outputs: dict[str, Neighbour] = {}
    notebooks: dict[str, Neighbour] = {}
    for name in catalog.names():
        with contextlib.suppress(StagebookError, OSError):  # `check` tells of that one by itself
            other = catalog.find(name)
            if other == path:
                continue

            def read(content: bytes, other: str = other) -> dict[str, Any]:
                return _read(content, other, workspace, env)

            file = catalog.root / other
            content = file.read_bytes()
            if b"env" in content:
                found = read(content)  # the environment is no part of the file
            else:
                found = workspace.file_cache.derive(file, f"neighbour-{VERSION}", read)
            for written, (stage, output, notebook) in found["outputs"].items():
                one = Neighbour(pipeline=found["name"], notebook=notebook, stage=stage, output=output)
                outputs.setdefault(written, one)
            for notebook in found["notebooks"]:
                notebooks.setdefault(notebook, Neighbour(pipeline=found["name"], notebook=notebook))
    return Neighbours(outputs=outputs, notebooks=notebooks)


def module_paths(notebook: str, imports: Iterable[str]) -> Iterator[str]:
    """Where a notebook would find the modules that it imports first: in its own folder, and in the project."""
    folder = notebook.rpartition("/")[0]
    for name in {item.partition(".")[0] for item in imports}:
        for around in {"", f"{folder}/" if folder else ""}:
            yield from (f"{around}{name}.py", f"{around}{name}/__init__.py")


def _read(content: bytes, path: str, workspace: Workspace, env: Mapping[str, str]) -> dict[str, Any]:
    pipeline = load_pipeline(content, path).pipeline
    params = {name: param.default for name, param in pipeline.params.items()}
    expansion = Expansion(pipeline, params, workspace, env)
    instances = expansion.expand()
    return {
        "name": pipeline.name,
        "notebooks": sorted({stage.notebook for stage in pipeline.stages.values() if stage.notebook}),
        "outputs": {
            output.path: [instance.stage.name, name, instance.stage.notebook]
            for instance in instances.values()
            for name, output in instance.outputs.items()
            if output.kind != "external"
        },
    }
