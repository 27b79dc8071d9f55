"""`accept`: outputs that a person declares good, for the code as it is now and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from building import ProjectBuilder
from executing import ExecEngine
from stagebook.errors import PipelineBusy, ResumeRefused, UsageError
from stagebook.events import RunEnded, RunStarted, StageAccepted, StageEnded, Status
from stagebook.planning.plan import Decision
from stagebook.runs.accept import Accepted, accept
from stagebook.runs.request import RunRequest
from stagebook.runs.run import RunReport

PIPELINE = """
params: {depth: 4}
stages:
  load:
    notebook: notebooks/load.ipynb
    outputs: {out: out/load.txt}
  train:
    notebook: notebooks/train.ipynb
    inputs: {src: load.out}
    params: {depth: "${params.depth}", rows: "${stages.load.scraps.rows}"}
    outputs: {out: out/model.txt}
  report:
    notebook: notebooks/report.ipynb
    inputs: {src: train.out}
    outputs: {out: out/report}
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    """A project of three stages, of which the last one writes a folder."""
    builder.without_tracking()
    load(builder, 1)
    train(builder, 1)
    builder.notebook(
        "report",
        "from pathlib import Path\nPath(out).mkdir()\nPath(out, 'a').write_text('r')",
        params="src = out = ''",
    )
    builder.pipeline(PIPELINE)
    run(builder)
    return builder


def load(builder: ProjectBuilder, value: int) -> None:
    glue = "import scrapbook as sb\nsb.glue('rows', 3)"
    write = f"from pathlib import Path\nPath(out).write_text('load {value}')"
    builder.notebook("load", glue, write, params="out = ''")


def train(builder: ProjectBuilder, value: int) -> None:
    write = f"from pathlib import Path\nPath(out).write_text('model {value}')"
    builder.notebook("train", write, params="src = out = ''\ndepth = rows = 0")


def run(builder: ProjectBuilder, *pairs: str) -> RunReport:
    return builder.project.run("p", pairs=pairs, engine=ExecEngine())


def declare(
    builder: ProjectBuilder, *stages: str, because: str = "only the plot", pairs: tuple[str, ...] = ()
) -> Accepted:
    return accept(
        builder.project.preparer,
        builder.project.launcher,
        RunRequest(pipeline="p", pairs=pairs),
        stages,
        because,
    )


def decisions(builder: ProjectBuilder, *pairs: str) -> dict[str, str]:
    plan = builder.project.plan("p", pairs=pairs)
    return {stage.id: f"{stage.decision} {stage.reasons[0]}" for stage in plan.stages}


def text(builder: ProjectBuilder, path: str = "out/model.txt") -> str:
    return (builder.root / path).read_text()


def test_what_is_accepted_is_reused_under_the_code_as_it_is(project: ProjectBuilder) -> None:
    train(project, 2)
    assert decisions(project)["train"] == "RUN cell 2 changed"
    assert declare(project, "train").stages == ("train",)
    assert decisions(project) == {
        "load": "REUSE nothing changed",
        "train": "REUSE accepted: only the plot",
        "report": "REUSE nothing changed",
    }
    assert run(project).status is Status.COMPLETED
    assert text(project) == "model 1"


def test_later_code_is_stale_again_and_earlier_code_has_its_own_result(project: ProjectBuilder) -> None:
    train(project, 2)
    declare(project, "train")
    train(project, 3)
    assert decisions(project)["train"] == "RUN cell 2 changed"
    run(project)
    assert text(project) == "model 3"
    train(project, 1)
    assert decisions(project)["train"].startswith("REUSE as in the run ")
    run(project)
    assert text(project) == "model 1"
    train(project, 2)
    assert decisions(project)["train"] == "REUSE accepted: only the plot"
    run(project)
    assert text(project) == "model 1", "that was said to be good for it"


def test_what_was_written_by_hand_may_be_accepted_and_comes_back(project: ProjectBuilder) -> None:
    project.file("out/model.txt", "by hand")
    declare(project, "train")
    assert decisions(project)["train"] == "REUSE accepted: only the plot"
    (project.root / "out/model.txt").unlink()
    run(project)
    assert text(project) == "by hand"


