"""What a stage asks of its notebook: that it is there, has a kernel, and declares what is passed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

from stagebook.errors import did_you_mean
from stagebook.pipeline.model import Location, Pipeline, Stage
from stagebook.pipeline.notebook import SCRIPT_SUFFIXES, DeclaredParam, NotebookFacts, NotebookUnreadable
from stagebook.pipeline.problems import ProblemCollector
from stagebook.pipeline.types import Type, Value, ValueMismatch, accept, accepts
from stagebook.planning.instances import Instance
from stagebook.workspace.paths import PathRefused
from stagebook.workspace.workspace import Workspace

_SUFFIXES = (".ipynb", *SCRIPT_SUFFIXES)
_COMMS = {"ipywidgets", "comm", "bqplot", "ipyleaflet", "ipympl", "anywidget", "pythreejs", "ipyvolume"}
_NUMBERS = {"int", "float"}


class NotebookChecks:
    """Checks the notebooks of one pipeline. `problems` collects what is wrong, `warnings` what may be."""

    def __init__(self, pipeline: Pipeline, project: Workspace) -> None:
        self.pipeline = pipeline
        self.project = project
        self.problems = ProblemCollector(pipeline.path, pipeline.positions)
        self.warnings = ProblemCollector(pipeline.path, pipeline.positions)
        self._report = self.problems.report
        self._warn = self.warnings.report

    def facts(self, stage: Stage) -> NotebookFacts | None:
        """The facts of a stage's notebook, checked; None if it cannot be read."""
        location: Location = ("stages", stage.name, "notebook")
        if not stage.notebook:
            return None  # it could not be read, which is reported
        try:
            path = self.project.inside(stage.notebook)
        except PathRefused as error:
            self._report(location, f"notebook: {error}", error.hint)
            return None
        if not path.endswith(_SUFFIXES):
            hint = f"a notebook ends in {', '.join(_SUFFIXES)}"
            self._report(location, f"'{path}' is not a notebook", hint)
            return None
        if not self.project.is_file(path):
            hint = "paths are relative to the project root"
            if "${" in path:
                hint = "a notebook's path takes no expressions; pass them to it as params"
            self._report(location, f"there is no notebook '{path}'", hint)
            return None
        try:
            facts = self.project.facts(path)
        except NotebookUnreadable as error:
            self._report(location, f"'{path}' {error}", error.hint)
            return None
        self._check_kernel(stage, facts)
        self._check_names(stage, facts, path)
        if facts.asks:
            called = " and ".join(f"{name}()" for name in sorted(facts.asks))
            self._warn(location, f"'{path}' calls {called}, and nobody can answer", "pass it as a parameter")
        if stage.executor == "inprocess":
            self._check_inprocess(stage, facts, path)
        return facts

    def _check_inprocess(self, stage: Stage, facts: NotebookFacts, path: str) -> None:
        """What needs a kernel: another language is a mistake, the rest may be meant so."""
        place: Location = ("stages", stage.name, "executor")
        if place not in self.pipeline.positions:
            place = ("defaults", "executor")
        need = "'executor: kernel' runs it"
        if not facts.is_python:
            what = f"'{path}' is {facts.language}, and 'executor: inprocess' runs Python only"
            self._report(place, what, need)
            return
        kernel = stage.kernel or facts.kernel
        if kernel != "python3":
            what = f"'executor: inprocess' runs no kernel, so '{kernel}' of '{path}' is not used"
            self._warn(place, what, need)
        widgets = sorted({name.partition(".")[0] for name in facts.imports} & _COMMS)
        if widgets:
            names = ", ".join(widgets)
            what = f"'{path}' imports {names}: widgets need a kernel, and show as text without one"
            self._warn(place, what, need)

    def _check_kernel(self, stage: Stage, facts: NotebookFacts) -> None:
        kernel = stage.kernel or facts.kernel
        if kernel == "python3":
            return
        known = self.project.kernels()
        if kernel.lower() not in known:
            place: Location = ("stages", stage.name, "kernel")
            hint = did_you_mean(kernel, sorted(known))
            if not stage.kernel:
                place = ("stages", stage.name, "notebook")
                hint = f"{hint}; 'kernel: python3' in the stage overrides the notebook"
            elif place not in self.pipeline.positions:
                place = ("defaults", "kernel")
            self._report(place, f"the kernel '{kernel}' is not installed here", hint)

    def _check_names(self, stage: Stage, facts: NotebookFacts, path: str) -> None:
        groups = {"params": stage.params, "inputs": stage.inputs, "outputs": stage.outputs}
        passed = [(group, name) for group, names in groups.items() for name in names]
        if facts.parameters is None:
            if passed:
                message = f"'{path}' has no parameters cell, so nothing can be passed to it"
                hint = "give the cell that sets its defaults the tag 'parameters'"
                self._report(("stages", stage.name, passed[0][0]), message, hint)
            return
        if not facts.is_python:
            return  # the names are in a language that is not read here
        for group, name in passed:
            if name not in facts.parameters:
                hint = did_you_mean(name, facts.parameters) or "the parameters cell is empty"
                place = ("stages", stage.name, group, name)
                self._report(place, f"'{path}' declares no parameter '{name}'", hint)

    def check_values(self, instance: Instance, facts: NotebookFacts) -> dict[str, Type]:
        """Check what an instance passes against what its notebook declares; the declared types."""
        if facts.parameters is None or not facts.is_python:
            return {}
        stage, declared = instance.stage.name, facts.parameters
        self._check_group(stage, "params", instance.params.items(), declared)
        # Of an instance that is still to come, one path is not known; that a list comes is.
        known = ((name, item) for name, item in instance.inputs.items() if item.many or item.paths)
        inputs = ((name, item.value) for name, item in known)
        self._check_group(stage, "inputs", inputs, declared)
        outputs = ((name, item.path) for name, item in instance.outputs.items())
        self._check_group(stage, "outputs", outputs, declared)
        for name, param in declared.items():
            if name in instance.params and param.annotated and param.type is not None:
                with contextlib.suppress(ValueMismatch):  # which is reported
                    instance.params[name] = accept(param.type, instance.params[name])
        return {name: param.type for name, param in declared.items() if param.annotated and param.type}

    def _check_group(
        self,
        stage: str,
        group: str,
        values: Iterable[tuple[str, Value]],
        declared: Mapping[str, DeclaredParam],
    ) -> None:
        for name, value in values:
            param = declared.get(name)
            if param is None or param.type is None or fits(param, value):
                continue
            try:
                accept(param.type, value)
            except ValueMismatch as error:
                how = "is declared as" if param.annotated else "has a default of the type"
                hint = f"in the notebook '{name}' {how} {param.type}"
                location = ("stages", stage, group, name)
                self.problems.report_once(location, f"'{name}' does not fit: {error}", hint)


def fits(param: DeclaredParam, value: Value) -> bool:
    """Whether a value fits a declared parameter. Without an annotation, numbers may be swapped,
    anything may be None, and the items of a list are not looked at."""
    if param.type is None or accepts(param.type, value):
        return True
    if param.annotated or value is None:
        return not param.annotated
    if param.type.kind in _NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return param.type.kind == "list" and isinstance(value, list)
