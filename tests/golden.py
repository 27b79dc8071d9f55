"""Golden files: inputs and the whole output that each is to have, side by side in one text.

    === the name of the case
    the input
    >>> arguments of a command, if any
    the output

What stands before the first case is about all of them. In an input, `<U+0000>` is a character and `<f*300>` a
character that is repeated. `pytest --update-golden` rewrites the outputs; look at the difference before you commit.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"
_CASE = re.compile(
    r"^=== (?P<name>.+)\n(?P<text>(?:.*\n)*?)>>>(?P<arguments>.*)\n(?P<output>(?:.*\n)*?)(?=\n*(?:^=== |\Z))",
    flags=re.MULTILINE,
)
_SHORT = re.compile(r"<(?:U\+(?P<code>[0-9A-F]{4,6})|(?P<character>.)\*(?P<times>\d+))>")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case of the golden file at `path`; `text` is its input, `output` ends without a line end."""

    path: Path
    name: str
    text: str = ""
    arguments: tuple[str, ...] = ()
    output: str = ""


def read_cases(path: Path) -> list[Case]:
    """The cases of a golden file."""
    return [
        Case(
            path=path,
            name=found["name"],
            text=_SHORT.sub(_written_out, found["text"]),
            arguments=tuple(shlex.split(_SHORT.sub(_written_out, found["arguments"]))),
            output=found["output"].removesuffix("\n"),
        )
        for found in _CASE.finditer(path.read_text(encoding="utf-8") if path.exists() else "")
    ]


def cases(name: str) -> list[object]:
    """All cases of the golden file `name`.txt, or of all files in the folder `name`, as parameters of a test."""
    paths = sorted((GOLDEN / name).rglob("*.txt")) or [GOLDEN / f"{name}.txt"]
    return [pytest.param(case, id=f"{path.stem}: {case.name}") for path in paths for case in read_cases(path)]


class Golden:
    """Compares outputs with those of golden files, or writes them there where `update` is set."""

    def __init__(self, *, update: bool, default: Callable[[], Case]) -> None:
        self._update = update
        self._default = default

    def __call__(self, output: str, case: Case | None = None) -> None:
        """Compare the output of a case, the test's own by default; fails with the difference."""
        case = case or self._default()
        if output == case.output:
            return
        if self._update:
            write_output(case, output)
            return
        lines = difflib.unified_diff(
            case.output.splitlines(), output.splitlines(), "expected", "found", lineterm="", n=99
        )
        where = f"{case.path.relative_to(GOLDEN.parent.parent)}: {case.name}"
        pytest.fail("\n".join([where, *lines, "(pytest --update-golden rewrites it)"]), pytrace=False)


def default_case(path: Path, test: str) -> Case:
    """The case of a test that names none: in the file of its module, under its own name."""
    golden = GOLDEN / f"{path.stem.removeprefix('test_')}.txt"
    name = test.removeprefix("test_").replace("_", " ")
    return next((case for case in read_cases(golden) if case.name == name), Case(path=golden, name=name))


def refuse_update(workers: int) -> str:
    """Why golden files are not to be rewritten here, empty where they may; `workers`: those of pytest-xdist."""
    if os.environ.get("CI"):
        return "CI compares golden files and does not rewrite them"
    return "run it without -n, so that one process writes a file" if workers else ""


def write_output(case: Case, output: str) -> None:
    """Rewrite the output of a case in its file; a case that is not there comes at the end."""
    text = case.path.read_text(encoding="utf-8") if case.path.exists() else ""
    block = f"{output}\n" if output else ""
    for found in _CASE.finditer(text):
        if found["name"] == case.name:
            text = text[: found.start("output")] + block + text[found.end("output") :]
            break
    else:
        text = f"{text.rstrip()}\n\n=== {case.name}\n>>>\n{block}".lstrip("\n")
    case.path.parent.mkdir(parents=True, exist_ok=True)
    case.path.write_text(text, encoding="utf-8")


def _written_out(found: re.Match[str]) -> str:
    if found["code"]:
        return chr(int(found["code"], 16))
    return found["character"] * int(found["times"])
