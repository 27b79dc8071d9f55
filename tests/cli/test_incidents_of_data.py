"""Datasets are shown with the incidents that are open, and with what people said of the stage that makes them."""

from __future__ import annotations

import json

import pytest

from building import ProjectBuilder
from commands import looked
from stagebook.events import NoteAdded, RunEnded, RunStarted, ScheduleChecked, StageEnded, Status

PIPELINE = """
stages:
  load: {notebook: notebooks/a.ipynb, outputs: {rows: data/rows.csv}}
  train: {notebook: notebooks/a.ipynb, outputs: {model: data/model.csv}}
"""
MISS = {"kind": "late", "message": "r1, due at 02:00, has not completed by 06:00: it is running"}


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.file("stagebook.toml", "[tracking]\nenabled = false\n[incidents]\ndev = true\n")
    builder.notebook("a", "1", params="rows = model = ''")
    builder.pipeline(PIPELINE)
    plan = {"params": {}, "stages": [{"id": "load", "notebook": "notebooks/a.ipynb"}]}
    builder.project.journal.append(
        [
            RunStarted(run="r1", at=1.0, pipeline="p", plan=plan),
            StageEnded(run="r1", at=2.0, stage="load", status=Status.FAILED, reason="ValueError: NaN"),
            NoteAdded(run="r1", at=3.0, stage="load", text="the source was empty", by="ada"),
            RunEnded(run="r1", at=3.0, status=Status.FAILED),
        ]
    )
    return builder


def test_a_list_names_them(project: ProjectBuilder) -> None:
    shown = looked(project.root, "data", "list", COLUMNS="80").stdout
    load, train = (line for line in shown.splitlines() if line.startswith("p."))
    assert load.endswith("✗ failure")
    assert "failure" not in train
    assert all(len(line) <= 80 for line in shown.splitlines())
    found = json.loads(looked(project.root, "data", "list", "--json").stdout)["datasets"]
    assert [[it["kind"] for it in one["incidents"]] for one in found] == [["failure"], []]


def test_a_schedule_that_is_late_concerns_all_of_its_pipeline(project: ProjectBuilder) -> None:
    checked = ScheduleChecked(run="", at=4.0, pipeline="p", schedule="nightly", missed=[MISS])
    project.project.journal.append([checked])
    found = json.loads(looked(project.root, "data", "list", "--json").stdout)["datasets"]
    assert [[it["kind"] for it in one["incidents"]] for one in found] == [["late", "failure"], ["late"]]


def test_one_is_shown_with_all_that_is_known(project: ProjectBuilder) -> None:
    project.file("data/rows.csv", "a\n1\n")
    shown = looked(project.root, "data", "show", "load.rows", COLUMNS="120").stdout
    assert "✗ p.load failure since " in shown
    assert ": ValueError: NaN; see: stagebook incident show " in shown
    assert "✎ load: ada notes: the source was empty" in shown
    told = json.loads(looked(project.root, "data", "show", "load.rows", "--json").stdout)
    assert [one["subject"] for one in told["incidents"]] == ["load"]
    assert told["notes"] == [{"at": 3.0, "by": "ada", "text": "the source was empty"}]
