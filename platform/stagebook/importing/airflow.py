"""A DAG file of Airflow as a pipeline file. The code is read and not run: what it does beyond tasks that execute notebooks or
commands is noted."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from typing import Any

from stagebook.importing.code_values import NotRead, name_of, plain, source_of
from stagebook.importing.code_walk import Place, Walk
from stagebook.importing.command_line import stage_of
from stagebook.importing.draft import Draft, StageDraft, name_from
from stagebook.importing.papermill import add_notebook, tree_of
from stagebook.importing.source import Source

_JINJA = re.compile(r"\{\{\s*(.*?)\s*\}\}|\{%.*?%\}", re.DOTALL)
# What Airflow calls the interval that a run is about. `{{ ds }}` is its start as a date.
_NAMES = {
    "ds": "interval.start", "data_interval_start": "interval.start", "execution_date": "interval.start",
    "logical_date": "interval.start", "data_interval_end": "interval.end", "next_ds": "interval.end",
    "data_interval_start | ds": "interval.start", "data_interval_end | ds": "interval.end",
}  # fmt: skip
_PRESETS = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}  # fmt: skip
_TRIGGERS = {"all_success", "all_done", "one_failed", "all_failed", "one_success", "none_failed"}
_SECONDS = {"days": "d", "hours": "h", "minutes": "m", "seconds": "s"}
_EMPTY = {"EmptyOperator", "DummyOperator"}


def read_airflow(source: Source) -> Draft | None:
    """The pipeline of a DAG file; `None` where it has none. Mistakes are in `source.problems`."""
    tree = tree_of(source)
    if tree is None:
        return None
    reader = _Reader(source)
    Walk(tree, reader.on_call, reader.on_other)
    reader.finish(tree)
    if not reader.draft.stages and not source.problems:
        hint = "stages come from PapermillOperator and BashOperator"
        source.report((), "no task that executes a notebook or a command is in the file", hint)
    return reader.draft


class _Task(str):
    """The name of a task in the values of variables: what `>>` joins."""

    __slots__ = ()


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self.draft = Draft(name=name_from(source.stem, default="dag"), tool="airflow", source=source.path)
        self._edges: dict[str, list[str]] = {}  # task → those before it
        self._named = False

    # -- calls ----------------------------------------------------------------------------------

    def on_call(self, node: ast.Call, name: str, place: Place) -> Any:
        """Take a task as a stage, and settings of the DAG as those of the pipeline."""
        short = name.rpartition(".")[2]
        words = {word.arg: word.value for word in node.keywords if word.arg}
        if short in {"DAG", "dag"}:
            self._dag(node, words, place)
            return "dag"
        if short in {"set_upstream", "set_downstream"} and isinstance(node.func, ast.Attribute) and node.args:
            pair = [self._tasks(node.func.value, place), self._tasks(node.args[0], place)]
            self._join(*(pair if short == "set_downstream" else reversed(pair)))
            return None
        if short == "chain":
            groups = [self._tasks(arg, place) for arg in node.args]
            for before, after in itertools.pairwise(groups):
                self._join(before, after)
            return None
        if "task_id" in words:
            return self._task(node, short, words, place)
        return None

    def _task(self, node: ast.Call, operator: str, words: dict[str, ast.expr], place: Place) -> _Task:
        called = _value(words["task_id"], place)
        name = called if isinstance(called, str) else source_of(words["task_id"])
        if operator == "PapermillOperator":
            arguments = {
                "notebook": words.get("input_nb"),
                "output": words.get("output_nb"),
                "params": words.get("parameters"),
                "name": words["task_id"],
            }
            stage = add_notebook(self.draft, self._source, node, arguments, place)
        elif operator == "BashOperator":
            stage = self._bash(node, name, words, place)
        else:
            if operator not in _EMPTY:
                self.draft.notes.append(
                    f"the task '{name}' of {operator}: make it a stage with 'function' or 'script'"
                )
            return _Task(f"?{name}")
        if stage is None:
            return _Task(f"?{name}")
        stage.keys = {key: self._without_jinja(value, stage) for key, value in stage.keys.items()}
        self._options(stage, words, place)
        return _Task(stage.name)

    def _bash(self, node: ast.Call, name: str, words: dict[str, ast.expr], place: Place) -> StageDraft | None:
        command = _value(words.get("bash_command"), place)
        if not isinstance(command, str):
            self.draft.notes.append(f"the task '{name}': its command is not known without running the code")
            return None
        where = (node.lineno, node.col_offset + 1)
        taken = [one.name for one in self.draft.stages]
        stage = StageDraft(name=name_from(name, taken), place=where, notes=[*place.loops.notes])
        self.draft.stages.append(stage)
        stage.put(
            "matrix", {axis: [plain(one) for one in values] for axis, values in place.loops.axes.items()}
        )
        stage_of(
            str(self._without_jinja(command.strip(), stage)),
            stage,
            lambda text: self._source.inside(text, where, folder=""),
        )
        if place.loops.zipped:
            stage.keys["instances"] = {"zip": place.loops.zipped}
        return stage

    def _options(self, stage: StageDraft, words: dict[str, ast.expr], place: Place) -> None:
        trigger = _value(words.get("trigger_rule"), place)
        if trigger in _TRIGGERS - {"all_success"}:
            stage.keys["trigger"] = trigger
        stage.put("retries", _value(words.get("retries"), place))
        stage.put("timeout", _duration(words.get("execution_timeout")))
        stage.put("retry_delay", _duration(words.get("retry_delay")))
        stage.put("kernel", _value(words.get("kernel_name"), place))
        for key in ("pool", "queue", "on_failure_callback", "on_success_callback", "sla", "env", "cwd"):
            if key in words:
                stage.notes.append(f"{key}={source_of(words[key])}")

    # -- the DAG --------------------------------------------------------------------------------

    def _dag(self, node: ast.Call, words: dict[str, ast.expr], place: Place) -> None:
        if self._named:
            self.draft.notes.append("that the file has several DAGs: their stages stand here together")
        self._named = True
        name = _value(words.get("dag_id") or (node.args[0] if node.args else None), place)
        if isinstance(name, str):
            self.draft.name = name_from(name, default="dag")
        description = _value(words.get("description"), place)
        self.draft.description = description if isinstance(description, str) else ""
        schedule = words.get("schedule") or words.get("schedule_interval")
        self._schedule(schedule, words, place)
        params = _value(words.get("params"), place)
        if isinstance(params, dict):
            self.draft.params |= {key: value for key, value in params.items() if str(key).isidentifier()}
        self._defaults(words.get("default_args"), place)

    def _schedule(self, node: ast.expr | None, words: dict[str, ast.expr], place: Place) -> None:
        value = _value(node, place)
        every = _duration(node)
        cron = _PRESETS.get(value, value) if isinstance(value, str) else None
        if cron is not None and not cron.startswith("@"):
            self.draft.schedules["daily" if value == "@daily" else "regular"] = {"cron": cron, "zone": "UTC"}
            if "start_date" in words:
                self.draft.notes.append(f"start_date={source_of(words['start_date'])}")
        elif every:
            self.draft.schedules["regular"] = {"every": every}
        elif node is not None and not (isinstance(node, ast.Constant) and node.value is None):
            self.draft.notes.append(f"the schedule {source_of(node)}")

    def _defaults(self, node: ast.expr | None, place: Place) -> None:
        """`default_args`, as far as they are there as a mapping in the code."""
        raw = node if isinstance(node, ast.Dict) else None
        known = _value(node, place)
        pairs = (
            {
                key.value: value
                for key, value in zip(raw.keys, raw.values, strict=True)
                if isinstance(key, ast.Constant)
            }
            if raw
            else {}
        )
        retries = known.get("retries") if isinstance(known, dict) else _value(pairs.get("retries"), place)
        if isinstance(retries, int) and retries:
            self.draft.defaults["retries"] = retries
        for key, target in (("retry_delay", "retry_delay"), ("execution_timeout", "timeout")):
            if made := _duration(pairs.get(key)):
                self.draft.defaults[target] = made

    # -- order ----------------------------------------------------------------------------------

    def on_other(self, node: ast.expr, place: Place) -> Any:
        """Take `a >> b` and `a << b` as an order."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift | ast.LShift):
            return self._tasks(node, place)
        return None

    def _tasks(self, node: ast.expr, place: Place) -> list[_Task]:
        """The tasks that an expression stands for; what it joins is joined."""
        match node:
            case ast.BinOp(left=left, op=ast.RShift(), right=right):
                before, after = self._tasks(left, place), self._tasks(right, place)
                self._join(before, after)
                return after
            case ast.BinOp(left=left, op=ast.LShift(), right=right):
                after, before = self._tasks(left, place), self._tasks(right, place)
                self._join(before, after)
                return before
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [task for item in items for task in self._tasks(item, place)]
            case ast.Call():
                made = self.on_call(node, source_of(node.func), place)
                return [made] if isinstance(made, _Task) else []
        try:
            found = place.values.of(node)
        except NotRead:
            self.draft.notes.append(f"line {node.lineno}: what comes before or after {source_of(node)}")
            return []
        return [task for task in (found if isinstance(found, list) else [found]) if isinstance(task, _Task)]

    def _join(self, before: list[_Task], after: list[_Task]) -> None:
        for task in after:
            self._edges.setdefault(task, []).extend(one for one in before if one != task)

    def finish(self, tree: ast.Module) -> None:
        """Set the order of the stages; what is no stage is passed through."""
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_task(node):
                note = f"the task '{node.name}', a function in this file: move it to a module, for 'function'"
                self.draft.notes.append(note)
        for stage in self.draft.stages:
            names = dict.fromkeys(self._before(stage.name, set()))
            stage.put("after", [name for name in names if name != stage.name])
            if "after" not in stage.keys and (trigger := stage.keys.pop("trigger", None)):
                stage.notes.append(f"trigger_rule={trigger}: no stage comes before it")

    def _before(self, name: str, seen: set[str]) -> Iterator[str]:
        for one in self._edges.get(name, ()):
            if not one.startswith("?"):
                yield one
            elif one not in seen:
                seen.add(one)
                yield from self._before(one, seen)

    # -- values ---------------------------------------------------------------------------------

    def _without_jinja(self, value: Any, stage: StageDraft) -> Any:
        """Templates of Airflow as expressions."""
        match value:
            case list():
                return [self._without_jinja(item, stage) for item in value]
            case dict():
                return {key: self._without_jinja(item, stage) for key, item in value.items()}
            case str():
                return _JINJA.sub(lambda match: self._expression(match, stage), value)
        return value

    def _expression(self, match: re.Match[str], stage: StageDraft) -> str:
        name = match[1] or ""
        if name in _NAMES:
            return f"${{{_NAMES[name]}}}"
        if re.fullmatch(r"params\.[A-Za-z_]\w*", name) and name[7:] in self.draft.params:
            return f"${{{name}}}"
        if name in {"ds_nodash", "ts_nodash"}:
            stage.notes.append(f"the form of {match[0]}: it is the name of the interval, such as 2026-01-05")
            return "${interval.name}"
        stage.notes.append(f"the template {match[0]}")
        return f"{{{{{name}}}}}"


def _is_task(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    found = (one.func if isinstance(one, ast.Call) else one for one in node.decorator_list)
    return any(name_of(one).split(".")[0] == "task" for one in found)


def _value(node: ast.expr | None, place: Place) -> Any:
    try:
        return None if node is None else plain(place.values.of(node))
    except (NotRead, RecursionError):
        return None


def _duration(node: ast.expr | None) -> str | None:
    """`timedelta(minutes=5)` as `5m`; `None` where it is something else."""
    if not isinstance(node, ast.Call) or not source_of(node.func).endswith("timedelta"):
        return None
    parts = [
        f"{word.value.value}{_SECONDS[word.arg]}"
        for word in node.keywords
        if word.arg in _SECONDS and isinstance(word.value, ast.Constant) and isinstance(word.value.value, int)
    ]
    return "".join(parts) if len(parts) == len(node.keywords) and not node.args else None
