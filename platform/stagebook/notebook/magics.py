"""`%load_ext stagebook`, and then `%stage NAME`: a notebook by hand, with what it gets in its pipeline; `%contract`.

Nothing is written into the notebook. The values are put into the kernel, and again each time the parameters
cell ran, as papermill puts them after it. When the pipeline file was changed, the next cell finds the values
that it has by then. Outputs go to `.stagebook/interactive/`, so that what was published stays as it is.
"""

from __future__ import annotations

import functools
import os
import shlex
import sys
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import no_var_expand

from stagebook.errors import PipelineInvalid, StagebookError
from stagebook.execution.attempt import nested
from stagebook.journal.result_table import KnownResults
from stagebook.notebook.contracts import AuditReport, audit
from stagebook.pipeline.notebook import NotebookUnreadable, read_parameters
from stagebook.pipeline.types import ANY, Value, shorten, typed
from stagebook.pipeline.workdir import shown
from stagebook.planning.plan import News, Plan, PlannedStage
from stagebook.planning.result import Results
from stagebook.planning.scopes import Scopes, params_of
from stagebook.project import Project
from stagebook.system.secret_sources import filled
from stagebook.workspace.paths import STATE_FOLDER

FOLDER = "interactive"
USAGE = """%stage NAME [-p name=value …] [--env NAME]    a stage, an instance such as fit@4, or PIPELINE/STAGE
%stage                           the stage whose notebook this is
%stage --off                     leave the parameters alone again"""

CONTRACT_USAGE = """%contract DATASET NAME    a dataset, PIPELINE.STAGE.OUTPUT or STAGE.OUTPUT, and a variable: a DataFrame, or a path"""


class Prepared:
    """A stage, ready to be run by hand."""

    def __init__(self, project: Project, plan: Plan, stage: PlannedStage) -> None:
        results: Results = KnownResults(project.journal.results) if project.history.has_journal else Results()
        scraps = {}
        for other in plan.stages:
            latest = results.latest(plan.pipeline, other.id)
            scraps[other.id] = {**plan.scraps.get(other.id, {}), **(latest.values if latest else {})}
        scope = Scopes.of_plan(plan).of(stage, scraps, run=FOLDER)
        # What the next run would read; where nothing is new, there is more to work with in all of it.
        news = stage.judgement.news if stage.judgement is not None else None
        news = news or News()
        self.name = f"{plan.pipeline}/{stage.id}"
        self.root = project.root
        self.file = project.root / plan.path
        self.notebook = stage.notebook
        self.folder = (project.root / stage.folder).resolve()
        self.shown_folder = shown(stage.folder)
        params = {
            name: typed(stage.types.get(name, ANY), value) for name, value in params_of(stage, scope).items()
        } | dict(news.params)
        external = {
            item.path for one in plan.stages for item in one.outputs.values() if item.kind == "external"
        }
        paths = _paths(stage, news)
        self.values: dict[str, Value] = {**params, **nested(paths)}
        # Absolute, so that they are good whatever folder the notebook goes to; as the worker passes them.
        whole = ((variable, _absolute(self.root, path, external)) for variable, path in paths)
        self.passed: dict[str, Value] = {**params, **nested(whole)}
        self.variables = filled(stage.variables, project.settings.secret_sources, os.environ, project.root)
        for item in stage.outputs.values():
            if item.kind != "external":
                (project.root / STATE_FOLDER / FOLDER / stage.id).mkdir(
                    mode=0o700, parents=True, exist_ok=True
                )
        self.missing = [
            path for item in stage.inputs.values() for path in item.paths if not (self.root / path).exists()
        ]
        declared = project.dependencies.workspace.facts(stage.notebook).parameters
        self._declared = frozenset(declared or ())

    def is_parameters_cell(self, source: str) -> bool:
        """Whether a cell is the notebook's parameters cell: it sets every name that this one declares."""
        if not self._declared:
            return False
        try:
            return frozenset(read_parameters(source)) >= self._declared
        except NotebookUnreadable:
            return False