def test_what_builds_on_it_sees_what_was_accepted(project: ProjectBuilder) -> None:
    project.file("out/model.txt", "by hand")
    declare(project, "train")
    assert decisions(project)["report"] == "RUN out/model.txt changed (input src)"
    declare(project, "report")
    assert decisions(project)["report"] == "REUSE accepted: only the plot"


def test_several_are_accepted_in_one_go(project: ProjectBuilder) -> None:
    load(project, 2)
    project.file("out/load.txt", "by hand")
    assert declare(project).stages == ("load", "train", "report")
    assert {text.partition(":")[0] for text in decisions(project).values()} == {"REUSE accepted"}


def test_it_holds_for_the_parameters_that_were_given(project: ProjectBuilder) -> None:
    declare(project, "train", pairs=("depth=8",))
    assert decisions(project, "depth=8")["train"] == "REUSE accepted: only the plot"
    assert decisions(project)["train"].startswith("REUSE as in the run ")
    assert decisions(project, "depth=9")["train"] == "RUN depth: 8 → 9"


def test_an_output_that_is_a_folder_may_be_accepted(project: ProjectBuilder) -> None:
    project.file("out/report/b", "by hand")
    declare(project, "report")
    assert decisions(project)["report"] == "REUSE accepted: only the plot"
    (project.root / "out/report/b").unlink()
    run(project)
    assert text(project, "out/report/b") == "by hand"


