"""What a run is asked for: one value that the command line, JupyterLab and the Python API share."""

from __future__ import annotations

import dataclasses
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.pipeline.types import Value
from stagebook.planning.select import Selection

_TEXTS = ("interval", "schedule", "run_id", "parent")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A pipeline, its parameters, which of its stages, and how to run them.

    Args:
        pipeline: a name under `pipelines/` or a path; `None` where the project has just one.
        values: parameters as values. They win over `pairs`, and these over `files`.
        pairs: parameters as `name=value` texts, as `-p` takes them.
        files: YAML files of parameters.
        selection: the stages.
        force: run the targets, or else the stages of `only`, or else all, though nothing changed.
        audit: hold what the same stages wrote against their contracts again, where they are reused.
        verify: read every file, also those that look as they did when they were read last.
        jobs: how many attempts at a time; `None`: as the settings say.
        keep_going: after a failure, start what does not depend on it.
        keep_dump: of a stage that fails, keep a dump for `stagebook debug`.
        keep_kernel: leave the kernel of a stage that fails alive.
        wait: wait while another run of the pipeline goes on.
        sweep: a run for each point of the parameters that have a list of values.
        most: run at most so many points of a sweep.
        stop_when: end a sweep once this rule holds: `train.auc >= 0.9`.
        interval: what the run is about, as `timing.reading` reads it; empty: what the schedule of the pipeline says.
        schedule: the name of the schedule that asks.
        run_id: the id of the run, where it was chosen before; it runs once.
        parent: the run that owns the pipeline meanwhile, of which this one is a part.
    """

    pipeline: str | None = None
    values: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    pairs: Sequence[str] = ()
    files: Sequence[Path] = ()
    selection: Selection = dataclasses.field(default_factory=Selection)
    force: bool = False
    audit: bool = False
    verify: bool = False
    jobs: int | None = None
    keep_going: bool = False
    keep_dump: bool = False
    keep_kernel: bool = False
    wait: bool = False
    sweep: bool = False
    most: int | None = None
    stop_when: str | None = None
    interval: str = ""
    schedule: str = ""
    run_id: str = ""
    parent: str = ""

    @classmethod
    def of(
        cls, request: RunRequest | str | None = None, values: Mapping[str, Value] | None = None, **fields: Any
    ) -> RunRequest:
        """A request as it is; or one for the pipeline of that name, with `values` and other fields."""
        if isinstance(request, RunRequest):
            return request
        return cls(pipeline=request, values=values or {}, **fields)

    @property
    def forced(self) -> tuple[str, ...] | None:
        """The stages to run though nothing changed: names and globs; `()` for all, `None` for none."""
        return self.selection.named if self.force else None

    def to_argv(self) -> list[str]:
        """The words after `stagebook` that ask for the same. No text is taken for an option."""
        words = ["run"]
        chosen = self.selection
        for option, names in (("from", chosen.start), ("only", chosen.only), ("skip", chosen.skip)):
            words += [f"--{option}={name}" for name in names]
        words += [f"--params-file={file}" for file in self.files]
        words += [f"--param={pair}" for pair in self.pairs]
        words += [f"--param={name}={text_of(value)}" for name, value in self.values.items()]
        given = {"jobs": self.jobs, "max": self.most, "stop-when": self.stop_when}
        texts = {name.replace("_", "-"): getattr(self, name) for name in _TEXTS}
        given |= {option: text or None for option, text in texts.items()}
        words += [f"--{option}={value}" for option, value in given.items() if value is not None]
        flags = {
            "--keep-going": self.keep_going,
            "--force": self.force,
            "--audit": self.audit,
            "--verify": self.verify,
            "--sweep": self.sweep,
            "--keep-kernel": self.keep_kernel,
            "--debug-on-failure": self.keep_dump,
            "--wait": self.wait,
        }
        words += [flag for flag, wanted in flags.items() if wanted]
        places = [*([] if self.pipeline is None else [self.pipeline]), *chosen.targets]
        return [*words, *(["--"] if any(place.startswith("-") for place in places) else []), *places]


def text_of(value: Value) -> str:
    """The text that `-p` reads as this value."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def run_id(at: float) -> str:
    """An id for a run: its start, given in seconds since the epoch, in UTC, and four letters that make it
    unique."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(at))}-{secrets.token_hex(2)}"
