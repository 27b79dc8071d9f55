"""Events out of what `Event.to_json` made of them."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping
from typing import Any

from stagebook import events
from stagebook.artifact import Artifact, artifacts_from_json
from stagebook.audits import audits_from_json
from stagebook.events import Event
from stagebook.figures import figures_from_json
from stagebook.observed import Observed
from stagebook.origin import Origin

KINDS: Mapping[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        events.RunStarted,
        events.AttemptStarted,
        events.CellStarted,
        events.CellEnded,
        events.OutputWritten,
        events.AttemptProgress,
        events.AttemptFrozen,
        events.AttemptEnded,
        events.StageMeasured,
        events.StageExpanded,
        events.StageReused,
        events.StageAccepted,
        events.BookmarkMoved,
        events.StageRetrying,
        events.StageEnded,
        events.VersionPublished,
        events.FiguresCompared,
        events.ScheduleChecked,
        events.NoteAdded,
        events.IncidentMarked,
        events.RunCancelling,
        events.RunEnded,
    )
}

_ENUMS: Mapping[tuple[str, str], type[enum.StrEnum]] = {
    ("CellEnded", "status"): events.CellStatus,
    ("AttemptEnded", "cause"): events.Cause,
    ("StageEnded", "status"): events.Status,
    ("RunEnded", "status"): events.Status,
}


def _inputs_from_json(data: Mapping[str, Any]) -> dict[str, list[Artifact]]:
    return {name: [Artifact.from_json(item) for item in items] for name, items in data.items()}


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "outputs": artifacts_from_json,
    "written": artifacts_from_json,
    "audits": audits_from_json,
    "figures": figures_from_json,
    "inputs": _inputs_from_json,
    "observed": Observed.from_json,
    "origin": Origin.from_json,
}


def from_json(data: Mapping[str, Any]) -> Event:
    """The event that `to_json` made.

    Raises:
        ValueError: the type is unknown, a field is missing, or an output is not described as one.
    """
    name = data.get("type")
    kind = KINDS.get(str(name))
    if kind is None:
        raise ValueError(f"unknown event type {name!r}")
    fields = {field.name for field in dataclasses.fields(kind)}
    values = {key: value for key, value in data.items() if key in fields}
    for key, value in values.items():
        enumeration = _ENUMS.get((kind.__name__, key))
        if enumeration is not None and value is not None:
            values[key] = enumeration(value)
    for key in _READERS.keys() & values.keys():
        values[key] = _READERS[key](values[key])
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"event {name}: {error}") from error
