"""References to partitions: of the same interval, of the last few, of all."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from building import ProjectBuilder
from executing import ExecEngine
from stagebook.errors import PipelineInvalid
from stagebook.planning.plan import PlannedInput

LOAD = "import pathlib; pathlib.Path(out).write_text(day)"
SUM = "import pathlib; pathlib.Path(out).write_text(' '.join(pathlib.Path(p).read_text() for p in days))"
PIPELINE = """
    stages:
      load:
        notebook: notebooks/load.ipynb
        params: {{day: "${{interval.start}}"}}
        outputs: {{out: "data/days/${{interval.name}}.txt"}}
      total:
        notebook: notebooks/sum.ipynb
        inputs: {{days: {window}}}
        outputs: {{out: "data/total/${{interval.name}}.txt"}}
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.without_tracking()
    builder.notebook("load", LOAD, params="day = ''\nout = ''")
    builder.notebook("sum", SUM, params="days: list = []\nout = ''")
    return builder


def run(project: ProjectBuilder, *intervals: str) -> None:
    for one in intervals:
        report = project.project.run("p", interval=one, engine=ExecEngine())
        assert report.status == "completed", report.history


def days(project: ProjectBuilder, interval: str) -> PlannedInput:
    return project.project.plan("p", interval=interval).stage("total").inputs["days"]


def problem(project: ProjectBuilder, interval: str) -> str:
    with pytest.raises(PipelineInvalid) as caught:
        project.project.plan("p", interval=interval)
    (one,) = caught.value.problems
    return f"{one.message} | {one.hint}"


def paths(*names: str) -> tuple[str, ...]:
    return tuple(f"data/days/{name}.txt" for name in names)


def test_a_window_takes_the_last_ones_and_this_one(project: ProjectBuilder) -> None:
    project.pipeline(PIPELINE.format(window='"load.out[-3:]"'))
    first = days(project, "2026-01-01")
    assert (first.paths, first.sources, first.many) == (paths("2026-01-01"), ("load",), True)
    run(project, "2026-01-01", "2026-01-02", "2026-01-04")
    found = days(project, "2026-01-05")
    assert found.paths == paths("2026-01-02", "2026-01-04", "2026-01-05")
    assert found.sources == ("", "", "load")
    run(project, "2026-01-05")
    text = (project.root / "data/total/2026-01-05.txt").read_text()
    assert text == "2026-01-02 2026-01-04 2026-01-05"
    assert days(project, "2026-01-02").paths == paths("2026-01-01", "2026-01-02"), (
        "what comes later is not seen"
    )


def test_all_and_the_one_before(project: ProjectBuilder) -> None:
    project.pipeline(PIPELINE.format(window='"load.out[:]"'))
    run(project, "2026-01-02", "2026-01-01", "2026-01-03")
    assert days(project, "2026-01-03").paths == paths("2026-01-01", "2026-01-02", "2026-01-03")
    project.pipeline(PIPELINE.format(window='["load.out[-2]"]'))
    assert days(project, "2026-01-04").paths == paths("2026-01-03")
    assert "there is no partition '[-2]' yet" in problem(project, "2025-12-31")


def test_only_intervals_of_the_same_kind_count(project: ProjectBuilder) -> None:
    project.pipeline(PIPELINE.format(window='"load.out[:]"'))
    run(project, "2026-01", "2026-01-31")
    assert days(project, "2026-02").paths == paths("2026-01", "2026-02")


def test_the_hour_that_clocks_repeat_is_an_hour(project: ProjectBuilder) -> None:
    project.pipeline(PIPELINE.format(window='"load.out[-3:]"'))
    zone = "[Europe/Berlin]"
    run(project, f"2026-10-25T02{zone}", f"2026-10-25T02+0100{zone}")
    found = days(project, f"2026-10-25T03{zone}")
    assert found.paths == paths("2026-10-25T02", "2026-10-25T02+0100", "2026-10-25T03")


def test_a_day_that_changes_is_seen_where_it_is_read(project: ProjectBuilder) -> None:
    project.pipeline(PIPELINE.format(window='"load.out[-2:]"'))
    every = ("2026-01-01", "2026-01-02", "2026-01-03")
    run(project, *every)
    assert _decisions(project, *every) == ["REUSE"] * 6
    (project.root / "data/days/2026-01-01.txt").write_text("edited")
    assert project.project.plan("p", interval="2026-01-02").stage("total").decision == "RUN"
    assert project.project.plan("p", interval="2026-01-03").stage("total").decision == "REUSE"


def _decisions(project: ProjectBuilder, *intervals: str) -> Sequence[str]:
    plans = (project.project.plan("p", interval=one) for one in intervals)
    return [str(stage.decision) for plan in plans for stage in plan.stages]


def test_a_partition_that_was_removed_is_told(project: ProjectBuilder) -> None:
    project.pipeline(PIPELINE.format(window='"load.out[-2:]"'))
    run(project, "2026-01-01")
    (project.root / "data/days/2026-01-01.txt").unlink()
    assert problem(project, "2026-01-02") == (
        "'data/days/2026-01-01.txt', the partition 2026-01-01 of load.out, is not there"
        " | make it: stagebook run p --interval 2026-01-01"
    )


@pytest.mark.parametrize("window", ["[]", "[0]", "[1:]", "[-0:]", "[a]", "[-2:-1]", "[--2]"])
def test_what_is_no_window_is_told(project: ProjectBuilder, window: str) -> None:
    project.pipeline(PIPELINE.format(window=f'"load.out{window}"'))
    assert "names no partitions | write [-3:] for the last three" in problem(project, "2026-01-01")


def test_an_output_without_partitions_has_no_window(project: ProjectBuilder) -> None:
    text = PIPELINE.format(window='"load.out[-2:]"').replace("days/${interval.name}", "days/all")
    project.pipeline(text)
    assert "'load.out' has no partitions" in problem(project, "2026-01-01")


def test_an_instance_of_a_matrix_has_its_own(project: ProjectBuilder) -> None:
    text = PIPELINE.format(window='"load.out[-2:]"').replace(
        'load.ipynb\n        params: {day: "${interval.start}"}',
        'load.ipynb\n        matrix: {at: [1, 2]}\n        params: {day: "${interval.start}"}',
    )
    project.pipeline(text.replace("days/${interval.name}", "days/${interval.name}-${matrix.at}"))
    run(project, "2026-01-01")
    assert days(project, "2026-01-02").paths == paths(
        "2026-01-01-1", "2026-01-02-1", "2026-01-01-2", "2026-01-02-2"
    )
