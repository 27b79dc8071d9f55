"""A pipeline as its file defines it: frozen values, with their positions in the file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

from stagebook.errors import Problem
from stagebook.pipeline.expressions import Template
from stagebook.pipeline.types import Type, Value, printable
from stagebook.pipeline.workdir import PROJECT
from stagebook.timing.due import CatchUp
from stagebook.timing.expected import Expectations
from stagebook.timing.times import CronTimes, EveryTimes, Times
from stagebook.timing.units import Unit

Location = tuple[str | int, ...]  # the keys that lead to a value, such as ("stages", "clean", "params")
Position = tuple[int, int]  # line and column, from 1; (0, 0) where there is none
Positions = Mapping[Location, Position]
Executor = Literal["kernel", "inprocess"]
Inject = Literal["tagged", "first"]
OutputKind = Literal["file", "external", "delta", "notebook"]
DeltaMode = Literal["overwrite", "append", "merge"]
ProgramKind = Literal["script", "function", "sql", "command"]
Trigger = Literal["all_success", "all_done", "one_failed", "all_failed", "one_success", "none_failed"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A parameter of the pipeline. Without a default it is `required`: every run has to give it."""

    name: str
    type: Type
    default: Value = None
    required: bool = False
    help: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InputRef:
    """The source of an input: `stage.output`, `stage@point.output`, or a file of the project."""

    text: Template
    location: Location


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input of a stage. `many`: the file gives a list, and the notebook gets a list of paths. `variable`: that which
    gets it and the keys within that; the name where `None`, and empty where the notebook gets nothing."""

    name: str
    refs: tuple[InputRef, ...]
    many: bool
    variable: tuple[str, ...] | None = None

    @property
    def passed_as(self) -> tuple[str, ...]:
        """The variable that gets it and the keys within that; empty where none does."""
        return (self.name,) if self.variable is None else self.variable


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeltaOptions:
    """What becomes of a Delta table when a stage wrote rows: they are added (`append`), put in the place of those with the
    same `key` (`merge`), or of all rows (`overwrite`): of the partitions that were written where it is partitioned."""

    mode: DeltaMode = "overwrite"
    partition_by: tuple[str, ...] = ()
    key: tuple[str, ...] = ()

    @property
    def accumulates(self) -> bool:
        """Whether rows of earlier runs stay."""
        return self.mode != "overwrite" or bool(self.partition_by)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One output of a stage: a file or folder of the project, a Delta table in it, `external` (a URL, a table
    elsewhere), or the executed notebook itself, with or without its `code`. `contract` is the path of the file that says what
    must hold of it, where the stage names one. `variable` as of an `Input`."""

    name: str
    path: Template
    kind: OutputKind = "file"
    contract: str = ""
    code: bool = True
    delta: DeltaOptions | None = None
    variable: tuple[str, ...] | None = None

    @property
    def passed_as(self) -> tuple[str, ...]:
        """The variable that gets the path and the keys within that; empty where none does."""
        return (self.name,) if self.variable is None else self.variable


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """How far a stage has read, so that it gets only what is new: of the files of an `input` those that it has not read; or,
    in its parameter `param`, the largest value of a `column` of an `output`. Without an input it is of a column. `place` is
    where the pipeline file declares it."""

    input: str = ""
    param: str = ""
    output: str = ""
    column: str = ""
    place: str = ""

    def __str__(self) -> str:
        return self.input or f"{self.output}.{self.column}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Instances:
    """Which points of a matrix a stage has, and how its instances are called.

    Attributes:
        name: the name of an instance; `None`: its values.
        zipped: the axes that go together, each group by itself.
        include: further points, each with a value for every axis.
        exclude: what is left out: the points with all these values.
    """

    name: Template | None = None
    zipped: tuple[tuple[str, ...], ...] = ()
    include: tuple[Mapping[str, Template], ...] = ()
    exclude: tuple[Mapping[str, Template], ...] = ()

    @property
    def templates(self) -> Mapping[Location, Template]:
        """All templates by their places below `instances`."""
        found: dict[Location, Template] = {} if self.name is None else {("name",): self.name}
        for key, points in (("include", self.include), ("exclude", self.exclude)):
            for at, point in enumerate(points):
                found |= {(key, at, axis): template for axis, template in point.items()}
        return found


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a stage runs that is no notebook.

    Attributes:
        target: the path of a script or of SQL; `package.module:function`; of a command what it is called in messages.
        words: of a command, as the file has them, to find the files that it names.
        connection: the name of the connection that SQL is run through; empty for DuckDB.
        mentions: the inputs and outputs that arguments and words name.
    """

    kind: ProgramKind
    target: str
    words: tuple[str, ...] = ()
    connection: str = ""
    mentions: tuple[str, ...] = ()

    def __str__(self) -> str:
        """What it is called in messages: `scripts/train.py`, `package.module:function`, `curl`."""
        return self.target


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageOptions:
    """The options that a stage and its instances have in common. Times are in seconds.

    Attributes:
        trigger: which outcomes of the stages before it let it start.
        workdir: the folder in which its cells run, as the file has it (`workdir.folder_of` says which that is).
        inject: where values come in: after the parameters cell, or, where there is none, in a new first cell (`first`).
        env: the environment variables that its result depends on.
        variables: further ones, that it gets with these values. Expressions in them are evaluated when the stage is planned;
            `${secret.NAME}` is filled in when it starts.
        connections: the names of those whose secrets it gets.
        cache: whether earlier results are reused.
        frozen: it never runs.
        strict: it fails if it reads files that are not declared.
        bookmark: how far it has read; `None` where it reads everything.
    """

    description: str = ""
    trigger: Trigger = "all_success"
    retries: int = 0
    retry_delay: float = 1.0
    timeout: float | None = None
    executor: Executor = "kernel"
    kernel: str | None = None
    workdir: str = PROJECT
    inject: Inject = "tagged"
    env: tuple[str, ...] = ()
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)
    connections: tuple[str, ...] = ()
    cache: bool = True
    frozen: bool = False
    strict: bool = False
    bookmark: Bookmark | None = None

    @property
    def runs_in(self) -> str | None:
        """The kernel of its code. `None`: the notebook's own kernel. `""`: this interpreter, no kernel."""
        return "" if self.executor == "inprocess" else self.kernel

    def reads_news_of(self, name: str) -> bool:
        """Whether it gets only what is new of an input."""
        return self.bookmark is not None and self.bookmark.input == name


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stage(StageOptions):
    """One notebook, or one program, with its parameters, inputs and outputs.

    Attributes:
        notebook: its path in the project; `""` where the file has a mistake there. Of a program the path of its file, and of
            a command that of the pipeline file.
        program: what it runs instead of a notebook.
        instances: which points the matrix has, and how they are called.
        expandable: False where the file has a mistake in `matrix`, `foreach` or `instances`.
        foreach: a list, which may be known only during a run.
        when: whether the stage runs.
    """

    name: str
    notebook: str
    program: Program | None = None
    matrix: Mapping[str, Template] = dataclasses.field(default_factory=dict)
    instances: Instances = Instances()
    expandable: bool = True
    foreach: Template | None = None
    when: Template | None = None
    params: Mapping[str, Template] = dataclasses.field(default_factory=dict)
    inputs: Mapping[str, Input] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, Output] = dataclasses.field(default_factory=dict)
    after: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a pipeline is run by itself: at `times`; on new versions of the datasets `on`, each `pipeline.stage.output`; or on
    new `files`, a pattern behind a connection. One of the three is given.

    Attributes:
        interval: the calendar unit that a run is about, the last complete one; `None`: what came since the firing before.
        zone: the time zone that days are of.
        catch_up: what happens about firings that nobody was there for.
        params: values of parameters.
        env: the environment; empty for the working tree.
        paused: whether it begins paused.
        expect: what is expected of its runs.
        place: where it is declared.
    """

    name: str
    times: Times | None = None
    on: tuple[str, ...] = ()
    files: str = ""
    interval: Unit | None = None
    zone: str = "UTC"
    catch_up: CatchUp = "latest"
    params: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    env: str = ""
    paused: bool = False
    expect: Expectations | None = None
    place: str = ""

    def __str__(self) -> str:
        """When it fires, in a few words."""
        match self.times:
            case CronTimes(text=text, zone=zone):
                return f"{text} ({zone})"
            case EveryTimes(seconds=seconds):
                return f"every {in_units(seconds)}"
        return f"files {self.files}" if self.files else f"on {', '.join(self.on)}"


def in_units(seconds: int) -> str:
    """`15m`, `1h30m`, `2d`: a duration as pipeline files write it."""
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A pipeline. `path` is relative to the project root, with `/`.

    `broken` and `broken_params` name the stages and parameters of the file that have mistakes: a reference
    to one of them is not a further mistake. `positions` are those of all values.
    """

    name: str
    path: str
    description: str = ""
    params: Mapping[str, Param] = dataclasses.field(default_factory=dict)
    stages: Mapping[str, Stage] = dataclasses.field(default_factory=dict)
    schedules: Mapping[str, Schedule] = dataclasses.field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    broken_params: frozenset[str] = frozenset()
    positions: Positions = dataclasses.field(default_factory=dict)

    def problem(self, location: Location, message: str, hint: str = "") -> Problem:
        """A problem at the position of `location`, or of the nearest value around it."""
        return problem_at(self.path, self.positions, location, message, hint)


def problem_at(path: str, positions: Positions, location: Location, message: str, hint: str = "") -> Problem:
    """A problem at the position of `location`, or of the nearest value around it."""
    return make_problem(path, find_position(positions, location), message, hint)


def make_problem(path: str, position: Position, message: str, hint: str = "") -> Problem:
    """A problem at a position. Names from a file may hold anything, so characters that cannot be seen are shown
    as escapes."""
    line, column = position
    return Problem(
        path=printable(path), line=line, column=column, message=printable(message), hint=printable(hint)
    )


def find_position(positions: Positions, location: Location) -> Position:
    """The position of a location, or of the nearest one around it."""
    for length in range(len(location), -1, -1):
        if location[:length] in positions:
            return positions[location[:length]]
    return (0, 0)
