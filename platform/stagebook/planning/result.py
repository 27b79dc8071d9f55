"""What is known of earlier results, and of what was made so far."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from stagebook.artifact import Artifact, Artifacts, artifacts_from_json, artifacts_to_json
from stagebook.audits import Audits, audits_from_json, audits_to_json
from stagebook.pipeline.evaluator import NoValue
from stagebook.scraps import kinds_in_files, values_of
from stagebook.timing.interval import Interval


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A result that a stage came to: in an attempt, or as it was accepted. `number` is that of its event in
    the journal; `outputs` and `scraps` are as in `events.AttemptEnded`; `at` is seconds since the epoch;
    `folder` is the attempt's, relative to the project; `sources` the digest of its cells in the store. `audits`,
    `written` and `head` are as in `events.AttemptEnded`. `source` is the environment that came to it, empty for this one."""

    number: int
    pipeline: str
    stage: str
    run: str
    attempt: int
    at: float
    fingerprint: str
    folder: str = ""
    parts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    outputs: Artifacts = dataclasses.field(default_factory=dict)
    scraps: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sources: str = ""
    because: str = ""  # of a result that was accepted
    undeclared: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # as in `events.AttemptEnded`
    audits: Audits = dataclasses.field(default_factory=dict)
    written: Artifacts = dataclasses.field(default_factory=dict)
    head: str = ""
    source: str = ""

    @property
    def values(self) -> dict[str, Any]:
        """The values of the scraps, for expressions."""
        return scrap_values(self.scraps)

    @property
    def whole(self) -> dict[str, Artifact]:
        """The outputs as the stage wrote them, also those of which not all rows were published."""
        return {**self.outputs, **self.written}


def result_to_json(result: Result) -> dict[str, Any]:
    """A result as plain data."""
    values = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    return values | {
        "outputs": artifacts_to_json(result.outputs),
        "audits": audits_to_json(result.audits),
        "written": artifacts_to_json(result.written),
    }


def result_from_json(values: Mapping[str, Any]) -> Result:
    """The result that `result_to_json` made. Raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` where it is
    none."""
    typed = {
        "outputs": artifacts_from_json(values["outputs"]),
        "audits": audits_from_json(values.get("audits", {})),
        "written": artifacts_from_json(values.get("written", {})),
    }
    return Result(**{**values, **typed})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """How far a stage with a bookmark has read: item → mark. Of files the items are their paths; of a column there is one,
    OUTPUT.COLUMN. `again`: the attempts (run/stage/attempt) that were taken back: the next one puts its rows in the place
    of theirs."""

    items: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    again: tuple[str, ...] = ()


class Results:
    """Earlier results, as planning asks for them: these are of a project in which nothing ran yet."""

    def find(self, fingerprint: str) -> Iterable[Result]:  # noqa: ARG002 - for those that know results
        """Those with this fingerprint, the latest first."""
        return ()

    def latest(self, pipeline: str, stage: str) -> Result | None:  # noqa: ARG002
        """The one that a stage instance came to last."""
        return None

    def latest_about(self, pipeline: str, stage: str, interval: Interval) -> int:  # noqa: ARG002
        """The number of the one that a stage instance came to last in runs about an interval; 0 where there is none."""
        return 0

    def marks(self, pipeline: str, stage: str, place: str) -> Marks:  # noqa: ARG002
        """How far a stage instance has read that writes to a place, see `bookmarks.place_of`."""
        return Marks()

    def has_head(self, head: str) -> bool:  # noqa: ARG002
        """Whether there is any with this head."""
        return False

    def is_overwritten(self, result: Result) -> bool:  # noqa: ARG002
        """Whether an attempt since may have written what a result left outside of the project."""
        return False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a stage instance left in this run, or is known to leave: output path → `Artifact.content`, and the
    scraps with values. `mark` stands for outputs outside of the project, such as tables:
    it names the attempt that wrote them, and is empty where nobody knows which one did."""

    outputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    scraps: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    mark: str = ""


def why_as_good(result: Result, latest: Result | None) -> str:
    """Why a result counts that is not the `latest` one of its stage, for a person; empty for that itself."""
    if result.because:
        return f"accepted: {result.because}"
    if latest is not None and result.number == latest.number:
        return ""
    return f"as in the run {result.run}" + (f" in {result.source}" if result.source else "")


def made_of(outputs: Artifacts, scraps: Mapping[str, Any], mark: str) -> Made:
    """What an attempt's, or a result's, outputs and scraps come to for those that build on them."""
    contents = {item.path: content for item in outputs.values() if (content := item.content)}
    return Made(outputs=contents, scraps=scrap_values(scraps), mark=mark)


def mark_of(run: str, stage: str, attempt: int) -> str:
    """What stands for what an attempt wrote outside of the project."""
    return f"{run} {stage} {attempt}"


MAX_INLINE = 20_000  # characters of JSON of a scrap; a larger value is kept as a file
_WHATS = {"pandas": "is a table", "display": "is a display"}
_LONG = f"is longer than {MAX_INLINE:,} characters"


def scrap_values(scraps: Mapping[str, Any]) -> dict[str, Any]:
    """The values of scraps for expressions; a `NoValue` of what is kept as a file."""
    absent = {name: NoValue(_WHATS.get(kind, _LONG)) for name, kind in kinds_in_files(scraps).items()}
    return {**values_of(scraps), **absent}
