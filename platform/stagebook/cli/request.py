"""What the options of `plan` and `run` ask for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stagebook.planning.select import Selection
from stagebook.runs.request import RunRequest


def request_of(
    pipeline: str | None,
    stages: Sequence[str] | None = None,
    params: Sequence[str] | None = None,
    params_file: Sequence[Path] | None = None,
    start: Sequence[str] | None = None,
    only: Sequence[str] | None = None,
    skip: Sequence[str] | None = None,
    **how: Any,
) -> RunRequest:
    """The request from options as typer gives them."""
    how |= {name: how.get(name) or "" for name in ("interval", "schedule", "run_id", "parent")}
    return RunRequest(
        pipeline=pipeline,
        pairs=tuple(params or ()),
        files=tuple(params_file or ()),
        selection=Selection(
            targets=tuple(stages or ()),
            start=tuple(start or ()),
            only=tuple(only or ()),
            skip=tuple(skip or ()),
        ),
        **how,
    )
