from __future__ import annotations

import json

from stagebook.testing.cells import CellCoverage, table

CELLS = ["import pandas\nframe = 1", "# a comment\nif wrong:\n    raise", "x = " + "1 + " * 40 + "1"]


def noted(*executed: bool) -> CellCoverage:
    made = CellCoverage()
    made.note("notebooks/a.ipynb", zip(CELLS, executed, strict=True))
    return made


def test_a_cell_counts_once_any_execution_had_it() -> None:
    found = noted(True, False, False)
    found.note("notebooks/a.ipynb", zip(CELLS, (False, True, False), strict=True))
    (one,) = found.notebooks
    assert one.executed == {1, 2}
    assert one.missed == [3]


def test_a_notebook_that_never_began_is_not_shown() -> None:
    made = CellCoverage()
    made.note("notebooks/a.ipynb", [])
    assert made.notebooks == []


def test_the_table_names_the_cells_that_never_ran_by_what_they_begin_with() -> None:
    found = noted(True, False, False)
    assert list(table(found.notebooks, ["notebooks/b.ipynb"])) == [
        "notebooks/a.ipynb  1/3 cells  33 %",
        "    cell 2 never ran: if wrong:",
        "    cell 3 never ran: x = " + ("1 + " * 40)[:55] + "…",
        "no test executes notebooks/b.ipynb",
    ]


def test_a_cell_of_comments_alone() -> None:
    made = CellCoverage()
    made.note("n.ipynb", [("# later", False)])
    assert made.notebooks[0].lines == ["# later"]


def test_what_other_processes_saw_is_added() -> None:
    one, other = noted(True, False, False), noted(False, False, True)
    one.add(json.loads(json.dumps(other.to_json())))
    assert one.notebooks[0].missed == [2]


def test_as_plain_data() -> None:
    assert noted(True, False, True).notebooks[0].to_json() == {
        "notebook": "notebooks/a.ipynb",
        "cells": 3,
        "executed": 2,
        "missed": [{"cell": 2, "line": "if wrong:"}],
    }
