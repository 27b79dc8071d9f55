"""Command lines of other tools as stages: Python scripts, papermill and nbconvert by what they do, others as they are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from stagebook.importing.draft import StageDraft
from stagebook.pipeline.yaml import parse_scalar

_PYTHON = re.compile(r"(?:.*/)?python(?:3(?:\.\d+)?)?")
_SHELL = re.compile(r"[|&;<>`*?\n]|\$\(|\$(?!\{)|^\w+=")
_WRAPPERS = (["poetry", "run"], ["uv", "run"], ["pipenv", "run"])
# Options of papermill that have a value, by how it is kept.
_PARAMS = {"-p": True, "--parameters": True, "-r": False, "--parameters_raw": False}
_VALUED = {"-k": "kernel", "--kernel": "kernel", "--cwd": "workdir"}
_OTHER_VALUED = {
    "-f", "--parameters_file", "-y", "--parameters_yaml", "-b", "--parameters_base64", "--engine",
    "--request-save-on-cell-execute", "--autosave-cell-every", "--start-timeout", "--execution-timeout",
    "--start_timeout", "--execution_timeout", "--language", "-l", "--stdout-file", "--stderr-file",
}  # fmt: skip
Inside = Callable[[str], str]  # a path as the pipeline file has it


def stage_of(command: str, stage: StageDraft, inside: Inside) -> None:
    """Set what a stage runs by a command line. `inside` makes paths of the project of its paths."""
    words = _words(command)
    if words is None or not words:
        stage.keys["command"] = command
        return
    match words:
        case [python, script, *args] if _PYTHON.fullmatch(python) and script.endswith(".py"):
            stage.keys["script"] = inside(script)
            stage.put("args", [_number(word) for word in args])
        case ["papermill", *args]:
            _papermill(command, args, stage, inside)
        case ["jupyter", "nbconvert", *args] | ["jupyter-nbconvert", *args] if "--execute" in args:
            _nbconvert(command, args, stage, inside)
        case _:
            stage.keys["command"] = words


def _words(command: str) -> list[str] | None:
    """The words of a command that needs no shell; `None` where it does."""
    if _SHELL.search(command.strip()):
        return None
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        return None
    for wrapper in _WRAPPERS:
        if words[: len(wrapper)] == wrapper:
            words = words[len(wrapper) :]
    if words[1:3] == ["-m", "papermill"] and _PYTHON.fullmatch(words[0]):
        words = words[2:]
    return words


def _number(word: str) -> Any:
    return int(word) if re.fullmatch(r"-?(?:0|[1-9]\d{0,17})", word) else word


def _papermill(command: str, args: Sequence[str], stage: StageDraft, inside: Inside) -> None:
    places: list[str] = []
    params: dict[str, Any] = {}
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word in _PARAMS and len(rest) > 1:
            name, text = rest.pop(0), rest.pop(0)
            params[name] = _value(text) if _PARAMS[word] else text
        elif word in _VALUED and rest:
            value = rest.pop(0)
            stage.put(_VALUED[word], value if _VALUED[word] == "kernel" else inside(value) or "project")
        elif word in _OTHER_VALUED and rest:
            stage.notes.append(f"{word} {rest.pop(0)} of papermill")
        elif not word.startswith("-"):
            places.append(word)
    if not places:
        stage.keys["command"] = command
        return
    stage.keys["notebook"] = inside(places[0])
    stage.put("params", params)
    if len(places) > 1:
        executed(stage, inside(places[1]))


def _value(text: str) -> Any:
    """A value as papermill reads it on a command line: a number, true or false, or text."""
    if "${" in text:
        return text
    try:
        value = parse_scalar(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float | bool) else text


def _nbconvert(command: str, args: Sequence[str], stage: StageDraft, inside: Inside) -> None:
    options = dict(re.findall(r"--([\w.-]+)[= ]([^\s-]\S*)", " ".join(args)))
    notebook = next((word for word in args if word.endswith(".ipynb") and word != options.get("output")), "")
    if not notebook:
        stage.keys["command"] = command
        return
    stage.keys["notebook"] = inside(notebook)
    stage.keys["workdir"] = "notebook"  # where nbconvert runs it
    ending = {"notebook": ".ipynb", "html": ".html", "markdown": ".md"}.get(options.get("to", "html"), "")
    folder = options.get("output-dir", notebook.rpartition("/")[0])
    name = options.get("output") or notebook.rpartition("/")[2].removesuffix(".ipynb")
    if ending == ".ipynb" and "output" not in options:
        name += ".nbconvert"  # as it does, so that the notebook itself stays
    if "--inplace" in args:
        stage.notes.append("--inplace: a notebook is not written over by what came out of it")
    elif ending:
        target = f"{name.removesuffix(ending)}{ending}"
        executed(stage, inside(f"{folder}/{target}" if folder else target))
    else:
        stage.notes.append(f"the format {options['to']}")


def executed(stage: StageDraft, path: str) -> None:
    """Have the executed notebook as an output of a stage."""
    if not path.endswith((".ipynb", ".html", ".md")):
        stage.notes.append(f"{path}: an executed notebook is written as .ipynb, .html or .md")
        return
    outputs = stage.keys.setdefault("outputs", {})
    entry = {"path": path, "kind": "notebook"}
    if isinstance(outputs, list):
        outputs.append(entry)
    else:
        outputs["executed"] = entry