def prepare(
    start: Path,
    asked: str,
    pairs: tuple[str, ...] = (),
    notebook: Path | None = None,
    environment: str | None = None,
) -> Prepared:
    """The stage that is asked for, in the project around a folder; without a name, that of a notebook. In an `environment`
    it has the parameters of that, and the data that its next run would read.

    Raises:
        StagebookError: as `Project.plan`; or no stage fits, or more than one does.
    """
    with Project.open(start, environment) as project:
        pipeline, _, stage = asked.rpartition("/")
        found: list[tuple[Plan, PlannedStage]] = []
        broken: list[PipelineInvalid] = []
        for name in [pipeline] if pipeline else project.catalog.names():
            try:
                plan = project.plan(name, pairs=pairs)
            except PipelineInvalid as error:
                broken.append(error)
                continue
            found += [(plan, item) for item in plan.stages if _fits(project, item, stage, notebook)]
        what = (
            f"'{asked}'" if asked else f"of the notebook {notebook.name}" if notebook else "of this notebook"
        )
        if not found:
            if broken:
                raise broken[0]
            msg = f"there is no stage {what}"
            raise StagebookError(msg, hint="name one: %stage NAME, or %stage PIPELINE/STAGE")
        if len(found) > 1:
            names = ", ".join(f"{plan.pipeline}/{item.id}" for plan, item in found[:8])
            raise StagebookError(f"there is more than one stage {what}", hint=f"name one of: {names}")
        if (program := found[0][1].program) is not None:
            hint = f"run it: stagebook run {found[0][0].pipeline} --only {found[0][1].id}"
            raise StagebookError(
                f"the stage {what} runs a {program.kind}: %stage is for notebooks", hint=hint
            )
        return Prepared(project, *found[0])


def _fits(project: Project, item: PlannedStage, stage: str, notebook: Path | None) -> bool:
    if stage:
        return stage in {item.id, item.stage}
    return notebook is not None and (project.home / item.notebook).resolve() == notebook.resolve()


