"""Ploomber's `pipeline.yaml` (https://docs.ploomber.io/en/latest/api/spec.html) as a pipeline file."""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from stagebook.errors import did_you_mean
from stagebook.importing.draft import Draft, StageDraft, listed, name_from, variable_from
from stagebook.importing.placeholders import Placeholders
from stagebook.importing.ploomber_code import code_of, mentions, products_in, upstream_in
from stagebook.importing.source import Source
from stagebook.pipeline.model import Location
from stagebook.pipeline.types import describe

_NOTEBOOKS = (".py", ".ipynb", ".md", ".R", ".Rmd", ".r")
_CLASSES = {
    "NotebookRunner": "notebook", "ScriptRunner": "script", "PythonCallable": "function", "SQLScript": "sql",
    "SQLDump": "sql", "ShellScript": "command",
}  # fmt: skip
_HOOKS = ("on_finish", "on_render", "on_failure")
_KNOWN = {
    "source",
    "name",
    "class",
    "product",
    "params",
    "upstream",
    "grid",
    "kernelspec_name",
    "nb_product_key",
}
_SILENT = {
    "static_analysis",
    "local_execution",
    "chunksize",
    "papermill_params",
    "product_class",
    "nbconvert_exporter_name",
}
_NO_CLIENTS = "its client {}: declare a connection, and name it with 'connection' or in the code"
_FORMATS = (".ipynb", ".html", ".md")


def read_ploomber(source: Source) -> Draft | None:
    """The pipeline of a `pipeline.yaml`; `None` where nothing can be made of it. Mistakes are in `source.problems`."""
    data = source.yaml()
    if isinstance(data, list):
        data = {"tasks": data}
    if not isinstance(data, dict):
        if not source.problems:
            source.report((), "this is no pipeline of Ploomber", "it is a mapping with the key 'tasks'")
        return None
    tasks = data.get("tasks")
    if not isinstance(tasks, list) or not tasks:
        hint = "name the file that has them"
        if "location" in data:
            hint = "the tasks come from a function ('location'), and code is not executed: write them down"
        source.report((), "there are no tasks in the file", hint)
        return None
    return _Reader(source, data).draft(tasks)


class _Task:
    """One task: as the file has it, and what it is called here and there."""

    def __init__(self, raw: dict[str, Any], at: int, called: str, stage: StageDraft) -> None:
        self.raw = raw
        self.place: Location = ("tasks", at)
        self.called = called
        self.stage = stage
        self.outputs: dict[str, str] = {}  # key of the product, empty for the only one → its path
        self.notebooks: set[str] = set()  # keys of the product that are the executed notebook
        self.axes: list[str] = []


