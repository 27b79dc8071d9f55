"""A manifest: everything that one version of an environment shows, as a value and as a file that people can read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from stagebook.artifact import Artifact

FILE = "manifest.json"
_VERSION = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PublishedDataset:
    """One output in a version. `artifact.path` is its path in the folder of the version, that of the project. `contract` is
    what the audit of its contract came to: empty without one, else `passed`, `warned`, `quarantined`; `run` made it."""

    artifact: Artifact
    run: str = ""
    contract: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PublishedStage:
    """One stage instance in a version. `notebook` is the executed one, relative to the folder of the version; empty where
    there is none any more. `run` and `attempt` made its result."""

    fingerprint: str
    run: str = ""
    attempt: int = 0
    notebook: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPipeline:
    """One pipeline in a version: the `run` that published it, with its parameters, of a `release`."""

    run: str
    at: float
    release: str = ""
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    stages: Mapping[str, PublishedStage] = dataclasses.field(default_factory=dict)
    datasets: Mapping[str, PublishedDataset] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One version of an environment.

    Attributes:
        version: its number, from 1.
        at: when it was published, in seconds since the epoch.
        kind: what published it: `run`, `deployment`, `promotion` or `rollback`.
        by: who did.
        because: why, as they said.
        approved_by: who said yes to it, where somebody else did.
        release: the one that runs in the environment from then on; empty where that is the working tree.
        pipelines: by name.
        before: the version that it took the place of; 0 for the first one.
        shows: of a rollback, the version whose content it has; else 0.
    """

    environment: str
    version: int
    at: float
    kind: str = "run"
    by: str = ""
    because: str = ""
    approved_by: str = ""
    release: str = ""
    pipelines: Mapping[str, PublishedPipeline] = dataclasses.field(default_factory=dict)
    before: int = 0
    shows: int = 0

    @property
    def datasets(self) -> dict[str, PublishedDataset]:
        """The datasets of all pipelines by their names: `pipeline.stage.output`."""
        return {
            f"{pipeline}.{name}": dataset
            for pipeline, one in self.pipelines.items()
            for name, dataset in one.datasets.items()
        }

    def same_as(self, other: Manifest) -> bool:
        """Whether both show the same: the same contents, made by the same code with the same parameters."""
        return _shown(self) == _shown(other)

    def to_text(self) -> str:
        """The text of its file."""
        data = dataclasses.asdict(self)
        for name, one in self.pipelines.items():
            plain = data["pipelines"][name]["datasets"]
            for dataset, item in one.datasets.items():
                plain[dataset]["artifact"] = item.artifact.to_json()
        return json.dumps({"v": _VERSION, **data}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_text(cls, text: str | bytes) -> Manifest:
        """The manifest in a file. Raises `ValueError` where it is none."""
        try:
            data = json.loads(text)
            return cls(
                environment=str(data["environment"]),
                version=int(data["version"]),
                at=float(data["at"]),
                kind=str(data["kind"]),
                by=str(data["by"]),
                because=str(data["because"]),
                approved_by=str(data["approved_by"]),
                release=str(data["release"]),
                before=int(data["before"]),
                shows=int(data["shows"]),
                pipelines={str(name): _pipeline(one) for name, one in data["pipelines"].items()},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not a manifest") from error


def _pipeline(data: Mapping[str, Any]) -> PublishedPipeline:
    return PublishedPipeline(
        run=str(data["run"]),
        at=float(data["at"]),
        release=str(data["release"]),
        params=dict(data["params"]),
        stages={str(name): PublishedStage(**one) for name, one in data["stages"].items()},
        datasets={
            str(name): PublishedDataset(**{**one, "artifact": Artifact.from_json(one["artifact"])})
            for name, one in data["datasets"].items()
        },
    )


def _shown(manifest: Manifest) -> dict[str, Any]:
    return {
        name: (
            one.release,
            dict(one.params),
            {stage: item.fingerprint for stage, item in one.stages.items()},
            {dataset: (item.artifact.path, item.artifact.content) for dataset, item in one.datasets.items()},
        )
        for name, one in manifest.pipelines.items()
    }
