"""What a worker tells its engine, on its standard output: events as they happen, and its result at the end.

Each message is one line of JSON: an event as `Event.to_json` has it, the result as that of
`AttemptResult` with `"type": "AttemptResult"`.
"""

from __future__ import annotations

import json

from stagebook.event_reading import from_json
from stagebook.events import AttemptEvent, Event
from stagebook.execution.attempt import AttemptResult

Message = AttemptEvent | AttemptResult


def to_line(message: Message) -> str:
    """The message as a line of text, with its line end."""
    data = message.to_json()
    if not isinstance(message, Event):
        data["type"] = AttemptResult.__name__
    return json.dumps(data) + "\n"


def from_line(line: bytes | bytearray) -> Message | None:
    """The message that `to_line` wrote; `None` for a line that is torn, or says something else."""
    try:
        data = json.loads(line)
        if data.get("type") == AttemptResult.__name__:
            del data["type"]
            return AttemptResult.from_json(data)
        event = from_json(data)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return event if isinstance(event, AttemptEvent) else None
