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
    *("widget_state_kept", "scrapbook", "exception", "exit_3", "keyboard_interrupt", "working_folder"),
    *("late_thread", "skipped", "parameters", "nbformat_3_0"),
)
