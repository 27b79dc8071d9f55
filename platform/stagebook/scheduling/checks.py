"""Mistakes of schedules that their own file does not show: what they name is not there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from stagebook.errors import Problem, did_you_mean
from stagebook.journal.tick_table import ScheduleKey
from stagebook.pipeline.loader import LoadedPipeline
from stagebook.pipeline.model import Schedule

_Mistake = tuple[str, tuple[Problem, ...]]  # by `pipeline/schedule`


def of_nowhere(loaded: Mapping[str, LoadedPipeline], environments: Collection[str]) -> Iterator[_Mistake]:
    """Schedules of environments that are none of these; they hold up nobody else."""
    for one in loaded.values():
        for schedule in one.pipeline.schedules.values():
            if schedule.env and schedule.env not in environments:
                message = f"the schedule '{schedule.name}' is of the environment '{schedule.env}', which is not declared"
                hint = did_you_mean(schedule.env, environments)
                told = Problem(path=schedule.place, message=message, hint=hint)
                yield f"{one.pipeline.name}/{schedule.name}", (told,)


def without_source(
    schedules: Iterable[tuple[ScheduleKey, Schedule]],
    loaded: Mapping[str, LoadedPipeline],
    connections: Collection[str] | None,
) -> Iterator[_Mistake]:
    """Schedules that wait for what no pipeline makes, or for files behind a connection that is none of these; `None`: nobody knows
    which there are."""
    made = [
        f"{one.pipeline.name}.{stage.name}.{output}"
        for one in loaded.values()
        for stage in one.pipeline.stages.values()
        for output in stage.outputs
    ]
    broken = {one.pipeline.name for one in loaded.values() if one.problems}
    for key, schedule in schedules:
        told = [
            Problem(
                path=schedule.place,
                message=f"the schedule '{schedule.name}' waits for '{dataset}', which no pipeline makes",
                hint=did_you_mean(name, made),
            )
            for dataset in schedule.on
            if (name := _whole(dataset)) not in made and dataset.partition(".")[0] not in broken
        ]
        connection = schedule.files.partition(":")[0]
        if schedule.files and connections is not None and connection not in connections:
            message = f"the schedule '{schedule.name}' waits for files behind '{connection}', and there is no such connection"
            hint = did_you_mean(connection, connections) or "declare it in connections.toml"
            told.append(Problem(path=schedule.place, message=message, hint=hint))
        if told:
            yield str(key), tuple(told)


def _whole(dataset: str) -> str:
    """A dataset of an instance, as that of its stage."""
    head, _, output = dataset.rpartition(".")
    return f"{head.partition('@')[0]}.{output}"


def twice(own: Mapping[str, Schedule], added: Mapping[str, Schedule]) -> Iterator[Problem]:
    """The schedules of one name, in a pipeline file and in the settings of the environment."""
    for name in sorted(own.keys() & added.keys()):
        message = f"the schedule '{name}' is declared twice, here and in {added[name].place}"
        yield Problem(path=own[name].place, message=message, hint="give one of them another name")
