"""One side of a comparison, as a value: what a run, a version of an environment or the working tree holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stagebook.artifact import Artifact


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SideDataset:
    """An output.

    Args:
        place: a file or folder that holds it; `None`: it is taken from the store.
        key: the columns that tell its rows apart, where that is known.
        personal: the columns whose values are never shown.
        table: its name within a database.
    """

    artifact: Artifact
    place: Path | None = None
    key: tuple[str, ...] = ()
    personal: tuple[str, ...] = ()
    table: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SideStage:
    """A stage instance.

    Args:
        fingerprint: that of its result; empty where nobody knows it.
        parts: what the fingerprint is made of.
        scraps: the values that its notebook left.
        notebook: the executed notebook; `None` where it is not kept.
        pending: why it has no result yet, such as `would run: cell 3 changed`.
        status: how it ended, where that is no good end.
    """

    fingerprint: str = ""
    parts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    scraps: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notebook: Path | None = None
    pending: str = ""
    status: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SidePipeline:
    """A pipeline: stage instances by id, datasets by `stage.output`."""

    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    stages: Mapping[str, SideStage] = dataclasses.field(default_factory=dict)
    datasets: Mapping[str, SideDataset] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side. `label` says what it is; `release` is the code that it was made by, empty where that is not known."""

    label: str
    release: str = ""
    pipelines: Mapping[str, SidePipeline] = dataclasses.field(default_factory=dict)

    def only(self, names: frozenset[str]) -> Side:
        """The same, of these pipelines alone."""
        kept = {name: one for name, one in self.pipelines.items() if name in names}
        return dataclasses.replace(self, pipelines=kept)