class StageMagic:
    """The magic of one shell, and what it is about to put into it."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell  # IPython's, which is partly typed
        self._prepared: Prepared | None = None
        self._again: Callable[[], Prepared] | None = None  # how it was asked for
        self._seen: tuple[int, ...] = ()  # the pipeline file, when it was read
        self._folder = Path.cwd()  # a notebook's kernel starts in its folder

    @no_var_expand  # IPython would evaluate what stands in braces in a name
    def stage(self, line: str) -> None:
        """Put the parameters, inputs and outputs of a stage into this kernel: `%stage NAME`."""
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"%stage: {error}\n{USAGE}") from None
        if words == ["--off"]:
            self._prepared = None
            print("the parameters are left alone")  # noqa: T201 - what a magic says
            return
        names, pairs, environment = _split(words)
        if len(names) > 1:
            raise UsageError(USAGE)
        again = functools.partial(
            prepare, self._folder, names[0] if names else "", pairs, _session_notebook(), environment
        )
        try:
            prepared = again()
        except StagebookError as error:
            raise UsageError(_told(error)) from None
        self._prepared, self._again = prepared, again
        self._seen = _stamp(prepared.file)
        # As in the pipeline: the working folder is that of the stage, and modules beside the notebook are found.
        moved = _go_to(prepared.folder)
        beside = str((prepared.root / prepared.notebook).parent)
        if beside not in sys.path:
            sys.path.insert(1, beside)
        os.environ.update(prepared.variables)
        self._put()
        print(f"{prepared.name}, in {prepared.root}")  # noqa: T201
        if moved:
            print(f"  the working folder is {prepared.shown_folder} now")  # noqa: T201
        for name, value in prepared.values.items():
            print(f"  {name} = {shorten(repr(value), 90)}")  # noqa: T201
        for name in prepared.variables:
            print(f"  {name} is in the environment")  # noqa: T201
        for path in prepared.missing:
            print(f"  ! '{path}' is not there yet: run what makes it first")  # noqa: T201

    def before_cell(self, _info: Any = None) -> None:
        """Where the pipeline file was changed, put the values in that the stage has now."""
        if self._prepared is None or self._again is None or _stamp(self._prepared.file) == self._seen:
            return
        before, self._seen = self._prepared, _stamp(self._prepared.file)
        file = before.file.relative_to(before.root).as_posix()
        try:
            self._prepared = self._again()
        except StagebookError as error:
            print(f"! {file} was changed, and is broken; the values are those from before\n{_told(error)}")  # noqa: T201
            return
        if _go_to(self._prepared.folder):
            print(f"{file} was changed: the working folder is {self._prepared.shown_folder} now")  # noqa: T201
        changed = {
            name: value
            for name, value in self._prepared.values.items()
            if name not in before.values or value != before.values[name]
        }
        if changed:
            self._shell.push({name: self._prepared.passed[name] for name in changed})
            print(f"{file} was changed:")  # noqa: T201
        for name, value in changed.items():
            print(f"  {name} = {shorten(repr(value), 90)}")  # noqa: T201

    def after_cell(self, result: Any) -> None:
        """Put the values in again once the parameters cell ran."""
        source = getattr(getattr(result, "info", None), "raw_cell", "") or ""
        if self._prepared is not None and result.success and self._prepared.is_parameters_cell(source):
            self._put()
            print(f"the parameters are those of {self._prepared.name}; %stage --off leaves them alone")  # noqa: T201

    def _put(self) -> None:
        assert self._prepared is not None
        self._shell.push(dict(self._prepared.passed))


def _paths(stage: PlannedStage, news: News) -> list[tuple[tuple[str, ...], Value]]:
    """The paths of the inputs and outputs, each with the variable that gets it and the keys within."""
    found: list[tuple[tuple[str, ...], Value]] = []
    for name, item in stage.inputs.items():
        value = list(news.items) if news.items and name == news.input else item.value
        found.append(((name,) if item.variable is None else item.variable, value))
    for name, output in stage.outputs.items():
        own = f"{STATE_FOLDER}/{FOLDER}/{stage.id}/{Path(output.path).name}"
        value = output.path if output.kind == "external" else own
        found.append(((name,) if output.variable is None else output.variable, value))
    return found


def _go_to(folder: Path) -> bool:
    """Change to the working folder of a stage; whether the kernel was in another one."""
    folder.mkdir(parents=True, exist_ok=True)
    if Path.cwd() == folder:
        return False
    os.chdir(folder)
    return True


def _absolute(root: Path, value: Value, external: Container[str]) -> Value:
    if isinstance(value, list):
        return [_absolute(root, item, external) for item in value]
    return value if value in external else str(root / str(value))


def _told(error: StagebookError) -> str:
    if isinstance(error, PipelineInvalid):
        return "\n".join([error.message, *(str(problem) for problem in error.problems)])
    return f"{error.message}\n{error.hint}".strip()


def _stamp(file: Path) -> tuple[int, ...]:
    try:
        found = file.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _split(words: list[str]) -> tuple[list[str], tuple[str, ...], str | None]:
    """The names, the pairs of `-p`, and the environment. Raises `UsageError`."""
    names, pairs, rest = [], [], list(words)
    environment = None
    while rest:
        word = rest.pop(0)
        if word == "-p" and rest:
            pairs.append(rest.pop(0))
        elif word == "--env" and rest:
            environment = rest.pop(0)
        elif word.startswith("-"):
            raise UsageError(USAGE)
        else:
            names.append(word)
    return names, tuple(pairs), environment


def _session_notebook() -> Path | None:
    """The notebook of this kernel, as Jupyter Server tells it."""
    name = os.environ.get("JPY_SESSION_NAME", "")
    return Path(name) if name.endswith((".ipynb", ".py", ".md")) else None


class ContractMagic:
    """`%contract` of one shell."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    @no_var_expand
    def contract(self, line: str) -> AuditReport:
        """Hold a DataFrame of this kernel against the contract of a dataset: `%contract DATASET NAME`."""
        words = line.split()
        if len(words) != 2:
            raise UsageError(CONTRACT_USAGE)
        dataset, name = words
        if name not in self._shell.user_ns:
            raise UsageError(f"there is no variable '{name}'\n{CONTRACT_USAGE}")
        try:
            return audit(self._shell.user_ns[name], dataset)
        except StagebookError as error:
            raise UsageError(_told(error)) from None


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext stagebook`."""
    magic = StageMagic(shell)
    shell.register_magic_function(ContractMagic(shell).contract, "line", "contract")
    shell.register_magic_function(magic.stage, "line", "stage")
    shell.events.register("pre_run_cell", magic.before_cell)
    shell.events.register("post_run_cell", magic.after_cell)
