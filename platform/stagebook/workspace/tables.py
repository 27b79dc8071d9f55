"""Delta tables, as far as it shows before anything is written whether they can be."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from stagebook.system.delta_log import is_table


class Tables:
    """The tables of the project at `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def can_be_written(self) -> bool:
        """Whether what writes them is installed: deltalake, which is an extra."""
        return importlib.util.find_spec("deltalake") is not None

    def is_blocked(self, path: str) -> bool:
        """Whether something else is at the place of a table."""
        place = self._root / path
        return place.exists() and not (place.is_dir() and (is_table(place) or not any(place.iterdir())))
