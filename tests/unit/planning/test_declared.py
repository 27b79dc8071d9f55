"""What a pipeline declares is the same for all of its plans."""

from __future__ import annotations

import datetime as dt

import pytest

from building import ProjectBuilder
from stagebook.errors import PipelineInvalid
from stagebook.pipeline.loader import load_pipeline
from stagebook.pipeline.model import Pipeline
from stagebook.planning.declared import Declared
from stagebook.planning.plan import Plan
from stagebook.planning.planner import Planner
from stagebook.timing.interval import Interval
from stagebook.workspace.workspace import Workspace

_TEXT = """
schedules:
  daily: {cron: "0 6 * * *", zone: UTC, interval: day}
stages:
  load:
    notebook: notebooks/load.ipynb
    params: {day: "${interval.start}"}
    outputs: {out: "data/${interval.name}.txt"}
  join:
    notebook: ./notebooks/../notebooks/join.ipynb
    inputs: {rows: load.out}
    outputs: {out: "data/joined/${interval.name}.txt"}
"""


def _pipeline(builder: ProjectBuilder, text: str = _TEXT) -> Pipeline:
    builder.notebook("load", "x = 1", params="day = ''\nout = ''")
    builder.notebook("join", "x = input()", params="rows = ''\nout = ''")
    return load_pipeline(text, "pipelines/p.yaml").pipeline


def _plan(pipeline: Pipeline, workspace: Workspace, day: int, declared: Declared | None = None) -> Plan:
    start = dt.datetime(2026, 1, day, tzinfo=dt.UTC)
    interval = Interval(start=start, end=start + dt.timedelta(days=1), zone="UTC")
    return Planner(pipeline, {}, workspace, interval=interval, declared=declared).plan()


def test_plans_that_share_it_are_those_that_look_themselves(builder: ProjectBuilder) -> None:
    pipeline, workspace = _pipeline(builder), Workspace(builder.root)
    declared = Declared.of(pipeline, workspace)

    for day in (1, 2, 3):
        shared = _plan(pipeline, workspace, day, declared)
        assert shared == _plan(pipeline, Workspace(builder.root), day)
        assert [warning.message for warning in shared.warnings] == [
            "'notebooks/join.ipynb' calls input(), and nobody can answer"
        ]


def test_a_notebook_has_one_path(builder: ProjectBuilder) -> None:
    declared = Declared.of(_pipeline(builder), Workspace(builder.root))

    assert declared.notebooks == {"load": "notebooks/load.ipynb", "join": "notebooks/join.ipynb"}
    assert not declared.problems


def test_all_plans_tell_its_mistakes(builder: ProjectBuilder) -> None:
    text = _TEXT.replace("notebooks/load.ipynb", "notebooks/lost.ipynb").replace("rows:", "lines:")
    pipeline, workspace = _pipeline(builder, text), Workspace(builder.root)
    declared = Declared.of(pipeline, workspace)

    assert declared.facts["load"] is None
    assert declared.notebooks["load"] == "notebooks/lost.ipynb"
    for day in (1, 2):
        with pytest.raises(PipelineInvalid) as refused:
            _plan(pipeline, workspace, day, declared)
        told = {problem.message for problem in refused.value.problems}
        assert "there is no notebook 'notebooks/lost.ipynb'" in told
        assert "'notebooks/join.ipynb' declares no parameter 'lines'" in told
