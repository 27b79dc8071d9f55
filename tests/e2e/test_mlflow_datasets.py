"""Outputs are datasets in MLflow, with columns and figures, and the stages that read them are told beside those that made them."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import DatasetInput

from building import ProjectBuilder
from commands import start
from contracted import contract, of_two_stages
from stagebook.events import AttemptEnded, Status
from stagebook.runs.run import RunReport
from stagebook.system.tracking_uri import absolute

pytestmark = [pytest.mark.kernel, pytest.mark.e2e, pytest.mark.filterwarnings("default")]


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    """A stage that writes people, with a contract, and one that counts them."""
    of_two_stages(builder)
    (builder.root / "stagebook.toml").unlink()
    contract(builder, "warn")
    return builder


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of MLflow, of another project."""
    other = ProjectBuilder(tmp_path_factory.mktemp("served"))
    other.file("pipelines/none.yaml", "")
    with start(other.root, "ui", "--json", stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.send_signal(signal.SIGTERM)


def datasets(uri: str, report: RunReport) -> dict[str, dict[str, DatasetInput]]:
    """By stage and by name, what MLflow has."""
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("p")
    assert experiment is not None
    query = f"tags.`stagebook.run_id` = '{report.run}' and tags.`stagebook.kind` = 'stage'"
    return {
        run.info.run_name: {item.dataset.name: item for item in run.inputs.dataset_inputs}
        for run in client.search_runs([experiment.experiment_id], query)
    }


def tags(item: DatasetInput) -> dict[str, str]:
    return {tag.key: tag.value for tag in item.tags}


def check(uri: str, project: ProjectBuilder, report: RunReport) -> None:
    """What MLflow has to have of a run."""
    assert (report.status, report.undelivered, report.tracking.passed_over) == (Status.COMPLETED, 0, ())
    found = datasets(uri, report)
    made, read = found["make"]["p.make.people"], found["count"]["p.make.people"]
    assert made.dataset == read.dataset, "it is one dataset, which one stage wrote and the other read"
    assert tags(made) == {"mlflow.data.context": "output", "stagebook.contract": "1.0.0"}
    assert tags(read) == {"mlflow.data.context": "input"}
    columns = json.loads(made.dataset.schema)["mlflow_colspec"]
    assert [(one["name"], one["type"], one["required"]) for one in columns] == [
        ("name", "string", True),
        ("number", "long", True),
        ("speed", "double", True),
    ]
    profile: dict[str, Any] = json.loads(made.dataset.profile)
    size = (project.root / "data/people.csv").stat().st_size
    assert {key: profile[key] for key in ("rows", "columns", "bytes")} == {
        "rows": 3, "columns": 3, "bytes": size,
    }  # fmt: skip
    assert "nulls" not in profile, "no value is missing"
    assert profile["distinct"] == {"name": 3, "number": 3, "speed": 3}
    assert json.loads(made.dataset.source) == {"uri": "data/people.csv"}
    (ended,) = [
        event
        for event in project.events(report.run)
        if isinstance(event, AttemptEnded) and event.stage == "make"
    ]
    assert ended.outputs["people"].sha256.startswith(made.dataset.digest)
    total = found["count"]["p.count.total"].dataset
    assert (total.schema, json.loads(total.profile)) == (None, {"bytes": 1}), "a text is no table"


@pytest.mark.long
def test_a_database_has_the_datasets_of_a_run(project: ProjectBuilder) -> None:
    report = project.project.run("p")
    check(absolute("sqlite:///mlflow.db", project.root), project, report)


@pytest.mark.long
def test_a_server_has_them(project: ProjectBuilder, served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", served)
    check(served, project, project.project.run("p"))


def test_a_store_of_files_has_them(
    project: ProjectBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "files").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    check(uri, project, project.project.run("p"))


@pytest.mark.long
def test_without_monitors_datasets_have_no_columns_and_are_there(project: ProjectBuilder) -> None:
    project.file("stagebook.toml", "[monitors]\nenabled = false\n")
    found = datasets(absolute("sqlite:///mlflow.db", project.root), project.project.run("p"))
    made = found["make"]["p.make.people"].dataset
    assert (made.schema, set(json.loads(made.profile))) == (None, {"bytes"})
    assert "p.make.people" in found["count"]
