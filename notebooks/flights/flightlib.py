"""What the flights notebooks share: where the project is, a few facts, and the style of the plots.

It imports nothing heavy, so that a notebook which draws nothing does not pay for matplotlib.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow as pa

LATE_MINUTES: Final = 15
"""A flight is late when it arrives this many minutes after schedule, or more (the usual US rule)."""

FLIGHT_KEY: Final = ("month", "day", "carrier", "flight", "origin")
"""The columns that tell one flight of 2013 from every other."""

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

INK: Final = "#334155"
BLUE: Final = "#2f6fb5"
ORANGE: Final = "#d9822b"
TEAL: Final = "#1b9e8f"
RED: Final = "#c8443c"
GREY: Final = "#94a3b8"
ORIGIN_COLOURS: Final[dict[str, str]] = {"EWR": BLUE, "JFK": ORANGE, "LGA": TEAL}

PLOT_STYLE: Final[dict[str, object]] = {
    "figure.figsize": (7.2, 3.2),
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}
"""Settings for `matplotlib.rcParams.update`."""


def go_to_project_root() -> Path:
    """Make the project root the working directory, and return it.

    JupyterLab starts a kernel in the notebook's own folder; a pipeline starts it in the project
    root, where the paths in the notebooks begin. Anywhere but in this folder nothing changes.
    """
    here = Path(__file__).resolve().parent
    if Path.cwd().resolve() == here:
        os.chdir(here.parents[1])
    return Path.cwd()


def table(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table: a Delta table as it is now, or a Parquet file."""
    if (Path(path) / "_delta_log").is_dir():
        from deltalake import DeltaTable  # noqa: PLC0415 - the stages before have no table yet

        return DeltaTable(path).to_pyarrow_table(columns=list(columns) if columns is not None else None)
    from pyarrow import parquet  # noqa: PLC0415 - see the top

    return parquet.read_table(path, columns=columns)
