"""The options of `plan` and `run` as values."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from stagebook.planning.select import Selection
from stagebook.project import Given


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A pipeline, its parameters, and which stages of it. `forced` stages run though nothing changed: `()`
    means all stages, `None` means none."""

    pipeline: str | None
    given: Given
    selection: Selection
    forced: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls,
        pipeline: str | None,
        stages: Sequence[str] | None,
        params: Sequence[str] | None,
        params_file: Sequence[Path] | None,
        start: Sequence[str] | None,
        only: Sequence[str] | None,
        skip: Sequence[str] | None,
        *,
        force: bool = False,
    ) -> Request:
        """From the options as typer gives them."""
        return cls(
            pipeline=pipeline,
            given=Given(pairs=tuple(params or ()), files=tuple(params_file or ())),
            selection=Selection(
                targets=tuple(stages or ()),
                start=tuple(start or ()),
                only=tuple(only or ()),
                skip=tuple(skip or ()),
            ),
            forced=tuple(stages or only or ()) if force else None,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunFlags:
    """The options of a run that are not about what to run."""

    jobs: int | None = None
    keep_going: bool = False
    keep_dump: bool = False
    keep_kernel: bool = False
    wait: bool = False
