"""Environments: what they show, what a deployment would do, what differs."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from stagebook_lab.wire.actions import STRICT

EnvironmentAction = Literal["promote", "propose", "approve", "reject", "rollback", "ci"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentInfo:
    """An environment. `version` is the one that readers see, 0 where nothing was published; `release` the code that runs
    there, empty where that is the working tree; `waiting` how many proposals wait for somebody's word."""

    name: str
    parent: str
    protected: bool
    path: str
    version: int
    release: str
    at: float | None
    waiting: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentsReply:
    """The environments of a project, by name."""

    environments: tuple[EnvironmentInfo, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VersionInfo:
    """A version of an environment: what published it, who and why. `shows` is the version that a rollback went back to."""

    version: int
    at: float
    kind: str
    by: str
    because: str
    approved_by: str
    release: str
    shows: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PublishedDatasetInfo:
    """A dataset in the version that readers see. `contract`: what the audit came to, empty without one."""

    name: str
    path: str
    size: int | None
    run: str
    contract: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProposalInfo:
    """A deployment that waits for somebody's word."""

    number: int
    release: str
    kind: str
    by: str
    because: str
    at: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentReply:
    """An environment with its versions, the latest first, the datasets that readers see with the models in MLflow that belong
    to them, by name with their versions, and what waits."""

    environment: EnvironmentInfo
    params: dict[str, Any]
    versions: tuple[VersionInfo, ...]
    datasets: tuple[PublishedDatasetInfo, ...]
    models: dict[str, int]
    proposals: tuple[ProposalInfo, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRequest:
    """Asks what a deployment to `target` would do: of what stands in `source`, or of a proposal by its `number`."""

    __pydantic_config__ = STRICT
    target: str
    project: str = ""
    source: str = "dev"
    number: int = 0
    allow_dirty: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PreviewReply:
    """What a deployment would do, as `lines` of text."""

    target: str
    release: str
    protected: bool
    changes_nothing: bool
    lines: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRequest:
    """Does something about the environment `target`. `source`: the environment to promote; `number`: a proposal, or the
    version to go back to, 0 for the one before; `tables`: a rollback puts back tables that runs add to, too. Of `ci` the
    target is what is compared with."""

    __pydantic_config__ = STRICT
    action: EnvironmentAction
    target: str
    project: str = ""
    source: str = "dev"
    number: int = 0
    because: str = ""
    allow_dirty: bool = False
    tables: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PageReply:
    """A page that is shown in a frame of its own, without any rights; empty where there is none. `at`: when it was made."""

    html: str
    at: float | None = None
