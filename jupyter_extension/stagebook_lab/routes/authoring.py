"""Routes about what is written: stages that are added to a pipeline file, and what they get from each other."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from stagebook.errors import PipelineInvalid, Problem, StagebookError, StageRefused
from stagebook.notebook.add_stage import (
    Added,
    Wiring,
    add_stage,
    connect,
    offers_of,
    parameters_of,
    wiring_of,
)
from stagebook.pipeline.loader import LoadedPipeline, load_pipeline
from stagebook.pipeline.schema import json_schema
from stagebook.planning.intervals import place_of_interval
from stagebook.planning.planner import Planner
from stagebook.project import Project
from stagebook.system.files import walk
from stagebook_lab import wire
from stagebook_lab.params import FieldsWrong
from stagebook_lab.present import Paths, problems_of, wire_value
from stagebook_lab.routes.handler import Handler, executes, reads

MOST_NOTEBOOKS = 500  # that a form offers
NOTEBOOKS = "notebooks"
T = TypeVar("T")


class StagesHandler(Handler):
    """`GET stages?project=&pipeline=&notebook=` and `POST stages`."""

    @reads
    async def get(self) -> None:
        """What a new stage can be made of."""

        def work(project: Project, paths: Paths) -> wire.StageFormReply:
            pipeline = project.catalog.load(self.text("pipeline")).pipeline
            notebook = paths.inside(self.text("notebook"))
            names = _told(lambda: parameters_of(project, notebook)) if notebook else ()
            return wire.StageFormReply(
                offers=offers_of(pipeline),
                notebooks=tuple(map(paths.of, itertools.islice(_notebooks(project), MOST_NOTEBOOKS))),
                parameters=names,
                wiring=wire_value(wire.StageWiring, wiring_of(pipeline, names)),
            )

        await self.answer_about(work)

    @executes
    async def post(self) -> None:
        """Add a stage to a pipeline file, or say what would be added."""

        def work(project: Project, paths: Paths, request: wire.NewStageRequest) -> wire.NewStageReply:
            wiring = None if request.wiring is None else wire_value(Wiring, request.wiring)
            notebook = paths.inside(request.notebook)
            added = _told(
                lambda: add_stage(
                    project, request.pipeline, request.name, notebook, wiring, write=not request.preview
                )
            )
            return _reply(paths, added)

        await self.post_about(wire.NewStageRequest, work)


class InputsHandler(Handler):
    """`POST stages/inputs`."""

    @executes
    async def post(self) -> None:
        """Make an output of one stage an input of another, or say what would be added."""

        def work(project: Project, paths: Paths, request: wire.ConnectRequest) -> wire.NewStageReply:
            added = _told(
                lambda: connect(
                    project,
                    request.pipeline,
                    request.source,
                    request.stage,
                    None if request.alone else request.name,
                    write=not request.preview,
                )
            )
            return _reply(paths, added)

        await self.post_about(wire.ConnectRequest, work)


class SchemaHandler(Handler):
    """`GET schema`."""

    @reads
    async def get(self) -> None:
        """The JSON Schema of a pipeline file, with the meaning of each key."""
        await self.answer(json_schema)


class CheckHandler(Handler):
    """`POST check`."""

    @executes
    async def post(self) -> None:
        """What is wrong with the text of a pipeline file. Nothing is written."""
        self.only_watch()

        def work(project: Project, paths: Paths, request: wire.CheckRequest) -> wire.CheckReply:
            loaded = load_pipeline(request.text, paths.inside(request.path))
            pipeline = loaded.pipeline
            return wire.CheckReply(
                problems=problems_of(paths, _problems(project, loaded)),
                stages=(*pipeline.stages, *sorted(pipeline.broken - pipeline.stages.keys())),
                offers=offers_of(pipeline),
                params=tuple(pipeline.params),
            )

        await self.post_about(wire.CheckRequest, work)


def _problems(project: Project, loaded: LoadedPipeline) -> Sequence[Problem]:
    """The mistakes that the text shows; and those that the notebooks show, where they can be known without the parameters and the
    interval of a run."""
    pipeline = loaded.pipeline
    if any(param.required for param in pipeline.params.values()) or place_of_interval(pipeline) is not None:
        return loaded.problems
    params = {name: param.default for name, param in pipeline.params.items()}
    try:
        workspace = project.dependencies.workspace
        Planner(pipeline, params, workspace, env=os.environ, problems=loaded.problems).plan()
    except PipelineInvalid as error:
        return error.problems
    except StagebookError:
        return loaded.problems
    return ()


def _told(work: Callable[[], T]) -> T:
    """The result of `work`; what is refused because of a field is told at that field."""
    try:
        return work()
    except StageRefused as error:
        text = f"{error.message}; {error.hint}" if error.hint else error.message
        raise FieldsWrong(error.message, {error.field: text}) from error


def _reply(paths: Paths, added: Added) -> wire.NewStageReply:
    path, notebook = paths.of(added.path), paths.of(added.notebook)
    return wire_value(wire.NewStageReply, added, path=path, notebook=notebook)


def _notebooks(project: Project) -> Iterator[str]:
    folder = project.root / NOTEBOOKS
    if folder.is_dir():
        for name, _, _ in walk(folder):
            if name.endswith(".ipynb") and "/." not in f"/{name}":
                yield f"{NOTEBOOKS}/{name}"


ROUTES: tuple[tuple[str, type[Handler]], ...] = (
    ("stages", StagesHandler),
    ("stages/inputs", InputsHandler),
    ("schema", SchemaHandler),
    ("check", CheckHandler),
)
