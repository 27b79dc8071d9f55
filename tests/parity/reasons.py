"""Why a notebook of the corpus differs: by notebook and place (`end`, `widgets`, `cells`, or the source of a cell), the
name of the row in `stagebook.pipeline.differences`."""

from __future__ import annotations

from collections.abc import Mapping

from parity.notebook import Notebook

_RAISES = {"end": "raises-exception"}
FROM_PAPERMILL: Mapping[str, Mapping[str, str]] = {
    "very_large_output": {"print('x' * 1_200_000)": "large outputs"},
    "very_large_display": {"from IPython.display import HTML\nHTML('x' * 11_000_000)": "large outputs"},
    "error_group": {"end": "name of the error"},
    "unknown_magic": {"end": "name of the error"},
    "unknown_cell_magic": {"end": "name of the error"},
    "exit_false": {"end": "exit status"},
    "exit_none": {"end": "exit status"},
    "quit": {"end": "quit", "print('after')": "quit"},
    "process_ends": {"end": "death"},
    "asks": {"input('name? ')": "asking"},
    "asks_for_password": {"import getpass\ngetpass.getpass()": "asking"},
    "raises_exception": _RAISES,
    "rows_of_displays": _RAISES,
    "rows_of_libraries": _RAISES,
    "rows_of_magics": {**_RAISES, "%connect_info": "connection"},
    "rows_of_errors": {
        **_RAISES,
        "input('name? ')": "asking",
        "import getpass\ngetpass.getpass()": "asking",
        "%debug": "asking",
        "import pdb; pdb.set_trace()": "asking",
        "get_ipython().showtraceback()": "asking",
        "import code; code.interact()": "asking",
    },
}
WITHOUT_KERNEL: Mapping[str, Mapping[str, str]] = {
    "exit_hook": {"import atexit\natexit.register(lambda: print('at exit'));": "exit functions"},
    "rows_of_magics": {
        "%qtconsole --help_": "kernel object",
        "%connect_info": "kernel object",
        "%config": "profile",
    },
}
VARIES = {"quit"}
"""With papermill they end sometimes so, sometimes so."""
REFUSED: Mapping[str, tuple[Notebook, str]] = {
    "undeclared": (Notebook(params="n = 1", values={"m": 2}, cells=("n",)), "undeclared parameter"),
    "no_parameters_cell": (Notebook(values={"m": 2}, cells=("1",)), "undeclared parameter"),
    "another_type": (
        Notebook(params="n: int = 1", values={"n": "text"}, cells=("n",)),
        "type of a parameter",
    ),
    "nothing_to_run": (Notebook(cells=("#md *text*", "# a comment")), "no code"),
}
"""Notebooks that papermill runs, and that are a mistake of the pipeline here."""
