"""All notebooks of the corpus, by name, and those that `make test` runs."""

from __future__ import annotations

from parity.notebook import Notebook
from parity.notebooks import features, rows

# Those with many rows come first, as they take longest.
NOTEBOOKS: dict[str, Notebook] = {
    **{
        f"rows_of_{name}": Notebook(
            cells=(*rows.FIRST, *(f"#tag raises-exception\n{row}" for row in table)),
            files=rows.FILES,
            rows=True,
        )
        for name, table in rows.TABLES.items()
    },
    **features.DISPLAYS,
    **features.LIBRARIES,
    **features.STREAMS,
    **features.ERRORS,
    **features.MAGICS,
    **features.CONCURRENT,
    **features.CELLS,
    **features.PARAMETERS,
    **features.FORMATS,
}
OFTEN = (
    *(f"rows_of_{name}" for name in rows.TABLES),
    *(
        "missing_image",
        "widget_state_kept",
        "scrapbook",
        "exception",
        "error_with_cause_and_note",
        "syntax_error",
    ),
    *("exit_0", "exit_3", "keyboard_interrupt", "unknown_magic", "asks", "working_folder", "local_modules"),
    *("surroundings", "late_thread", "skipped", "cells_that_are_no_code", "parameters", "nbformat_3_0"),
)
