"""The attempts of a run: how one is put together, and those that go on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from stagebook.errors import StageFailure
from stagebook.execution.attempt import (
    OUTPUTS_FOLDER,
    TABLES_FOLDER,
    Attempt,
    ColumnMark,
    Given,
    OutputContract,
    OutputSlot,
    TableSlot,
)
from stagebook.execution.engine.protocol import Engine
from stagebook.execution.runner.context import RunContext, RunOptions
from stagebook.pipeline.types import Value
from stagebook.planning.plan import News, Plan, PlannedStage
from stagebook.planning.result import Result
from stagebook.system import delta_log
from stagebook.system.secret_sources import names_in, source_of, variables_of


def attempt_at(  # noqa: PLR0913 - what a stage is given comes from as many places
    stage: PlannedStage,
    number: int,
    *,
    plan: Plan,
    context: RunContext,
    options: RunOptions,
    values: tuple[Mapping[str, Value], Mapping[str, Value]],
    related: Mapping[str, Mapping[str, str]],
) -> Attempt:
    """An attempt at a stage; `values` are its parameters and its inputs, `related` is as in `Execute`. Raises
    `NotebookUnreadable`."""
    params, inputs = values
    variables = context.variables(stage)
    named = [name for text in variables.values() for name in names_in(text)]
    folder = context.attempt_folder(stage.id, number)
    return Attempt(
        run=options.run_id,
        pipeline=plan.pipeline,
        stage=stage.id,
        number=number,
        root=str(context.root),
        folder=str(folder),
        notebook=stage.path,
        program=str(stage.program or ""),
        executable=str(context.executable(stage.notebook)),
        params=params,
        types=stage.types,
        inputs=inputs,
        outputs=_slots(stage, f"{context.shown(folder)}/{OUTPUTS_FOLDER}", plan.pipeline, context),
        contracts=_contracts(stage, related),
        workdir=stage.folder,
        kernel=stage.kernel,
        executor=stage.executor,
        timeout=stage.timeout,
        grace=options.grace,
        store=str(context.store.folder) if context.store is not None else "",
        store_most=options.store_most,
        keep_dump=options.keep_dump,
        # Of several attempts the last one's kernel is kept: the stage failed with that one.
        keep_kernel=options.keep_kernel and number > stage.retries,
        variables=variables,
        secrets={name: source_of(name, context.secrets) for name in named},
        hidden=sorted(variables_of(context.secrets.values()) - {*stage.env}),
        inputs_as={
            name: item.variable for name, item in stage.inputs.items() if item.variable not in {None, (name,)}
        },
    )


def with_given(attempt: Attempt, result: Result | None) -> Attempt:
    """The attempt, or one that audits and publishes what an earlier result left."""
    if result is None:
        return attempt
    outputs = {name: item for name, item in result.whole.items() if name in attempt.outputs}
    given = Given(outputs=outputs, scraps=result.scraps, folder=result.folder)
    before = f"{result.run}/{result.stage}/{result.attempt}"
    slots = {name: slot.instead_of(before) for name, slot in attempt.outputs.items()}
    return dataclasses.replace(attempt, given=given, outputs=slots)


def with_news(attempt: Attempt, stage: PlannedStage, news: News | None) -> Attempt:
    """The attempt at a stage with a bookmark: its rows take the place of those that were taken back, and of a column its
    largest value is asked for."""
    bookmark = stage.bookmark
    if news is None or bookmark is None:
        return attempt
    slots = dict(attempt.outputs)
    for taken_back in news.again:
        slots = {name: slot.instead_of(taken_back) for name, slot in slots.items()}
    mark = None
    if not bookmark.input:
        before = news.params.get(bookmark.param)
        mark = ColumnMark(output=bookmark.output, column=bookmark.column, before=before, place=bookmark.place)
    return dataclasses.replace(attempt, outputs=slots, mark=mark)


def _contracts(stage: PlannedStage, contents: Mapping[str, Mapping[str, str]]) -> dict[str, OutputContract]:
    return {
        name: OutputContract(
            path=output.contract.path,
            text=output.contract.source,
            related=output.related,
            released=output.contract.released,
            contents=contents.get(name, {}),
        )
        for name, output in stage.outputs.items()
        if output.contract is not None
    }


def _slots(stage: PlannedStage, folder: str, pipeline: str, context: RunContext) -> dict[str, OutputSlot]:
    slots = {}
    for name, output in stage.outputs.items():
        last = output.path.rsplit("/", maxsplit=1)[-1]
        is_there = output.kind == "external" or output.is_in_place
        staged = output.path if is_there else f"{folder}/{name}/{last}"
        table = None
        if output.delta is not None:
            adds = output.delta.mode == "append"  # the other modes come to the same when they are done twice
            begun = _unfinished(context, output.path, (pipeline, stage.id, name)) if adds else ()
            ready = f"{folder}/{TABLES_FOLDER}/{name}"
            table = TableSlot(options=output.delta, ready=ready, place=output.place, replaces=begun)
        slots[name] = OutputSlot(
            path=output.path,
            staged=staged,
            kind=output.kind,
            table=table,
            variable=output.variable,
            is_folder=output.is_folder,
            code=output.code,
        )
    return slots


def _unfinished(context: RunContext, path: str, dataset: tuple[str, str, str]) -> tuple[str, ...]:
    """The attempt that published the latest version of a dataset, if the journal does not have that it completed, since its
    runner was killed: then it is as if it had not been."""
    for _, note in delta_log.notes(context.root / path):
        if (note.get("pipeline"), note.get("stage"), note.get("output")) == dataset:
            run, number = note.get("run"), note.get("attempt")
            if (
                isinstance(run, str)
                and isinstance(number, int)
                and context.unfinished(run, dataset[1], number)
            ):
                return (f"{run}/{dataset[1]}/{number}",)
            break
    return ()


class Attempts:
    """The attempts that were begun and have not ended, by stage. One may wait for its environment, such as
    the id of its MLflow run, before the engine gets it."""

    def __init__(self, engine: Engine, context: RunContext) -> None:
        self._engine = engine
        self._prepare = context.prepare
        self._all: dict[str, Attempt] = {}
        self._waiting: dict[str, PlannedStage] = {}

    @property
    def are_waiting(self) -> bool:
        """Whether any waits for its environment."""
        return bool(self._waiting)

    def add(self, stage: PlannedStage, attempt: Attempt) -> None:
        """Add one, which waits."""
        self._all[stage.id] = attempt
        self._waiting[stage.id] = stage

    def start_prepared(
        self, begin: Callable[[Attempt], StageFailure | None]
    ) -> list[tuple[Attempt, StageFailure]]:
        """Start those whose environment is known now, and which `begin` makes ready; those that it could not, and why."""
        failed = []
        for name, stage in list(self._waiting.items()):
            attempt = self._all[name]
            more = self._prepare(stage, attempt.number)
            if more is not None:
                del self._waiting[name]
                if failure := begin(attempt):
                    failed.append((attempt, failure))
                else:
                    self._engine.start(dataclasses.replace(attempt, env={**attempt.env, **more}))
        return failed

    def find(self, stage: str, number: int) -> Attempt | None:
        """One that goes on; `None` if it has ended, which an engine may not know yet."""
        attempt = self._all.get(stage)
        return attempt if attempt is not None and attempt.number == number else None

    def remove(self, stage: str) -> None:
        """Forget one: it ended, if there was one."""
        self._all.pop(stage, None)
        self._waiting.pop(stage, None)

    def cancel(self, stage: str) -> Attempt | None:
        """Ask one to end. It is returned if the engine never got it, so that its end is not reported."""
        if stage in self._waiting:
            return self._all[stage]
        self._engine.cancel(stage)
        return None

    def force(self) -> None:
        """End all that the engine has, by force."""
        for stage in list(self._all):
            self._engine.cancel(stage, now=True)
