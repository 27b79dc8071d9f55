"""MLflow holds what the run produced: read back through its own API."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import sys
from typing import Any

import pytest
from mlflow.entities import Run

from building import ProjectBuilder
from commands import environment, start
from stagebook.events import AttemptEnded, Status
from stagebook.runs.run import RunReport
from tracked import client, tracked_runs
from waiting import until

pytestmark = [pytest.mark.kernel, pytest.mark.e2e, pytest.mark.filterwarnings("default")]

GLUE = """
from IPython.display import display
def glue(name, data, encoder="json"):
    payload = {"name": name, "data": data, "encoder": encoder, "version": 1}
    display({f"application/scrapbook.scrap.{encoder}+json": payload}, raw=True)
"""


def runs_of(builder: ProjectBuilder, report: RunReport) -> tuple[Run, dict[str, Run]]:
    """The parent run in MLflow, and its children by their names."""
    found = tracked_runs(builder.root, f"tags.`stagebook.run_id` = '{report.run}'")
    (parent,) = [run for run in found if run.data.tags["stagebook.kind"] == "run"]
    children = [run for run in found if run.data.tags["stagebook.kind"] == "stage"]
    assert all(run.data.tags["mlflow.parentRunId"] == parent.info.run_id for run in children)
    names = [run.info.run_name for run in children]
    assert len(names) == len(set(names)), "a stage was recorded twice"
    return parent, {run.info.run_name: run for run in children}


def artifacts(builder: ProjectBuilder, run: Run, path: str | None = None) -> set[str]:
    return {item.path for item in client(builder.root).list_artifacts(run.info.run_id, path)}


def small(builder: ProjectBuilder) -> None:
    builder.notebook(
        "make",
        GLUE,
        "open(out, 'w').write('x' * n)\nprint('made', n)",
        'glue("rows", n)\nglue("word", "hello", "text")\nglue("odd", float("inf"))\nglue("deep", {"a": [1]})',
        params='n: int = 1\nout = "out.txt"',
    )
    builder.notebook(
        "use", GLUE, "glue('total', sum(len(open(p).read()) for p in parts))", params="parts: list[str] = []"
    )
    builder.pipeline("""
        params: {ns: [1, 2], note: plain}
        stages:
          make:
            notebook: notebooks/make.ipynb
            matrix: {n: "${params.ns}"}
            params: {n: "${matrix.n}"}
            outputs: {out: "data/${matrix.n}.txt"}
          use: {notebook: notebooks/use.ipynb, inputs: {parts: make.out}}
    """)


@pytest.mark.usefixtures("with_store")
def test_mlflow_holds_what_a_run_produced(builder: ProjectBuilder) -> None:
    small(builder)
    report = builder.project.run("p", {"ns": [3, 5]})
    assert (report.status, report.undelivered) == (Status.COMPLETED, 0)
    parent, children = runs_of(builder, report)
    history = report.history

    assert parent.info.run_name == report.run
    assert parent.info.status == "FINISHED"
    assert parent.data.params == {"ns": "[3, 5]", "note": "plain"}
    assert set(children) == set(history.stages) == {"make@3", "make@5", "use"}
    assert all(run.info.status == "FINISHED" for run in children.values())
    for name, run in children.items():
        stage = history.stages[name]
        assert run.data.tags["stagebook.status"] == str(stage.status)
        assert run.data.params == {key: str(value) for key, value in stage.params.items()}
        assert run.info.start_time == round((stage.started or 0) * 1000)
        assert run.info.end_time == round((stage.ended or 0) * 1000)
        page = {"notebook.ipynb", "notebook.html", "log.txt"}
        assert page <= artifacts(builder, run)

    three = children["make@3"]
    assert three.data.metrics["rows"] == 3
    assert "odd" not in three.data.metrics, "what is not finite is no metric"
    (ended,) = [
        event
        for event in builder.events(report.run)
        if isinstance(event, AttemptEnded) and event.stage == "make@3"
    ]
    assert math.isclose(three.data.metrics["seconds"], ended.seconds)
    assert math.isclose(parent.data.metrics["make.3.seconds"], ended.seconds)
    assert three.data.tags["scrap.word"] == "hello"
    assert json.loads(three.data.tags["scrap.deep"]) == {"a": [1]}
    assert artifacts(builder, three, "outputs") == {"outputs/3.txt"}
    assert parent.data.metrics["make.3.rows"] == 3
    assert parent.data.metrics["make.5.rows"] == 5
    assert parent.data.metrics["use.total"] == 8

    datasets = {(item.dataset.name, item.tags[0].value) for item in children["use"].inputs.dataset_inputs}
    assert datasets == {("p.make@3.out", "input"), ("p.make@5.out", "input")}
    made = children["make@5"].inputs.dataset_inputs[0].dataset
    assert made.name == "p.make@5.out"
    assert history.stages["make@5"].outputs["out"].sha256.startswith(made.digest)

    # Two runs with other parameters stand in one table.
    second = builder.project.run("p", {"ns": [4]})
    table = tracked_runs(builder.root, "tags.`stagebook.kind` = 'run'")[::-1]
    assert [run.info.run_name for run in table] == [report.run, second.run]
    assert [run.data.params["ns"] for run in table] == ["[3, 5]", "[4]"]
    assert [run.data.metrics["use.total"] for run in table] == [8, 4]


@pytest.mark.usefixtures("with_store")
def test_an_executed_notebook_that_is_an_output_is_an_artifact(builder: ProjectBuilder) -> None:
    builder.notebook("a", "print('said')")
    builder.pipeline("""
        stages:
          a:
            notebook: notebooks/a.ipynb
            outputs: {page: {path: reports/a.html, kind: notebook}, text: {path: reports/a.md, kind: notebook}}
        """)
    assert builder.project.run("p").status is Status.COMPLETED
    (run,) = tracked_runs(builder.root, "tags.`stagebook.kind` = 'stage'")
    assert artifacts(builder, run, "outputs") == {"outputs/a.html", "outputs/a.md"}


@pytest.mark.usefixtures("with_store")
def test_the_page_of_a_notebook_runs_no_script_of_it(builder: ProjectBuilder) -> None:
    builder.notebook("a", "from IPython.display import HTML\nHTML('<script>steal()</script>')")
    builder.pipeline("stages:\n  a: {notebook: notebooks/a.ipynb}")
    report = builder.project.run("p")
    page = (builder.root / f".stagebook/runs/{report.run}/a/1/notebook.html").read_text()
    policy, script = page.index("Content-Security-Policy"), page.index("steal()")
    assert policy < script
    assert "script-src" not in page[policy : policy + 300]
    assert "default-src 'none'" in page[policy : policy + 300]


@pytest.mark.usefixtures("with_store")
def test_statuses_of_failed_and_blocked_stages_agree(builder: ProjectBuilder) -> None:
    builder.notebook("ok", "1")
    builder.notebook("bad", "raise ValueError('no')")
    builder.pipeline("""
        stages:
          ok: {notebook: notebooks/ok.ipynb}
          bad: {notebook: notebooks/bad.ipynb, after: [ok], retries: 1, retry_delay: 10ms}
          last: {notebook: notebooks/ok.ipynb, after: [bad]}
    """)
    report = builder.project.run("p")
    parent, children = runs_of(builder, report)
    assert parent.info.status == "FAILED"
    shown = {name: (run.info.status, run.data.tags["stagebook.status"]) for name, run in children.items()}
    assert shown == {
        "ok": ("FINISHED", "completed"),
        "bad": ("FAILED", "failed"),
        "bad (attempt 2)": ("FAILED", "failed"),
        "last": ("KILLED", "blocked"),
    }
    tags = children["bad"].data.tags
    assert (tags["stagebook.cause"], tags["stagebook.message"], tags["stagebook.cell"]) == (
        "exception",
        "ValueError: no",
        "1 of 1",
    )
    assert children["last"].data.tags["stagebook.reason"] == "needs bad, which failed"


@pytest.mark.usefixtures("with_store")
@pytest.mark.long
def test_a_notebook_that_uses_mlflow_logs_into_the_run_of_its_attempt_and_cannot_forge_its_status(
    builder: ProjectBuilder,
) -> None:
    cells = (
        "import mlflow",
        "mlflow.log_metric('inner', 42)\nmlflow.log_param('mine', 'yes')\nmlflow.end_run()",
        "raise RuntimeError('after a well-ended mlflow run')",
    )
    builder.notebook("a", *cells)
    builder.pipeline("stages:\n  a: {notebook: notebooks/a.ipynb}")
    report = builder.project.run("p")
    _, children = runs_of(builder, report)
    run = children["a"]
    assert run.data.metrics["inner"] == 42
    assert run.data.params["mine"] == "yes"
    assert run.info.status == "FAILED"
    assert len(tracked_runs(builder.root)) == 2, "the notebook made no run of its own"


@pytest.mark.long
def test_an_absent_mlflow_fails_no_run_and_gets_every_record_once_later(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(builder)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed.getsockname()[1]}")
        report = builder.project.run("p")
    assert report.status is Status.COMPLETED
    assert report.undelivered > 0
    assert (builder.root / "data/1.txt").is_file()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert builder.project.sync() == 0
    assert builder.project.sync() == 0
    parent, children = runs_of(builder, report)
    assert parent.info.status == "FINISHED"
    assert set(children) == {"make@1", "make@2", "use"}


@pytest.mark.long
def test_a_delivery_that_is_killed_anywhere_delivers_each_record_once(builder: ProjectBuilder) -> None:
    small(builder)
    builder.file("stagebook.toml", "[tracking]\nenabled = false\n")
    report = builder.project.run("p")
    builder.file("stagebook.toml", "")
    uri = f"sqlite:///{builder.root}/mlflow.db"
    client(builder.root).search_experiments()  # the database is made once
    command = [sys.executable, "-m", "stagebook.tracking.deliver", str(builder.root), uri]
    journal = builder.project.journal
    left = before = journal.outbox.count_pending("mlflow")
    assert before > 8
    for _ in range(3):
        with subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL) as process:

            def moved(before: int = left, process: subprocess.Popen[bytes] = process) -> bool:
                return journal.outbox.count_pending("mlflow") != before or process.poll() is not None

            until(moved, 60, "a record is delivered", every=0.001)
            process.kill()
        left = journal.outbox.count_pending("mlflow")
    assert 0 < left < before, "it was killed in the middle"
    assert builder.project.sync() == 0
    parent, children = runs_of(builder, report)
    assert parent.info.status == "FINISHED"
    assert set(children) == {"make@1", "make@2", "use"}
    assert {run.info.status for run in children.values()} == {"FINISHED"}


@pytest.mark.long
def test_two_first_runs_share_a_new_database(builder: ProjectBuilder) -> None:
    builder.notebook("a", "1")
    for name in ("p", "q"):
        builder.pipeline("stages:\n  a: {notebook: notebooks/a.ipynb}", name)
    started = [start(builder.root, "run", name, stdout=subprocess.DEVNULL) for name in ("p", "q")]
    assert [process.wait(timeout=120) for process in started] == [0, 0]
    assert builder.project.sync() == 0
    found: list[Any] = client(builder.root).search_experiments(filter_string="name != 'Default'")
    assert sorted(experiment.name for experiment in found) == ["p", "q"]
