"""What an attempt was seen to read and write: files and folders of the project."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The paths that an attempt read and wrote, relative to the project's folder with `/`, sorted. A folder stands for a
    listing of it, or for all that is in it. `left_out`: how many more there were. `inputs` and `outputs` are the paths
    that were declared at that time, where they are known; they are kept as artifacts, and not here."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    left_out: int = 0
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """It as plain data."""
        made: dict[str, Any] = {"reads": list(self.reads), "writes": list(self.writes)}
        return {**made, "left_out": self.left_out} if self.left_out else made

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Observed | None:
        """What `to_json` made; `None`, as the data is, where nothing could be observed. Raises `ValueError`."""
        if data is None:
            return None
        if not isinstance(data, Mapping):
            raise ValueError(f"what was observed is {data!r}")  # noqa: TRY004 - as for all that an event holds
        reads, writes, left_out = (data.get(name) or () for name in ("reads", "writes", "left_out"))
        if not all(isinstance(path, str) for paths in (reads, writes) for path in paths):
            raise ValueError("what was observed is no list of paths")
        return cls(reads=tuple(reads), writes=tuple(writes), left_out=left_out or 0)
