"""The notebook that is made for a program."""

from __future__ import annotations

import json

import nbformat
import pytest

from stagebook.pipeline.model import Program
from stagebook.pipeline.notebook import facts_of
from stagebook.pipeline.program_cells import as_file, cells_of, notebook_of

PROGRAMS = {
    "script": (Program(kind="script", target="a.py"), {"args": ""}, "script('a.py', args, raw=raw, out=out)"),
    "no arguments": (Program(kind="script", target="a.py"), {}, "script('a.py', [], raw=raw, out=out)"),
    "command": (
        Program(kind="command", target="ls -l", words=("ls", "-l")),
        {"command": ""},
        "command(['ls', '-l'], command, raw=raw, out=out)",
    ),
    "function": (
        Program(kind="function", target="m:f"),
        {"depth": "int"},
        "function('m:f', depth=depth, raw=raw, out=out)",
    ),
    "sql": (
        Program(kind="sql", target="a.sql", connection="base"),
        {"day": ""},
        "sql('a.sql', 'base', params={'day': day}, inputs={'raw': raw}, output=out)",
    ),
}


@pytest.mark.parametrize("kind", PROGRAMS)
def test_it_declares_what_is_passed_and_calls_the_program(kind: str) -> None:
    program, params, call = PROGRAMS[kind]
    cells = cells_of(program, params, {"raw": ""}, {"out": ""})
    assert cells[1] == f"import stagebook_program\n\nstagebook_program.{call}"
    data = notebook_of(cells, program)
    facts = facts_of(data)
    assert list(facts.parameters or {}) == [*params, "raw", "out"]
    nbformat.validate(json.loads(as_file(data)))


def test_annotations_are_text_that_nobody_evaluates() -> None:
    head, _ = cells_of(Program(kind="function", target="m:f"), {"when": "date | None"}, {}, {"o": ""})
    assert head == "when: 'date | None' = None\no = None"
    exec(head, {})  # which has no `date`
    facts = facts_of(notebook_of((head, "1"), Program(kind="function", target="m:f")))
    assert facts.parameters is not None
    assert str(facts.parameters["when"].type) == "date | None"


def test_one_that_gets_nothing_has_a_parameters_cell_too() -> None:
    program = Program(kind="sql", target="a.sql")
    cells = cells_of(program, {}, {}, {})
    assert cells == (
        "# nothing is passed",
        "import stagebook_program\n\nstagebook_program.sql('a.sql', '', params={}, inputs={}, output='')",
    )
    assert facts_of(notebook_of(cells, program)).parameters == {}


def test_it_is_the_same_for_the_same_program() -> None:
    program = Program(kind="script", target="a.py")
    one, other = (as_file(notebook_of(cells_of(program, {}, {}, {}), program)) for _ in range(2))
    assert one == other
