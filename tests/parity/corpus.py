"""All notebooks of the corpus, by name."""

from __future__ import annotations

from parity.notebook import Notebook
from parity.notebooks import features, rows

NOTEBOOKS: dict[str, Notebook] = {
    **features.DISPLAYS,
    **features.LIBRARIES,
    **features.STREAMS,
    **features.ERRORS,
    **features.MAGICS,
    **features.CONCURRENT,
    **features.CELLS,
    **features.PARAMETERS,
    **features.FORMATS,
    **{
        f"rows_of_{name}": Notebook(
            cells=(*rows.FIRST, *(f"#tag raises-exception\n{row}" for row in table)),
            files=rows.FILES,
            rows=True,
        )
        for name, table in rows.TABLES.items()
    },
}