class _Reader:
    def __init__(self, source: Source, data: dict[str, Any]) -> None:
        self._source = source
        self._data = data
        meta = data.get("meta")
        self._meta: Mapping[str, Any] = meta if isinstance(meta, dict) else {}
        name = source.stem.removeprefix("pipeline").strip(".-_")
        folder = posixpath.basename(source.folder) or source.workspace.root.name
        self._draft = Draft(name=name_from(name or folder), tool="ploomber", source=source.path)
        env_file = posixpath.join(source.folder, f"env.{name}.yaml" if name else "env.yaml")
        self._left: set[str] = set()  # tasks that are no stage
        self._places = Placeholders(source.yaml_beside(env_file))

    def draft(self, tasks: list[Any]) -> Draft:
        """The whole pipeline."""
        more = self._meta.get("import_tasks_from")
        if isinstance(more, str) and (path := self._source.inside(more, ("meta", "import_tasks_from"))):
            tasks = [*tasks, *listed(self._source.yaml_beside(path))]
        found = [task for at, raw in enumerate(tasks) if (task := self._task(raw, at)) is not None]
        for task in found:
            self._fill(task)
        for task in found:
            self._join(task, found)
        self._draft.params = self._places.params
        self._draft.stages = [task.stage for task in found]
        if self._source.folder:
            self._draft.defaults["workdir"] = self._source.folder
        for key in ("executor", "clients", "config", "serializer", "unserializer", *_HOOKS):
            if key in self._data:
                self._draft.notes.append(f"'{key}' of the pipeline: {describe(self._data[key])}")
        return self._draft

    def _task(self, raw: Any, at: int) -> _Task | None:
        place: Location = ("tasks", at)
        if not isinstance(raw, dict) or not isinstance(raw.get("source"), str):
            self._source.report(place, "a task is a mapping with a 'source'", "source: scripts/name.py")
            return None
        source = raw["source"]
        stem = source.rpartition(".")[2] if _is_function(source) else PurePosixPath(source).stem
        called = str(raw.get("name") or stem)
        if raw.get("class") is not None and str(raw["class"]) not in _CLASSES:
            self._draft.notes.append(f"the task '{called}' of the class {raw['class']}")
            self._left.add(called)
            return None
        taken = [stage.name for stage in self._draft.stages]
        stage = StageDraft(name=name_from(re.sub(r"-?\[\[.*?\]\]", "", called), taken), place=place)
        self._draft.stages.append(stage)
        return _Task(raw, at, called, stage)

    # -- one task -------------------------------------------------------------------------------

    def _fill(self, task: _Task) -> None:
        raw, stage = task.raw, task.stage
        text, left = self._places.path(raw["source"])
        stage.notes += left
        kind = self._kind(raw)
        if kind == "function":
            module, _, name = text.rpartition(".")
            stage.keys["function"] = f"{module}:{name}"
            path = ""
        else:
            path = self._source.inside(text, (*task.place, "source"))
            stage.keys[kind] = ["bash", path] if kind == "command" else path
        self._grid(task)
        self._product(task, kind, path)
        self._params(task)
        stage.put("kernel", raw.get("kernelspec_name"))
        if raw.get("local_execution") is True:
            stage.keys["workdir"] = "notebook"
        if kind in {"sql", "command"} and "{{" in self._source.content(path):
            note = "the placeholders {{…}} in its source, which are not filled in: write names there"
            stage.notes.append(note)
        self._remark(task)

    def _kind(self, raw: Mapping[str, Any]) -> str:
        source = raw["source"]
        if (named := _CLASSES.get(str(raw.get("class")))) is not None:
            return named
        if source.endswith(_NOTEBOOKS):
            return "notebook"
        return {".sql": "sql", ".sh": "command"}.get(PurePosixPath(source).suffix, "function")

    def _grid(self, task: _Task) -> None:
        grid = task.raw.get("grid")
        if grid is None:
            return
        grids = listed(grid)
        if not grids or not all(isinstance(one, dict) and one for one in grids):
            self._source.report((*task.place, "grid"), f"a grid is a mapping of lists, not {describe(grid)}")
            return
        first, *others = [{str(key): listed(value) for key, value in one.items()} for one in grids]
        if any(set(other) != set(first) for other in others):
            task.stage.notes.append("grids with other names than the first one: make stages of them")
            others = []
        task.axes = list(first)
        task.stage.keys["matrix"] = self._values(first, task.stage)
        further = [
            self._values(dict(zip(first, values, strict=True)), task.stage)
            for other in others
            for values in itertools.product(*(other[key] for key in first))
        ]
        task.stage.put("instances", {"include": further} if further else None)

    def _product(self, task: _Task, kind: str, path: str) -> None:
        product = task.raw.get("product")
        if product is None and self._meta.get("extract_product", False):
            product = products_in(self._source, kind, path)
        place: Location = (*task.place, "product")
        if isinstance(product, list):
            task.stage.notes.append(f"its product {product} is a table in a database: nothing checks it")
            return
        if product is None:
            task.stage.notes.append("it has no product")
            return
        if not isinstance(product, str | dict):
            self._source.report(place, f"a product is a path or a mapping of paths, not {describe(product)}")
            return
        folder = posixpath.dirname(path) if self._meta.get("product_relative_to_source") else None
        named = product if isinstance(product, dict) else {"": product}
        keys = task.raw.get("nb_product_key") or ["nb"]
        made: dict[str, Any] = {}
        for key, value in named.items():
            if not isinstance(value, str):
                task.stage.notes.append(f"its product '{key}' is {describe(value)}, no path")
                continue
            text, left = self._places.path(value)
            task.stage.notes += left
            if self._source.is_elsewhere(text):
                made[key] = {"path": text, "kind": "external"}
                continue
            target = self._source.inside(
                self._of_grid(task, text), (*place, key) if key else place, folder=folder
            )
            task.outputs[key] = target
            is_notebook = kind == "notebook" and (key in listed(keys) or not key)
            if is_notebook:
                task.notebooks.add(key)
            made[key] = self._notebook(task, target) if is_notebook else target
        if kind == "command":
            task.stage.put("outputs", list(task.outputs.values()))
        else:
            task.stage.put("outputs", {"product": made if isinstance(product, dict) else made.get("")})

    def _notebook(self, task: _Task, target: str) -> Any:
        if not target.endswith(_FORMATS):
            task.stage.notes.append(f"{target}: an executed notebook is written as {', '.join(_FORMATS)}")
        return {"path": target, "kind": "notebook"}

    def _of_grid(self, task: _Task, text: str) -> str:
        """The path of one point of a grid: Ploomber numbers the points where the path does not say which."""
        named = text
        for axis in task.axes:
            named = named.replace(f"[[{axis}]]", f"${{matrix.{variable_from(axis)}}}")
        if not task.axes or named != text:
            return named
        task.stage.notes.append(f"the numbers of the points in {text}: the values are in the path instead")
        stem, ending = posixpath.splitext(text)
        return "-".join([stem, *(f"${{matrix.{variable_from(axis)}}}" for axis in task.axes)]) + ending

    def _params(self, task: _Task) -> None:
        params = task.raw.get("params") or {}
        if not isinstance(params, dict):
            self._source.report((*task.place, "params"), f"params are a mapping, not {describe(params)}")
            return
        made = self._values(params, task.stage)
        made |= {axis: f"${{matrix.{variable_from(axis)}}}" for axis in task.axes}
        task.stage.put("params", made)

    def _values(self, values: Mapping[str, Any], stage: StageDraft) -> dict[str, Any]:
        made = {}
        for key, value in values.items():
            made[key], left = self._places.value(value)
            stage.notes += left
        return made

    def _remark(self, task: _Task) -> None:
        raw, notes = task.raw, task.stage.notes
        for key in (*_HOOKS, "client", "product_client"):
            if key in raw:
                notes.append(_NO_CLIENTS.format(raw[key]) if "client" in key else f"{key}: {raw[key]}")
        known = _KNOWN | _SILENT | {*_HOOKS, "client", "product_client"}
        notes += [f"{key}: {describe(raw[key])}" for key in raw if key not in known]

    # -- what comes before ----------------------------------------------------------------------

    def _join(self, task: _Task, tasks: list[_Task]) -> None:
        kind, program = next(iter(task.stage.keys.items()))
        path = program[1] if isinstance(program, list) else program
        code = code_of(self._source, kind, path)
        given: dict[str, Any] = {}
        flat: list[str] = []
        for other in self._upstream(task, tasks, kind, path):
            read = [key for key in other.outputs if key not in other.notebooks or mentions(code, key)]
            if kind in {"notebook", "function"}:
                read = read or [*other.outputs]
            refs = {key: f"{other.stage.name}.{key or 'product'}" for key in read}
            given[other.called] = refs.get("", refs)
            flat += refs.values()
            if not refs:
                task.stage.keys.setdefault("after", []).append(other.stage.name)
                del given[other.called]
        if kind in {"notebook", "function"}:
            task.stage.put("inputs", {"upstream": given} if given else None)
        elif kind == "sql":
            task.stage.put("inputs", {ref.replace(".", "_").replace("-", "_"): ref for ref in flat})
        else:
            task.stage.put("inputs", flat)

    def _upstream(self, task: _Task, tasks: list[_Task], kind: str, path: str) -> list[_Task]:
        """The tasks before a task; those that a pattern names are set, as they cannot be passed."""
        names = task.raw.get("upstream")
        if names is None and self._meta.get("extract_upstream", True):
            names = upstream_in(self._source, kind, path)
        by_name = {other.called: other for other in tasks}
        found = []
        for name in map(str, listed(names)):
            if name in by_name:
                found.append(by_name[name])
            elif name in self._left:
                task.stage.notes.append(f"that it comes after '{name}'")
            elif "*" in name:
                self._after(task, name, tasks)
            else:
                hint = did_you_mean(name, by_name)
                self._source.report(task.place, f"'{task.called}' comes after an unknown task '{name}'", hint)
        return list(dict.fromkeys(found))

    def _after(self, task: _Task, pattern: str, tasks: list[_Task]) -> None:
        start = pattern.partition("*")[0]
        fitting = [other for other in tasks if other.called.startswith(start) and other is not task]
        for other in fitting:
            task.stage.keys.setdefault("after", []).append(other.stage.name)
        task.stage.notes.append(
            f"upstream['{pattern}']: Ploomber passes a mapping of all points; here an input such as "
            f"{fitting[0].stage.name if fitting else 'STAGE'}.OUTPUT is the list of their paths"
        )


def _is_function(source: str) -> bool:
    return not source.endswith((*_NOTEBOOKS, ".sql", ".sh")) and "/" not in source
