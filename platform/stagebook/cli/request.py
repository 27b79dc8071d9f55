"""What the options of `plan` and `run` ask for, and how to ask for the rest again."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path

from stagebook.planning.select import Selection
from stagebook.project import Given


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A pipeline, its parameters, and which stages of it."""

    pipeline: str | None
    given: Given
    selection: Selection

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
        )

    def command_for(self, pipeline: str, wanted: Sequence[str], every: Sequence[str]) -> str:
        """The command that runs exactly the `wanted` of all stages, with the same parameters."""
        words = ["stagebook", "run", self.pipeline or pipeline]
        if set(wanted) != set(every):
            partly = {stage.split("@")[0] for stage in set(every) - set(wanted)}
            # A matrix of which all points are wanted goes by the name of its stage.
            names = [stage if stage.split("@")[0] in partly else stage.split("@")[0] for stage in wanted]
            for name in dict.fromkeys(names):
                words += ["--only", name]
        for file in self.given.files:
            words += ["--params-file", str(file)]
        for pair in self.given.pairs:
            words += ["-p", pair]
        return shlex.join(words)
