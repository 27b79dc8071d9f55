"""Reading what a stage runs that is no notebook: `script`, `function`, `sql` or `command`, with their arguments.

Arguments keep their expressions, and become a value of the stage (`arguments`).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from stagebook.errors import did_you_mean
from stagebook.pipeline.arguments import ARGUMENTS
from stagebook.pipeline.expressions import Expression, ExpressionError, Text, compile_value
from stagebook.pipeline.model import Location, Program, ProgramKind
from stagebook.pipeline.problems import Mistake, ProblemCollector
from stagebook.pipeline.schema import DefaultsFile, StageFile
from stagebook.pipeline.types import Value, describe, shorten

KINDS: tuple[ProgramKind, ...] = ("script", "function", "sql", "command")
RUNS = ("notebook", *KINDS)  # the keys of which a stage has exactly one
_FUNCTION = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")
_PATH_OF = re.compile(r"(inputs|outputs)\.([A-Za-z_]\w*)")
_QUOTES = re.compile(r"""\\.|['"]""", re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReadProgram:
    """What a stage runs: the path of its notebook, or of the file of its program; and the arguments of that, by the name
    of the value that holds them."""

    notebook: str = ""
    program: Program | None = None
    arguments: Mapping[str, Value] = dataclasses.field(default_factory=dict)

    @property
    def connections(self) -> list[str]:
        """The name of the connection that it runs through, if it does."""
        return [self.program.connection] if self.program is not None and self.program.connection else []


class ProgramReader:
    """Reads what the stages of one file run, and reports what is wrong with it."""

    def __init__(self, problems: ProblemCollector) -> None:
        self._problems = problems

    def read(
        self, spec: StageFile, base: Location, mistakes: Sequence[Mistake], alone: Collection[str]
    ) -> ReadProgram:
        """What a stage runs. `mistakes` are those of the stage that are reported already; `alone` are the inputs and outputs
        that are declared by path alone."""
        given = [key for key in RUNS if getattr(spec, key) is not None]
        if not given:
            self._report_none(base, mistakes)
            return ReadProgram()
        for other in given[1:]:
            what = f"a stage runs one thing, and this one has '{given[0]}' and '{other}'"
            self._problems.report((*base, other), what, "remove one of them, or make two stages of them")
        key = given[0]
        if getattr(spec, key) in ("", []):
            hint = f"name a {'file of SQL' if key == 'sql' else key}: {_EXAMPLES[key]}"
            self._problems.report((*base, key), f"'{key}' is empty", hint)
            return ReadProgram()
        self._check_keys(spec, key, base)
        if key == "notebook":
            return ReadProgram(notebook=str(spec.notebook))
        return _Reading(self._problems, spec, base, alone).read(key)

    def _report_none(self, base: Location, mistakes: Sequence[Mistake]) -> None:
        keys = {where[0] for where, _, _ in mistakes if where}
        meant = {f"did you mean '{key}'?" for key in RUNS}
        if keys.isdisjoint(RUNS) and meant.isdisjoint(hint for _, _, hint in mistakes):
            hint = "name the notebook that this stage runs: notebook: notebooks/name.ipynb"
            hint += "; or a script, a function, sql or a command"
            self._problems.report((*base, "notebook"), "'notebook' is missing", hint)

    def _check_keys(self, spec: StageFile, kind: str, base: Location) -> None:
        """Keys that belong to another kind."""
        if spec.args is not None and kind != "script":
            hint = "write them into the command" if kind == "command" else "pass values as params"
            self._problems.report((*base, "args"), "'args' are the arguments of a script", hint)
        if spec.connection is not None and kind != "sql":
            hint = f"what a {kind} connects to is named by connections: [{spec.connection}]"
            self._problems.report((*base, "connection"), "'connection' is for sql", hint)
        if spec.params and kind in ARGUMENTS:
            name = next(iter(spec.params))
            example = f"args: [--{name}, ${{params.{name}}}]" if kind == "script" else f"${{params.{name}}}"
            hint = f"write it where it is needed: {example}"
            what = f"params are not passed to a {kind}, which gets what stands in '{ARGUMENTS[kind]}'"
            self._problems.report((*base, "params"), what, hint)
        if kind == "sql" and spec.kernel is not None:
            self._problems.report((*base, "kernel"), "sql has no kernel", "remove it")


_EXAMPLES = {
    "notebook": "notebooks/name.ipynb",
    "script": "scripts/name.py",
    "function": "package.module:name",
    "sql": "queries/name.sql",
    "command": "[curl, -sf, …]",
}


class _Reading:
    """The reading of one program."""

    def __init__(
        self, problems: ProblemCollector, spec: StageFile, base: Location, alone: Collection[str]
    ) -> None:
        self._problems = problems
        self._alone = alone
        self._spec = spec
        self._base = base
        self._mentions: dict[str, None] = {}

    def read(self, kind: str) -> ReadProgram:
        """The program of the stage."""
        match kind:
            case "script":
                return self._script(str(self._spec.script))
            case "function":
                return self._function(str(self._spec.function))
            case "sql":
                program = Program(
                    kind="sql", target=str(self._spec.sql), connection=self._spec.connection or ""
                )
                return ReadProgram(notebook=program.target, program=program)
        return self._command(self._spec.command)

    def _script(self, path: str) -> ReadProgram:
        arguments = list(self._items(self._spec.args or [], "args"))
        self._check_paths("args")
        program = Program(kind="script", target=path, mentions=tuple(self._mentions))
        given: dict[str, Value] = {"args": arguments} if arguments else {}
        return ReadProgram(notebook=path, program=program, arguments=given)

    def _function(self, target: str) -> ReadProgram:
        found = _FUNCTION.fullmatch(target)
        if found is None:
            hint = "name its module and itself: package.module:name"
            self._problems.report((*self._base, "function"), f"'{target[:80]}' names no function", hint)
            return ReadProgram()
        path = f"{found[1].replace('.', '/')}.py"
        return ReadProgram(notebook=path, program=Program(kind="function", target=target))

    def _command(self, command: str | list[Any] | None) -> ReadProgram:
        value: Value
        if isinstance(command, str):
            words: tuple[str, ...] = ("/bin/sh", "-c", command)
            shown = command
            value = {"shell": self._shell(command)}
        else:
            words = tuple(str(word) for word in command or ())
            shown = " ".join(words)
            value = list(self._items(command or [], "command"))
        self._check_paths("command")
        target = shorten(" ".join(shown.split()), 60)
        program = Program(kind="command", target=target, words=words, mentions=tuple(self._mentions))
        return ReadProgram(notebook=self._problems.path, program=program, arguments={"command": value})

    # -- arguments --------------------------------------------------------------------------------

    def _items(self, items: Sequence[Any], key: str) -> Iterator[Value]:
        """The arguments of a list."""
        for at, item in enumerate(items):
            place = (*self._base, key, at)
            if isinstance(item, list | dict) or item is None:
                hint = (
                    "write each argument for itself; a list comes from one expression, such as ${inputs.name}"
                )
                self._problems.report(
                    place, f"an argument has to be text or a number, not {describe(item)}", hint
                )
                continue
            parts = self._parts(item, place) if isinstance(item, str) else [item]
            if len(parts) == 1:
                yield parts[0]
            elif parts:
                yield "".join(map(str, parts)) if not _has_paths(parts) else {"join": parts}

    def _shell(self, text: str) -> list[Value]:
        """The parts of a text for the shell: what is written, and values in turn."""
        place = (*self._base, "command")
        parts: list[Value] = [""]
        quote = ""
        for part in self._compiled(text, place):
            if isinstance(part, str):
                parts[-1] = _escaped(part)
                quote = _quote_after(part, quote)
                continue
            if quote:
                what = f"'${{{shorten(part.source)}}}' stands within quotes"
                self._problems.report(place, what, "leave them out: values are quoted for the shell")
            parts += [self._value(part, place), ""]
        return parts

    def _parts(self, text: str, place: Location) -> list[Value]:
        """The parts of an argument: what is written, and values, in order."""
        return [
            _escaped(part) if isinstance(part, str) else self._value(part, place)
            for part in self._compiled(text, place)
        ]

    def _compiled(self, text: str, place: Location) -> tuple[str | Expression, ...]:
        try:
            template = compile_value(text)
        except ExpressionError as error:
            self._problems.report(place, str(error), error.hint)
            return ()
        return template.value.parts if isinstance(template.value, Text) else (template.value,)

    def _value(self, part: Expression, place: Location) -> Value:
        """An expression: the name of an input or output, or what is computed from other names."""
        paths = [reference for reference in part.references if reference[0] in {"inputs", "outputs"}]
        if not paths:
            return f"${{{part.source}}}"
        found = _PATH_OF.fullmatch(part.source)
        if found is None:
            what = f"'${{{shorten(part.source)}}}' computes with a path, which is known only when the stage starts"
            self._problems.report(place, what, f"write it alone: ${{{'.'.join(paths[0][:2])}}}")
            self._mentions |= dict.fromkeys(path[1] for path in paths if len(path) > 1)
            return ""
        group, name = found[1], found[2]
        known = self._spec.inputs if group == "inputs" else self._spec.outputs
        if name not in known:
            hint = did_you_mean(name, known) or f"the stage declares no {group}"
            self._problems.report(place, f"unknown name '{group}.{name}'", hint)
        self._mentions[name] = None
        return {group[:-1]: name}

    def _check_paths(self, key: str) -> None:
        """Outputs that nothing tells the program of, and names that are taken."""
        for group in ("inputs", "outputs"):
            if key in getattr(self._spec, group):
                what = f"'{key}' cannot be the name of one of the {group} here"
                self._problems.report((*self._base, group, key), what, "rename it")
        for name, output in self._spec.outputs.items():
            if name not in self._mentions and name not in self._alone and output.kind != "external":
                what = f"nothing tells the program where to write the output '{name}'"
                hint = f"write ${{outputs.{name}}} in '{key}'; or, where it writes {output.path} by itself, declare it by path"
                hint += f" alone: outputs: [{output.path}]"
                self._problems.report((*self._base, "outputs", name), what, hint)


def _escaped(text: str) -> str:
    """A text that holds no expression, as pipeline files have it."""
    return text.replace("${", "$${")


def _has_paths(parts: Sequence[Value]) -> bool:
    return any(isinstance(part, dict) for part in parts)


def _quote_after(text: str, quote: str) -> str:
    """The quote that is open after a text of the shell, where `quote` is open before it; `""` for none."""
    for found in _QUOTES.finditer(text):
        sign = found[0]
        if sign in {"'", '"'} and quote in {"", sign}:
            quote = "" if quote else sign
        elif len(sign) == 2 and quote == "'" and sign[1] == "'":
            quote = ""  # within single quotes a backslash is one
    return quote


def executor_of(
    program: Program, spec: StageFile, defaults: DefaultsFile, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The options of a stage that runs a program: without a kernel, which starts faster, unless one is asked for."""
    if program.kind == "sql":
        return {**options, "executor": "inprocess", "kernel": None}
    asked = spec.kernel or defaults.kernel
    return {**options, "executor": spec.executor or ("kernel" if asked else "inprocess")}


def told(
    program: Program, passed: Mapping[str, Mapping[str, tuple[str, ...]]]
) -> dict[str, Mapping[str, tuple[str, ...]]]:
    """The variables of inputs and outputs where some are declared by path alone: a program is told of those that its arguments
    name, and SQL, which opens no file by itself, of all."""
    return {
        group: {
            name: variable or ((name,) if program.kind == "sql" or name in program.mentions else ())
            for name, variable in names.items()
        }
        for group, names in passed.items()
    }
