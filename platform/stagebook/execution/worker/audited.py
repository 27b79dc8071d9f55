"""What the audits of an attempt's outputs came to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from stagebook.artifact import Artifacts
from stagebook.audits import Audits
from stagebook.events import Cause


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """`audits`, `written` and `bookmark` are as in `events.AttemptEnded`; with a `cause` the stage fails. `tables`: the Delta tables
    among the outputs, as they will be."""

    audits: Audits = dataclasses.field(default_factory=dict)
    written: Artifacts = dataclasses.field(default_factory=dict)
    tables: Artifacts = dataclasses.field(default_factory=dict)
    bookmark: Mapping[str, Any] | None = None
    cause: Cause | None = None
    message: str = ""
