"""What a stage asks of its notebook: that it is there, has a kernel, and declares what is passed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

from stagebook.errors import did_you_mean
from stagebook.pipeline.differences import WITHOUT_KERNEL
from stagebook.pipeline.model import Location, Pipeline, Stage
from stagebook.pipeline.notebook import SCRIPT_SUFFIXES, DeclaredParam, NotebookFacts, NotebookUnreadable
from stagebook.pipeline.problems import ProblemCollector
from stagebook.pipeline.types import Type, Value, ValueMismatch, accept, accepts, shorten
from stagebook.planning.instances import Instance
from stagebook.workspace.kernels import profile_files
from stagebook.workspace.paths import PathRefused
from stagebook.workspace.workspace import Workspace

_SUFFIXES = (".ipynb", *SCRIPT_SUFFIXES)
_NUMBERS = {"int", "float"}


_LINES = 4  # of a parameters cell in a hint


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
        self._check_contents(stage, facts, path)
        if stage.executor == "inprocess":
            self._check_inprocess(stage, facts, path)
        else:
            self.check_kernel(stage, facts, path)
        self._check_names(stage, facts, path)
        self._check_second_cells(stage, facts, path)
        return facts

    def _check_contents(self, stage: Stage, facts: NotebookFacts, path: str) -> None:
        location: Location = ("stages", stage.name, "notebook")
        if facts.does_nothing:
            # One with a parameters cell is about to be written, and holds up no other stage.
            tell = self._report if facts.parameters is None else self._warn
            tell(location, f"'{path}' has no code to run", _how_to_write_code(path))
        self.check_asks(stage.name, facts, path, "notebook")
        for doubt, hint in facts.doubts:
            self._warn(location, f"'{path}': {doubt}", hint)

    def check_asks(self, stage: str, facts: NotebookFacts, path: str, key: str) -> None:
        """What waits for a person. `key`: of the stage, that names the file at `path`."""
        if facts.asks:
            called = " and ".join(f"{name}()" for name in sorted(facts.asks))
            what = f"'{path}' calls {called}, and nobody can answer"
            self._warn(("stages", stage, key), what, "pass it as a parameter")

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
        if profile := profile_files():
            what = f"'executor: inprocess' uses no profile of IPython, so {', '.join(profile)} is not run for '{path}'"
            self._warn(place, what, need)
        for name, cell in facts.without_kernel.items():
            what = f"cell {cell} of '{path}' {WITHOUT_KERNEL[name].warning}"
            self._warn(place, what, need)

    def check_kernel(self, stage: Stage, facts: NotebookFacts, path: str) -> None:
        """The kernel is installed, and runs the language of the notebook."""
        kernel = stage.kernel or facts.kernel
        if kernel == "python3" and facts.is_python:
            return
        place: Location = ("stages", stage.name, "kernel" if stage.kernel else "notebook")
        if stage.kernel and place not in self.pipeline.positions:
            place = ("defaults", "kernel")
        known = self.project.kernels()
        fitting = sorted(name for name, language in known.items() if language in {"", facts.language})
        hint = did_you_mean(kernel, fitting or sorted(known)) if kernel else f"known: {', '.join(fitting)}"
        if not fitting:
            hint = (
                f"install a kernel for {facts.language}; those that are there run {_listed(known.values())}"
            )
        elif not stage.kernel:
            instead = "python3" if "python3" in fitting else fitting[0]
            hint = f"{hint}; 'kernel: {instead}' in the stage overrides the notebook"
        if not kernel:
            self._report(place, f"'{path}' is {facts.language}, and names no kernel", hint)
        elif kernel.lower() not in known:
            self._report(place, f"the kernel '{kernel}' is not installed here", hint)
        elif kernel.lower() not in fitting:
            language = known[kernel.lower()]
            self._report(
                place, f"'{path}' is {facts.language}, and the kernel '{kernel}' runs {language}", hint
            )

    def _check_names(self, stage: Stage, facts: NotebookFacts, path: str) -> None:
        passed = passed_to(stage)
        own: Location = ("stages", stage.name, "inject")
        if stage.inject == "first" and facts.parameters is not None and own in self.pipeline.positions:
            what = f"'{path}' has a parameters cell, so values come after that, and 'inject: first' changes nothing"
            self._warn(own, what, "remove it")
        if facts.parameters is None:
            if passed and stage.inject == "tagged":
                message = f"'{path}' has no parameters cell, so nothing can be passed to it"
                hint = "give the cell that sets its defaults the tag 'parameters'"
                if facts.is_python:
                    head = {"py": '# %% tags=["parameters"] ', "md": '```python tags=["parameters"] '}
                    lines = f"{head.get(path[-2:], '')}{self._defaults(stage)}"
                    hint += f", or begin with such a cell: {lines}"
                hint += "; or, with 'inject: first', values come in a new first cell, as papermill does it"
                self._report(("stages", stage.name, passed[0][0]), message, hint)
            return
        if not facts.is_python:
            return  # the names are in a language that is not read here
        for group, name in passed:
            if name not in facts.parameters:
                hint = did_you_mean(name, facts.parameters)
                if name in facts.nested:
                    hint = f"the parameters cell sets it within {facts.nested[name]}: give it a line of its own, {name} = …"
                elif name in facts.repeated:
                    hint = f"cell {facts.repeated[name]} has the tag 'parameters', too: put the two into one cell"
                place = ("stages", stage.name, group, name)
                hint = hint or "the parameters cell declares nothing"
                self._report(place, f"'{path}' declares no parameter '{name}'", hint)

    def _defaults(self, stage: Stage) -> str:
        """The lines of a parameters cell for what a stage passes."""
        lines = []
        for name, template in stage.params.items():
            known, value = [], template.source
            if template.is_expression:
                known = [ref[1] for ref in template.references if ref[0] == "params" and len(ref) == 2]
                param = self.pipeline.params.get(known[0]) if known else None
                value = param.default if param else None
            lines.append(f"{name} = {shorten(repr(value), 40)}")
        if stage.bookmark is not None and stage.bookmark.param:
            lines.append(f"{stage.bookmark.param} = None")
        paths = [(item.passed_as, [] if item.many else "") for item in stage.inputs.values()]
        outputs = (
            (output.passed_as, str(output.path.source))
            for output in stage.outputs.values()
            if output.kind != "notebook"
        )
        paths += [(variable, "" if "${" in path else path) for variable, path in outputs]
        values = {keys[0]: {} if len(keys) > 1 else value for keys, value in paths if keys}
        lines += [f"{name} = {value!r}" for name, value in values.items()]
        return "; ".join(lines[:_LINES]) + ("; …" if len(lines) > _LINES else "")

    def _check_second_cells(self, stage: Stage, facts: NotebookFacts, path: str) -> None:
        """Values are passed after the first parameters cell: a further one sets its names again."""
        if not facts.further:
            return
        hint = f"remove the tag 'parameters' from cell {facts.further[0]}"
        message = (
            f"'{path}' has {len(facts.further) + 1} cells with the tag 'parameters'; the first one counts"
        )
        self._warn(("stages", stage.name, "notebook"), message, hint)
        for group, name in passed_to(stage):
            if name in facts.repeated and name in (facts.parameters or {}):
                what = f"cell {facts.repeated[name]} of '{path}' sets '{name}' again, over the value that is passed"
                hint = "it has the tag 'parameters', as a cell before it: make one cell of them"
                self._report(("stages", stage.name, group, name), what, hint)

    def check_values(self, instance: Instance, facts: NotebookFacts) -> dict[str, Type]:
        """Check what an instance passes against what its notebook declares; the declared types."""
        if facts.parameters is None or not facts.is_python:
            return {}
        stage, declared = instance.stage.name, facts.parameters
        self._check_group(stage, "params", instance.params.items(), declared)
        # Of an instance that is still to come, one path is not known; that a list comes is.
        # A mapping that a variable gets may take the place of anything, as in notebooks of Ploomber.
        known = ((name, item) for name, item in instance.inputs.items() if item.many or item.paths)
        inputs = ((name, item.value) for name, item in known if item.variable in {None, (name,)})
        self._check_group(stage, "inputs", inputs, declared)
        outputs = instance.outputs.items()
        single = ((name, item.path) for name, item in outputs if item.variable in {None, (name,)})
        self._check_group(stage, "outputs", single, declared)
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
                where = "in the notebook " if self.pipeline.stages[stage].program is None else ""
                hint = f"{where}'{name}' {how} {param.type}"
                location = ("stages", stage, group, name)
                self.problems.report_once(location, f"'{name}' does not fit: {error}", hint)


def passed_to(stage: Stage) -> list[tuple[str, str]]:
    """What a stage passes to its notebook: group and name."""
    paths = [("inputs", item.passed_as) for item in stage.inputs.values()]
    # The path of an executed notebook is passed where the notebook declares the name.
    outputs = (output for output in stage.outputs.values() if output.kind != "notebook")
    paths += [("outputs", output.passed_as) for output in outputs]
    passed = [("params", name) for name in stage.params]
    passed += dict.fromkeys((group, variable[0]) for group, variable in paths if variable)
    if stage.bookmark is not None and stage.bookmark.param:
        passed.append(("bookmark", stage.bookmark.param))
    return passed


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(filter(None, set(names)))) or "nothing that is known"


def _how_to_write_code(path: str) -> str:
    if path.endswith(".md"):
        return "code stands between ```python and ```"
    return "write a cell of code" if path.endswith(".ipynb") else "start its cells with '# %%'"


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
