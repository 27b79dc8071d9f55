"""Reading one stage of a pipeline file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stagebook.errors import did_you_mean
from stagebook.pipeline.bookmarks import read_bookmark
from stagebook.pipeline.expressions import ExpressionError, Template, compile_value
from stagebook.pipeline.forms import Forms, Variable
from stagebook.pipeline.model import Instances, Location, Output, Stage
from stagebook.pipeline.names import DefinedNames, StageScope
from stagebook.pipeline.points import read_instances
from stagebook.pipeline.problems import NAME_HINT, STAGE_NAME, ProblemCollector
from stagebook.pipeline.programs import ProgramReader, ReadProgram, executor_of, told
from stagebook.pipeline.schema import (
    DefaultsFile,
    StageFile,
    read_what_can_be,
)
from stagebook.pipeline.stage_paths import PathReader
from stagebook.pipeline.types import Value, describe
from stagebook.pipeline.variables import read_variables, split_env

# The roots that an expression may refer to, by where it stands.
_EVERY = frozenset({"params", "matrix", "env", "run", "stages", "item", "interval"})
_IN_PATH = frozenset({"params", "matrix", "env", "item", "interval"})
_IN_MATRIX = frozenset({"params", "env", "interval"})
_IN_FOREACH = frozenset({"params", "env", "stages", "interval"})


class StageReader:
    """Reads the stages of one file, and reports what is wrong with them."""

    def __init__(
        self,
        problems: ProblemCollector,
        names: DefinedNames,
        defaults: DefaultsFile,
        variables: Mapping[str, str],
        forms: Forms,
    ) -> None:
        """`variables`: those with values of `defaults`."""
        self._forms = forms
        self._problems = problems
        self._variables = variables
        self._report = problems.report
        self._names = names
        self._defaults = defaults
        self._programs = ProgramReader(problems)

    def read(self, name: str, raw: Any) -> Stage | None:
        """One entry of `stages`; None where nothing can be made of it."""
        base: Location = ("stages", name)
        if not STAGE_NAME.fullmatch(name):
            self._report(base, f"'{name[:60]}' is not a name for a stage", NAME_HINT)
            return None
        raw, values = split_env(raw)
        passed: dict[str, Mapping[str, Variable]] = {}
        for key in ("inputs", "outputs") if isinstance(raw, dict) else ():
            entries, passed[key] = self._forms.read(raw.get(key), (*base, key))
            raw = {**raw, key: entries}
        spec, mistakes = read_what_can_be(StageFile, raw, {})
        self._problems.report_all(mistakes, base)
        if spec is None:
            return None
        wrong = {where[0] for where, _, _ in mistakes if where}
        alone = {name for names in passed.values() for name, variable in names.items() if not variable}
        runs = self._programs.read(spec, base, mistakes, alone)
        if runs.program is not None:
            passed = told(runs.program, passed)
        self._check_clashes(spec, passed, base)
        if not spec.matrix and "matrix" in raw and "matrix" not in wrong:
            hint = "name a list: matrix: {month: [1, 2]}"
            self._report((*base, "matrix"), "the matrix has no points", hint)
        self._problems.check_env(spec.env, (*base, "env"))
        scope = StageScope(
            stage=name,
            axes=None if "matrix" in wrong else tuple(spec.matrix),
            has_item=spec.foreach is not None or "foreach" in wrong,
        )
        own = read_variables(values, (*base, "env"), self._problems, self._names, scope)
        variables = {**self._variables, **own}
        for variable in spec.env:
            variables.pop(variable, None)
        return self._stage(scope, spec, runs, wrong, variables, passed)

    def _stage(
        self,
        scope: StageScope,
        spec: StageFile,
        runs: ReadProgram,
        wrong: set[str | int],
        variables: Mapping[str, str],
        passed: Mapping[str, Mapping[str, Variable]],
    ) -> Stage:
        name = scope.stage
        base: Location = ("stages", name)
        after = [other for at, other in enumerate(spec.after) if self._is_after(name, other, at)]
        matrix = self._templates(spec.matrix, (*base, "matrix"), _IN_MATRIX, StageScope(stage=name))
        foreach = self._read_foreach(spec, base, name)
        trigger = spec.trigger or "all_success"
        paths = PathReader(self._problems, lambda text, place: self._template(text, place, _IN_PATH, scope))
        outputs = paths.outputs(spec.outputs, passed["outputs"], (*base, "outputs"))
        if foreach is not None:
            self._check_items(outputs, base)
        instances = self._read_instances(spec, (*base, "instances"), scope)
        return Stage(
            name=name,
            notebook=runs.notebook,
            program=runs.program,
            description=spec.description,
            matrix=matrix,
            instances=instances or Instances(),
            expandable=wrong.isdisjoint({"matrix", "foreach", "instances"})
            and (instances is not None and len(matrix) == len(spec.matrix))
            and (spec.foreach is None or foreach is not None),
            params={
                **self._templates(spec.params, (*base, "params"), _EVERY, scope),
                **self._templates(runs.arguments, base, _EVERY, scope),
            },
            inputs=paths.inputs(spec.inputs, passed["inputs"], (*base, "inputs")),
            outputs=outputs,
            after=tuple(after),
            foreach=foreach,
            when=self._read_when(spec, base, scope),
            trigger=trigger,
            env=tuple(it for it in dict.fromkeys([*self._defaults.env, *spec.env]) if it not in variables),
            variables=variables,
            connections=tuple(dict.fromkeys([*spec.connections, *runs.connections])),
            bookmark=read_bookmark(spec, (*base, "bookmark"), self._problems),
            # A stage that waits for other ends than success, such as an alert, does not depend on its inputs.
            cache=trigger == "all_success" if spec.cache is None else spec.cache,
            frozen=spec.frozen,
            **self._options(spec, runs),
        )

    def _read_instances(self, spec: StageFile, base: Location, scope: StageScope) -> Instances | None:
        return read_instances(
            spec,
            base,
            self._problems,
            name=lambda value, place: self._template(value, place, _IN_PATH, scope),
            value=lambda value, place: self._template(value, place, _IN_MATRIX, scope),
        )

    def _options(self, spec: StageFile, runs: ReadProgram) -> dict[str, Any]:
        """The options that `defaults` may give, too."""
        options = {
            key: getattr(self._defaults if getattr(spec, key) is None else spec, key)
            for key in DefaultsFile.model_fields
            if key != "env"  # which is added to that of `defaults`
        }
        if runs.program is not None:
            return executor_of(runs.program, spec, self._defaults, options)
        return options

    def _read_foreach(self, spec: StageFile, base: Location, name: str) -> Template | None:
        if spec.foreach is None:
            return None
        location = (*base, "foreach")
        if spec.matrix:
            self._report(location, "a stage has a matrix or a foreach, not both", "remove one of them")
            return None
        template = self._template(spec.foreach, location, _IN_FOREACH, StageScope(stage=name))
        if template is not None and isinstance(spec.foreach, str) and not template.is_expression:
            hint = "it is a list, or one expression that gives one, such as ${stages.NAME.scraps.KEY}"
            self._report(location, f"'foreach' has to be a list, not {describe(spec.foreach)}", hint)
            return None
        return template

    def _check_items(self, outputs: Mapping[str, Output], base: Location) -> None:
        for name, output in outputs.items():
            if not output.path.mentions("item"):
                message = f"every item would write the output '{name}' to one path"
                hint = "put the item into the path, such as data/name-${item}.parquet"
                self._report((*base, "outputs", name), message, hint)

    def _read_when(self, spec: StageFile, base: Location, scope: StageScope) -> Template | None:
        if spec.when is None:
            return None
        template = self._template(spec.when, (*base, "when"), _EVERY, scope)
        if template is None or isinstance(spec.when, bool) or template.is_expression:
            return template
        hint = "write all of it within one pair of braces: when: ${…}"
        if "${" not in spec.when:
            hint = f"when: ${{{spec.when.strip() or 'params.NAME'}}}"
        self._report((*base, "when"), "'when' has to be one expression, or true or false", hint)
        return None

    def _check_clashes(
        self, spec: StageFile, passed: Mapping[str, Mapping[str, Variable]], base: Location
    ) -> None:
        seen: dict[str, str] = dict.fromkeys(spec.params, "params")
        for group, variables in passed.items():
            for name in dict.fromkeys(variable[0] for variable in variables.values() if variable):
                if name in seen:
                    message = f"'{name}' is given twice, under {seen[name]} and {group}"
                    hint = "each is one variable of the notebook; rename one of them"
                    self._report((*base, group, name), message, hint)
                seen[name] = group

    def _is_after(self, stage: str, other: str, at: int) -> bool:
        location: Location = ("stages", stage, "after", at)
        if other == stage:
            self._report(location, f"'{stage}' cannot come after itself", "remove it")
        elif other.partition("@")[0] in self._names.stages and "@" in other:
            hint = f"write {other.partition('@')[0]}: a stage comes after all instances of another"
            self._report(location, f"'after' names whole stages, not '{other}'", hint)
        elif other not in self._names.stages:
            self._report(location, f"unknown stage '{other}'", did_you_mean(other, self._names.stages))
        else:
            return True
        return False

    def _templates(
        self, raw: Mapping[str, Any], base: Location, allowed: frozenset[str], scope: StageScope
    ) -> dict[str, Template]:
        read = {
            name: self._template(value, (*base, name), allowed, scope)
            for name, value in raw.items()
            if self._problems.is_identifier(name, (*base, name))
        }
        return {name: template for name, template in read.items() if template is not None}

    def _template(
        self, value: Value, location: Location, allowed: frozenset[str], scope: StageScope
    ) -> Template | None:
        try:
            template = compile_value(value)
            for reference in sorted(template.references):
                self._names.check(reference, allowed, scope)
        except ExpressionError as error:
            self._report(location, str(error), error.hint)
            return None
        return template
