"""What MLflow has of a project whose runs it tracks in `mlflow.db`."""

from __future__ import annotations

from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from stagebook.system.tracking_uri import absolute


def client(root: Path) -> MlflowClient:
    """The interface to the tracking database of the project at `root`."""
    return MlflowClient(tracking_uri=absolute("sqlite:///mlflow.db", root))


def tracked_runs(root: Path, query: str = "", pipeline: str = "p") -> list[Run]:
    """The runs of a pipeline that a query of MLflow finds, the latest first."""
    api = client(root)
    found: list[Run] = list(api.search_runs([api.get_experiment_by_name(pipeline).experiment_id], query))
    return found
