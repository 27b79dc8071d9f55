"""What is known of earlier results, and of what was made so far. Plain values and protocols."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Protocol


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A result that a stage came to: in an attempt, or as it was accepted. `number` is that of its event
    in the journal; `outputs` and `scraps` are as in `events.AttemptEnded`; `at` is seconds since the
    epoch; `folder` is the attempt's, relative to the project; `sources` the digest of its cells in the
    store."""

    number: int
    pipeline: str
    stage: str
    run: str
    attempt: int
    at: float
    fingerprint: str
    folder: str = ""
    parts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    scraps: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sources: str = ""
    because: str = ""  # of a result that was accepted

    @property
    def values(self) -> dict[str, Any]:
        """The scraps that have a value, for expressions."""
        return scrap_values(self.scraps)


class Results(Protocol):
    """The results that the journal knows."""

    def find(self, fingerprint: str) -> Iterable[Result]:
        """Those with this fingerprint, the latest first."""
        ...

    def latest(self, pipeline: str, stage: str) -> Result | None:
        """The one that a stage instance came to last."""
        ...

    def has_head(self, head: str) -> bool:
        """Whether there is any with this head."""
        ...


class NoResults:
    """Of a project in which nothing ran yet."""

    def find(self, fingerprint: str) -> Iterable[Result]:  # noqa: ARG002 - the protocol's
        """None."""
        return ()

    def latest(self, pipeline: str, stage: str) -> Result | None:  # noqa: ARG002
        """None."""
        return None

    def has_head(self, head: str) -> bool:  # noqa: ARG002
        """No."""
        return False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a stage instance left in this run, or is known to leave: output path → digest, and the scraps
    with values. `mark` stands for outputs that have no digest, such as tables."""

    outputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    scraps: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    mark: str = ""


def made_of(outputs: Mapping[str, Mapping[str, Any]], scraps: Mapping[str, Any], mark: str) -> Made:
    """What an attempt's, or a result's, outputs and scraps come to for those that build on them."""
    digests = {item["path"]: item["sha256"] for item in outputs.values() if "sha256" in item}
    return Made(outputs=digests, scraps=scrap_values(scraps), mark=mark)


def scrap_values(scraps: Mapping[str, Any]) -> dict[str, Any]:
    """The scraps that have a value, for expressions."""
    return {name: scrap["value"] for name, scrap in scraps.items() if "value" in scrap}