def test_it_is_recorded_with_its_reason_and_who_said_it(
    project: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    train(project, 2)
    done = declare(project, "train", because="  only the plot\n")
    events = project.events(done.run)
    started, accepted, ended, end = events
    assert isinstance(started, RunStarted)
    assert (started.kind, [stage["id"] for stage in started.plan["stages"]]) == ("accept", ["train"])
    assert isinstance(accepted, StageAccepted)
    assert (accepted.because, accepted.by, accepted.stage) == ("only the plot", "ada", "train")
    assert accepted.outputs["out"].kept
    assert isinstance(ended, StageEnded)
    assert (ended.status, ended.reason) == (Status.REUSED, "accepted by ada: only the plot")
    assert isinstance(end, RunEnded)
    (record, _) = project.project.history.runs()
    assert (record.id, record.kind, record.status, record.reason) == (
        done.run,
        "accept",
        Status.COMPLETED,
        "only the plot",
    )


@pytest.mark.parametrize("because", ["", " \n"])
def test_without_a_reason_it_is_refused(project: ProjectBuilder, because: str) -> None:
    with pytest.raises(UsageError, match="say why"):
        declare(project, "train", because=because)


def test_outputs_that_are_not_there_are_refused(project: ProjectBuilder) -> None:
    (project.root / "out/model.txt").unlink()
    with pytest.raises(
        UsageError, match=r"train cannot be accepted: its output 'out/model.txt' is not there"
    ):
        declare(project)
    assert len(project.project.history.runs()) == 1, "nothing of it is recorded"


def test_an_unknown_stage_is_refused(project: ProjectBuilder) -> None:
    with pytest.raises(UsageError, match="no stage 'trian'"):
        declare(project, "trian")


def test_what_depends_on_the_run_is_refused(project: ProjectBuilder) -> None:
    project.pipeline(PIPELINE.replace('"${params.depth}"', '"${run.id}"'))
    with pytest.raises(UsageError, match="train depends on the run itself"):
        declare(project, "train")


def test_what_needs_scraps_that_nobody_left_is_refused(project: ProjectBuilder) -> None:
    project.pipeline(PIPELINE, "q")
    with pytest.raises(UsageError, match="train needs scraps of 'load', which never ran"):
        accept(
            project.project.preparer,
            project.project.launcher,
            RunRequest(pipeline="q"),
            ["train"],
            "so it is",
        )


def test_a_pipeline_that_is_being_run_is_refused(project: ProjectBuilder) -> None:
    seen: list[str] = []

    def meanwhile(attempt: object, cell: int) -> None:
        with pytest.raises(PipelineBusy):
            declare(project, "load")
        seen.append("refused")

    train(project, 2)
    project.project.run("p", engine=ExecEngine(meanwhile))
    assert seen


# -- resume ---------------------------------------------------------------------------------------


def test_a_run_is_not_gone_on_with_when_what_it_finished_changed(project: ProjectBuilder) -> None:
    project.notebook("report", "1 / 0", params="src = out = ''")
    load(project, 2)
    failed = run(project)
    assert failed.status is Status.FAILED
    record = project.project.history.find(failed.run)
    project.notebook("report", "open(out, 'w').close()", params="src = out = ''")
    assert project.project.preparer.prepare_rest(record).plan.stage("report").decision is Decision.RUN
    load(project, 3)
    with pytest.raises(ResumeRefused, match="load \\(cell 3 changed\\)"):
        project.project.preparer.prepare_rest(record)
    kept = project.project.preparer.prepare_rest(record, keep=True)
    assert kept.plan.stage("load").reasons == (f"finished in the run {failed.run}",)


# -- outside of the project -----------------------------------------------------------------------

OUTSIDE = """
stages:
  load:
    notebook: notebooks/load.ipynb
    outputs: {table: {path: "db:/t", kind: external}}
  use:
    notebook: notebooks/use.ipynb
    inputs: {table: load.table}
    outputs: {out: out/use.txt}
"""


@pytest.fixture
def outside(builder: ProjectBuilder, tmp_path: Path) -> ProjectBuilder:
    """A project with a table, which is a file outside of it."""
    builder.without_tracking()
    builder.file("table", str(tmp_path / "table"))
    loading(builder, 1)
    builder.notebook("use", "from pathlib import Path\nwhere = Path('table').read_text()", "Path(out).write_text(Path(where).read_text())", params="table = out = ''")  # fmt: skip
    builder.pipeline(OUTSIDE)
    run(builder)
    return builder


def loading(builder: ProjectBuilder, value: int, last: str = "") -> None:
    write = f"from pathlib import Path\nPath(Path('table').read_text()).write_text('t{value}')"
    builder.notebook("load", write, last, params="table = ''")


def test_a_table_is_written_anew_when_one_goes_back(outside: ProjectBuilder) -> None:
    assert set(decisions(outside).values()) == {"REUSE nothing changed"}
    loading(outside, 2)
    run(outside)
    assert text(outside, "out/use.txt") == "t2"
    loading(outside, 1)
    assert (
        decisions(outside)["load"]
        == "RUN what it wrote outside of the project may have been overwritten since"
    )
    run(outside)
    assert text(outside, "out/use.txt") == "t1"
    assert set(decisions(outside).values()) == {"REUSE nothing changed"}


def test_an_attempt_that_failed_may_have_written_half_of_a_table(outside: ProjectBuilder) -> None:
    loading(outside, 2, "1 / 0")
    assert run(outside).status is Status.FAILED
    loading(outside, 1)
    assert decisions(outside)["load"].startswith("RUN")
    run(outside)
    assert text(outside, "out/use.txt") == "t1"


def test_a_table_that_another_stage_wrote_since_is_written_anew(outside: ProjectBuilder) -> None:
    other = OUTSIDE.replace("load", "ingest").replace("ingest.ipynb", "load.ipynb")
    outside.pipeline(other)
    loading(outside, 2)
    run(outside)
    outside.pipeline(OUTSIDE)
    loading(outside, 1)
    run(outside)
    assert text(outside, "out/use.txt") == "t1"


def test_a_follower_alone_uses_the_table_as_it_was_written_last(outside: ProjectBuilder) -> None:
    from stagebook.planning.select import Selection

    alone = Selection(only=("use",))
    loading(outside, 2)
    run(outside)
    outside.project.run("p", selection=alone, engine=ExecEngine())
    assert outside.project.plan("p", selection=alone).stage("use").decision is Decision.REUSE
    loading(outside, 3, "1 / 0")
    run(outside)
    plan = outside.project.plan("p", selection=alone)
    assert plan.stage("use").reasons == ("nobody knows what 'db:/t' holds",)


def test_a_table_and_what_builds_on_it_may_be_accepted(outside: ProjectBuilder) -> None:
    loading(outside, 2)
    declare(outside)
    assert set(decisions(outside).values()) == {"REUSE accepted: only the plot"}
