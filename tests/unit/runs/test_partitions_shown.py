"""What an environment shows of a dataset with partitions: those of all intervals, whichever run made them."""

from __future__ import annotations

from typing import Any

import pytest

from building import ProjectBuilder
from executing import ExecEngine
from stagebook.comparing.sides import Sides
from stagebook.errors import UsageError
from stagebook.project import Project
from stagebook.published.manifest import Manifest
from stagebook.reading import dataset

PIPELINE = """
    stages:
      load:
        notebook: notebooks/load.ipynb
        params: {day: "${interval.start}"}
        outputs: {out: "data/days/${interval.name}.txt", last: data/last.txt}
"""
LOAD = """
import pathlib
pathlib.Path(out).write_text(day)
pathlib.Path(last).write_text(day)
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.file("stagebook.toml", "[tracking]\nenabled = false\n[environments.prod]\n")
    builder.notebook("load", LOAD, params="day = ''\nout = ''\nlast = ''")
    builder.pipeline(PIPELINE)
    return builder


def run(project: ProjectBuilder, interval: str, **how: Any) -> Manifest | None:
    with Project.open(project.root, environment="prod") as opened:
        report = opened.run("p", interval=interval, engine=ExecEngine(), **how)
        assert report.status == "completed", report.history
        return report.version


def names(manifest: Manifest | None) -> list[str]:
    assert manifest is not None
    return sorted(manifest.datasets)


def test_a_run_adds_its_partition_and_keeps_the_others(project: ProjectBuilder) -> None:
    assert names(run(project, "2026-01-02")) == ["p.load.last", "p.load.out[2026-01-02]"]
    shown = run(project, "2026-01-01")
    assert names(shown) == ["p.load.last", "p.load.out[2026-01-01]", "p.load.out[2026-01-02]"]
    assert shown is not None
    days = project.root / "environments/prod/current/data/days"
    assert sorted(path.name for path in days.iterdir()) == ["2026-01-01.txt", "2026-01-02.txt"]
    assert (days.parent / "last.txt").read_text() == "2026-01-01", (
        "an output without partitions is that of the run"
    )
    project.edit("load", "write_text(day)", "write_text(day + '!')")
    again = run(project, "2026-01-01")
    assert names(again) == names(shown)
    assert [path.read_text() for path in sorted(days.iterdir())] == ["2026-01-01!", "2026-01-02"]


def test_an_output_that_is_no_more_takes_its_partitions_along(project: ProjectBuilder) -> None:
    run(project, "2026-01-01")
    project.pipeline(
        PIPELINE.replace('out: "data/days/${interval.name}.txt", ', "").replace(
            "{last", "{out: data/o.txt, last"
        )
    )
    assert names(run(project, "2026-01-02")) == ["p.load.last", "p.load.out"]


def test_readers_get_all_of_them_or_one(project: ProjectBuilder) -> None:
    for day in ("2026-01-01", "2026-01-02"):
        run(project, day)
    whole = dataset("load.out", env="prod", project=project.root)
    assert [path.name for path in whole.paths] == ["2026-01-01.txt", "2026-01-02.txt"]
    for name in ("p.load.out[2026-01-02]", "load.out[2026-01-02]"):
        assert dataset(name, env="prod", project=project.root).path.read_text() == "2026-01-02"
    with pytest.raises(UsageError, match=r"has no dataset 'load.out\[2026-01-03\]'"):
        dataset("load.out[2026-01-03]", env="prod", project=project.root)


def test_versions_are_compared_by_their_partitions(project: ProjectBuilder) -> None:
    run(project, "2026-01-01")
    run(project, "2026-01-02")
    sides = Sides(project.project)
    before, after = (sides.find(f"prod@{number}").pipelines["p"].datasets for number in (1, 2))
    assert set(after) - set(before) == {"load.out[2026-01-02]"}
    assert after["load.out[2026-01-01]"].artifact.content == before["load.out[2026-01-01]"].artifact.content
