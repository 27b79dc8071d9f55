"""Preparing a run: every mistake at once, the plan that was asked for, and what is left of a run."""

from __future__ import annotations

import pytest

from building import ProjectBuilder
from executing import ExecEngine
from stagebook.errors import PipelineInvalid, PipelineNotFound, UsageError
from stagebook.planning.select import Selection
from stagebook.runs.prepare import Preparer
from stagebook.runs.request import RunRequest

PIPELINE = """
    params: {rate: 0.1}
    stages:
      a: {notebook: notebooks/a.ipynb, params: {rate: "${params.rate}"}, outputs: {out: data/a.txt}}
      b: {notebook: notebooks/a.ipynb, matrix: {m: [1, 2]}, params: {m: "${matrix.m}"}, after: [a], outputs: {out: "data/b-${matrix.m}.txt"}}
    """


@pytest.fixture
def preparer(builder: ProjectBuilder) -> Preparer:
    builder.notebook("a", "open(out, 'w').close()", params="out = ''\nrate = 0.0\nm = 0")
    builder.without_tracking()
    builder.pipeline(PIPELINE)
    return builder.project.preparer


def test_what_is_asked_for_is_planned_and_nothing_is_recorded(
    builder: ProjectBuilder, preparer: Preparer
) -> None:
    request = RunRequest(pairs=["rate=3"], selection=Selection(only=("b",)), force=True)
    prepared = preparer.prepare(request)
    assert (prepared.plan.pipeline, prepared.plan.params) == ("p", {"rate": 3.0})
    assert [stage.id for stage in prepared.plan.stages if stage.runs] == ["b@1", "b@2"]
    assert (prepared.forced, prepared.selection, prepared.rest) == (("b",), request.selection, None)
    assert preparer.prepare(RunRequest(pipeline="p")).forced is None
    assert not preparer.history.has_journal
    assert not (builder.root / "data").exists()


def test_all_mistakes_are_told_at_once(builder: ProjectBuilder, preparer: Preparer) -> None:
    builder.pipeline(
        PIPELINE.replace("after: [a]", "after: [aa]").replace("a.ipynb, params", "gone.ipynb, params")
    )
    with pytest.raises(PipelineInvalid) as caught:
        preparer.prepare(RunRequest(pairs=["rate=fast", "rat=1"]))
    text = str(caught.value)
    assert all(part in text for part in ("'aa'", "gone.ipynb", "rate", "rat"))
    assert len({problem.path for problem in caught.value.problems}) == 2, (
        "of the file and of the command line"
    )


def test_parameters_can_be_checked_without_a_plan(builder: ProjectBuilder, preparer: Preparer) -> None:
    (builder.root / "notebooks/a.ipynb").unlink()
    preparer.check_params(RunRequest(pairs=["rate=2"]))
    for request in (RunRequest(pairs=["rate=fast"]), RunRequest(values={"rat": 1})):
        with pytest.raises(PipelineInvalid):
            preparer.check_params(request)
    with pytest.raises(PipelineNotFound):
        preparer.check_params(RunRequest(pipeline="q"))


def test_a_file_that_changed_is_looked_at_again(builder: ProjectBuilder, preparer: Preparer) -> None:
    assert preparer.prepare(RunRequest()).plan.stage("a").kernel is None
    builder.notebook("a", "1", params="out = ''\nm = 0")
    with pytest.raises(PipelineInvalid, match="rate"):
        preparer.prepare(RunRequest())


def failing(builder: ProjectBuilder) -> str:
    """Run the pipeline so that `b@2` fails; the run."""
    builder.notebook(
        "a", "assert m != 2, 'two'\nopen(out, 'w').close()", params="out = ''\nrate = 0.0\nm = 0"
    )
    report = builder.project.run("p", engine=ExecEngine())
    return report.run


@pytest.mark.parametrize("keep", [False, True])
def test_what_is_left_of_a_run_is_planned_with_its_parameters(
    builder: ProjectBuilder, preparer: Preparer, keep: bool
) -> None:
    run = preparer.history.find(failing(builder))
    for failed_only in (False, True):
        prepared = preparer.prepare_rest(run, failed_only=failed_only, keep=keep)
        assert prepared.rest is not None
        assert prepared.rest.started.run == run.id
        assert [stage.id for stage in prepared.plan.stages if stage.runs] == ["b@2"]


def test_nothing_that_failed_is_left_of_a_run_that_completed(
    builder: ProjectBuilder, preparer: Preparer
) -> None:
    report = builder.project.run("p", engine=ExecEngine())
    with pytest.raises(UsageError):
        preparer.prepare_rest(preparer.history.find(report.run), failed_only=True)
