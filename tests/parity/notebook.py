"""A notebook of the corpus, as a value; `written` makes a file of it."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from collections.abc import Mapping
from typing import Any

from building import notebook_data


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Notebook:
    """One notebook of the corpus.

    Attributes:
        cells: as `building.notebook_data` takes them; a cell that starts with `#raw` is a raw one.
        params: its parameters cell, and `values` what is passed to it.
        version: of its format.
        metadata: of the notebook, in place of that of a Python notebook.
        files: what else is in the project, by path.
        needs: modules without which it is left out.
        rows: each cell after the first two is a row that may fail, compared for itself.
    """

    cells: tuple[str, ...] = ()
    params: str | None = None
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    version: tuple[int, int] = (4, 5)
    metadata: Mapping[str, Any] | None = None
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    needs: tuple[str, ...] = ()
    rows: bool = False

    @property
    def lacks(self) -> list[str]:
        """The modules that it needs and that are not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


def written(notebook: Notebook) -> str:
    """The text of its file."""
    data = notebook_data(*notebook.cells, params=notebook.params)
    for cell in data["cells"]:
        if cell["source"].startswith("#raw"):
            cell |= {"cell_type": "raw", "source": cell["source"][4:].strip()}
            del cell["outputs"], cell["execution_count"]
    major, minor = notebook.version
    data |= {"nbformat": major, "nbformat_minor": minor}
    if notebook.metadata is not None:
        data["metadata"] = dict(notebook.metadata)
    if notebook.version < (4, 5):
        for cell in data["cells"]:
            del cell["id"]
    if major == 3:
        data["worksheets"] = [{"metadata": {}, "cells": [_of_format_3(cell) for cell in data.pop("cells")]}]
    return json.dumps(data, indent=1)


def _of_format_3(cell: dict[str, Any]) -> dict[str, Any]:
    if cell["cell_type"] != "code":
        return cell
    made = {name: value for name, value in cell.items() if name not in {"source", "execution_count"}}
    return {**made, "input": cell["source"], "language": "python", "prompt_number": 1, "collapsed": False}
