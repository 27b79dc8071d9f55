"""What a stage asks of its program: that its file is there and can be read, and takes what is passed to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from stagebook.errors import did_you_mean
from stagebook.pipeline.model import Location, Pipeline, Program, Stage
from stagebook.pipeline.notebook import NotebookFacts, NotebookUnreadable, facts_of, imports_and_asks
from stagebook.pipeline.notebook_file import read_bytes
from stagebook.pipeline.program_cells import as_file, cells_of, notebook_of
from stagebook.pipeline.signatures import FunctionNotFound, Signature, signature_of
from stagebook.pipeline.sql_text import statements_of
from stagebook.pipeline.types import parse_python, printable
from stagebook.planning.checks import NotebookChecks, passed_to
from stagebook.workspace.paths import PathRefused
from stagebook.workspace.workspace import Workspace

_SUFFIXES = {"script": ".py", "sql": ".sql"}
TABLES = (
    ".parquet",
    ".pq",
    ".csv",
    ".tsv",
    ".json",
    ".jsonl",
    ".ndjson",
)  # what the result of SQL is written as


def program_part(program: Program) -> dict[str, str]:
    """What of a program is part of a fingerprint. The words of a command are among its values."""
    part: dict[str, str] = {program.kind: "" if program.kind == "command" else program.target}
    return {**part, "connection": program.connection} if program.connection else part


class ProgramChecks:
    """Checks the programs of one pipeline, and makes the notebooks that run them.

    Attributes:
        files: stage → the path of the file of its program.
        notebooks: stage → the path of the notebook that is made for it.
    """

    def __init__(self, checks: NotebookChecks) -> None:
        """`checks`: collects what is wrong."""
        self.files: dict[str, str] = {}
        self.notebooks: dict[str, str] = {}
        self._checks = checks
        self._project = checks.project
        self._report = checks.problems.report

    def facts(self, stage: Stage) -> NotebookFacts | None:
        """The facts of the notebook that is made for a stage's program; `None` where the program cannot be run."""
        program = stage.program
        assert program is not None
        place: Location = ("stages", stage.name, program.kind)
        path = stage.notebook if program.kind == "command" else self._file(stage, program, place)
        if path is None:
            return None
        self.files[stage.name] = path
        annotations: Mapping[str, str] = {}
        source, before = "", len(self._checks.problems.found)
        try:
            match program.kind:
                case "script":
                    source = self._script(path, place)
                case "function":
                    source = self._text(path)
                    annotations = self._function(stage, program, path, place)
                case "sql":
                    self._sql(stage, program, path, place)
                case "command":
                    self._command(stage, program, place)
            if len(self._checks.problems.found) > before:
                return None
            made = self._notebook(stage, program, annotations)
        except NotebookUnreadable as error:
            self._report(place, f"'{path}' {error}", error.hint)
            return None
        if stage.executor == "kernel":
            self._checks.check_kernel(stage, made, path)
        imports, asks = imports_and_asks(source)
        if program.kind == "sql" and not program.connection:
            imports = {"duckdb"}
        facts = dataclasses.replace(made, imports=frozenset(imports), asks=frozenset(asks))
        self._checks.check_asks(stage.name, facts, path, program.kind)
        return facts

    def _notebook(self, stage: Stage, program: Program, annotations: Mapping[str, str]) -> NotebookFacts:
        groups: dict[str, dict[str, str]] = {"params": {}, "inputs": {}, "outputs": {}}
        for group, name in passed_to(stage):
            if program.kind == "sql" and group == "outputs" and stage.outputs[name].kind == "external":
                continue
            groups["params" if group == "bookmark" else group][name] = annotations.get(name, "")
        made = notebook_of(cells_of(program, **groups), program)
        self.notebooks[stage.name] = self._project.programs.place(as_file(made))
        return facts_of(made)

    # -- files --------------------------------------------------------------------------------------

    def _file(self, stage: Stage, program: Program, place: Location) -> str | None:
        """The path of the file of a program, normalised; `None` where there is none, which is reported."""
        try:
            path = self._project.inside(stage.notebook)
        except PathRefused as error:
            self._report(place, f"{program.kind}: {error}", error.hint)
            return None
        if program.kind == "function":
            package = f"{path.removesuffix('.py')}/__init__.py"
            path = path if self._project.is_file(path) or not self._project.is_file(package) else package
        suffix = _SUFFIXES.get(program.kind, "")
        if not path.endswith(suffix):
            hint = "a notebook is named by notebook: …" if path.endswith((".ipynb", ".md")) else ""
            what = f"'{path}' is no {'Python script' if suffix == '.py' else 'file of SQL'}: that ends in {suffix}"
            self._report(place, what, hint)
            return None
        if self._project.is_file(path):
            return path
        if program.kind == "function":
            module = program.target.partition(":")[0]
            what = f"there is no module '{module}' in the project: no {path}"
            self._report(place, what, "modules are looked for from the project root")
            return None
        hint = f"a path takes no expressions; pass them as {'args' if program.kind == 'script' else 'params'}"
        hint = hint if "${" in path else "paths are relative to the project root"
        self._report(
            place, f"there is no {program.kind if program.kind == 'script' else 'file'} '{path}'", hint
        )
        return None

    def _text(self, path: str) -> str:
        """The text of a file. Raises `NotebookUnreadable`."""
        try:
            return read_bytes(self._project.root / path).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise NotebookUnreadable("is not UTF-8 text", "save the file as UTF-8") from error

    # -- kinds --------------------------------------------------------------------------------------

    def _script(self, path: str, place: Location) -> str:
        source = self._text(path)
        try:
            tree = parse_python(source)
        except SyntaxError as error:
            self._report(place, printable(f"'{path}' is not Python: {error.msg}, line {error.lineno}"))
        else:
            if not tree.body:
                self._report(place, f"'{path}' has no code to run", "write it, or remove the stage")
        return source

    def _function(self, stage: Stage, program: Program, path: str, place: Location) -> Mapping[str, str]:
        """The annotations of its parameters."""
        name = program.target.partition(":")[2]
        try:
            signature = signature_of(read_bytes(self._project.root / path), name)
        except FunctionNotFound as error:
            what = f"'{path}' has no function '{name}'"
            if str(error):
                what = f"'{path}' {error}" if not str(error).startswith("'") else f"{what}: {error}"
            self._report(place, what, did_you_mean(name, error.names))
            return {}
        self._check_names(stage, program, signature, place)
        return signature.names

    def _check_names(self, stage: Stage, program: Program, signature: Signature, place: Location) -> None:
        given = passed_to(stage)
        for group, name in given:
            if name not in signature.names and not signature.takes_any:
                hint = did_you_mean(name, signature.names) or "it takes nothing"
                self._report(("stages", stage.name, group, name), f"'{program}' takes no '{name}'", hint)
        names = {name for _, name in given}
        for name in signature.needed:
            if name not in names:
                hint = "give it under params, inputs or outputs, or give it a default"
                self._report(place, f"'{program}' needs '{name}', which is not given", hint)
        for name in signature.by_place:
            hint = "remove the / from its signature"
            self._report(place, f"'{program}' takes '{name}' by its place only, and is called by names", hint)

    def _sql(self, stage: Stage, program: Program, path: str, place: Location) -> None:
        statements = statements_of(self._text(path))
        if not statements:
            self._report(place, f"'{path}' has no statement to run", "write a SELECT, or remove the stage")
            return
        files = [name for name, output in stage.outputs.items() if output.kind != "external"]
        gives_rows = any(statement.gives_rows for statement in statements)
        for name in files[1:]:
            where: Location = ("stages", stage.name, "outputs", name)
            self._report(
                where, "SQL gives one output: the result of its last SELECT", "make two stages of it"
            )
        if files and not gives_rows:
            what = f"'{path}' has no SELECT whose result could be written to '{files[0]}'"
            self._report(place, what, "end it with a SELECT, or remove the output")
        if not files and not program.connection:
            self._report(
                place, f"the result of '{path}' goes nowhere", "name an output: outputs: {name: path}"
            )
        for name in files[:1]:
            output = stage.outputs[name].path.source
            if stage.outputs[name].kind == "file" and isinstance(output, str) and not output.endswith(TABLES):
                what = (
                    f"the output '{name}' is written as a table: its path has to end in {', '.join(TABLES)}"
                )
                self._report(("stages", stage.name, "outputs", name), what)
        self._check_params(stage, path, {name: one.line for one in statements for name in one.params}, place)

    def _check_params(self, stage: Stage, path: str, wanted: Mapping[str, int], place: Location) -> None:
        given = [name for group, name in passed_to(stage) if group in {"params", "bookmark"}]
        for name in given:
            if name not in wanted:
                hint = did_you_mean(name, wanted) or f"write ${name} where its value belongs"
                self._report(("stages", stage.name, "params", name), f"'{path}' has no ${name}", hint)
        for name, line in wanted.items():
            if name not in given:
                what = f"'{path}' has ${name} in line {line} or after it, which is not given"
                self._report(place, what, f"give it under params: {name}: …")

    def _command(self, stage: Stage, program: Program, place: Location) -> None:
        word = program.words[0]
        if "${" in word or (stage.executor == "kernel" and stage.kernel):
            return
        if "/" in word and not word.startswith("/") and self._project.is_file(word):
            if not self._project.programs.finds(word):
                self._report(
                    place,
                    f"'{word}' is not executable",
                    f"chmod +x {word}, or name what runs it: [sh, {word}]",
                )
            return
        if not self._project.programs.finds(word):
            hint = "install it, or name it by its path"
            if " " in word:
                hint = (
                    "the words of a command stand for themselves: [curl, -sf, …]; or write it all as one text"
                )
            self._report(place, f"there is no program '{word}' here", hint)


def notebook_of_stage(pipeline: Pipeline, stage: Stage, project: Workspace) -> str:
    """The path of the notebook of a stage; of a program that of the one that is made for it, or of its file where it has
    mistakes."""
    if stage.program is None:
        return stage.notebook
    checks = ProgramChecks(NotebookChecks(pipeline, project))
    checks.facts(stage)
    return checks.notebooks.get(stage.name, stage.notebook)
