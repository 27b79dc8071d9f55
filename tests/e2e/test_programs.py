"""Stages that run a script, a function, SQL or a command: with the statuses, logs, reuse and records of notebooks."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from building import ProjectBuilder, ran
from commands import stagebook, start
from stagebook.events import AttemptEnded, Cause, Status
from stagebook.execution.attempt import MARKER
from stagebook.runs.run import RunReport
from stagebook.system import processes
from stagebook.testing import StageResult, StageTests
from stagebook.testing.cells import CellCoverage
from stagebook.testing.stages import StageTest
from tracked import client, tracked_runs
from waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.kernel]

PIPELINE = """
    params: {rows: 3, least: 2}
    stages:
      get:
        command: [sh, scripts/get.sh, "${params.rows}", "${outputs.raw}"]
        outputs: {raw: data/raw.csv}
      totals:
        sql: queries/totals.sql
        params: {least: "${params.least}"}
        inputs: {raw: get.raw}
        outputs: {totals: data/totals.parquet}
      train:
        script: scripts/train.py
        args: [--depth, 4, "--out=${outputs.model}", "${inputs.totals}"]
        inputs: {totals: totals.totals}
        outputs: {model: data/model.txt}
      report:
        function: work.reporting:report
        params: {word: "it is"}
        inputs: {model: train.model}
        outputs: {page: data/page.txt}
      shout:
        command: "cat ${inputs.page} | tr a-z A-Z > ${outputs.loud}"
        inputs: {page: report.page}
        outputs: {loud: data/loud.txt}
"""


def four_kinds(builder: ProjectBuilder) -> None:
    """A pipeline with each of the four, one after the other."""
    builder.file(
        "scripts/get.sh", 'echo "getting $1"\nfor n in $(seq "$1"); do echo "$n"; done | sed "1i n" > "$2"\n'
    )
    builder.file("queries/totals.sql", "-- one row\nSELECT sum(n) AS total FROM raw\nWHERE n >= $least;\n")
    builder.file(
        "scripts/train.py",
        """import argparse
import asyncio
import multiprocessing
import sys

import pandas as pd
from shapes import NAME


def doubled(n):
    return 2 * n


async def asked():
    return "answered"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--depth", type=int)
    parser.add_argument("--out")
    parser.add_argument("totals")
    args = parser.parse_args()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        (depth,) = pool.map(doubled, [args.depth])
    print(__file__, sys.argv[0], asyncio.run(asked()))
    with open(args.out, "w") as file:
        file.write(f"{NAME} {depth} {pd.read_parquet(args.totals).total[0]:.0f}")
    sys.exit(0)
""",
    )
    builder.file("scripts/shapes.py", "NAME = 'forest'\n")
    builder.file("work/__init__.py")
    builder.file(
        "work/reporting.py",
        """from pathlib import Path


def report(model: Path, page: str, word: str = "", mark: str = "!"):
    text = model.read_text()
    Path(page).write_text(f"{word} {text}{mark}")
    return {"letters": len(text), "kept": [1, "a"]}
""",
    )
    builder.pipeline(PIPELINE)


def reasons(builder: ProjectBuilder) -> dict[str, str]:
    """What the next run would do with each stage, and its first reason."""
    return {stage.id: f"{stage.next_run}: {stage.reasons[0]}" for stage in builder.plan().stages}


def log_of(builder: ProjectBuilder, report: RunReport, stage: str) -> str:
    return (builder.root / f".stagebook/runs/{report.run}/{stage}/1/log.txt").read_text()


def ended(builder: ProjectBuilder, report: RunReport, stage: str) -> list[AttemptEnded]:
    found = (event for event in builder.events(report.run) if isinstance(event, AttemptEnded))
    return [event for event in found if event.stage == stage]


def test_all_four_run_are_reused_and_say_what_changed(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    four_kinds(builder)
    report = builder.project.run("p")
    assert report.status is Status.COMPLETED
    assert pd.read_parquet(builder.root / "data/totals.parquet").total[0] == 5
    assert (builder.root / "data/loud.txt").read_text() == "IT IS FOREST 8 5!"
    stages = report.history.stages
    assert stages["totals"].scraps["rows"]["value"] == 1
    assert {name: item["value"] for name, item in stages["report"].scraps.items()} == {
        "letters": 10,
        "kept": [1, "a"],
    }
    assert stages["train"].notebook == "scripts/train.py"
    script = str(builder.root / "scripts/train.py")
    assert f"{script} {script} answered" in log_of(builder, report, "train")
    assert "getting 3" in log_of(builder, report, "get")

    assert ran(builder.project.run("p")) == []
    assert set(reasons(builder).values()) == {"up to date: nothing changed"}

    def edit(path: str, old: str, new: str) -> None:
        text = (builder.root / path).read_text()
        assert old in text
        builder.file(path, text.replace(old, new))

    edit("scripts/shapes.py", "forest", "linear")
    edit("work/reporting.py", "{mark}", "{mark}{mark}")
    edit("queries/totals.sql", "one row", "the total")
    edit("scripts/get.sh", "getting", "fetching")
    edit("pipelines/p.yaml", "a-z A-Z", "a-y A-Y")
    edit("pipelines/p.yaml", "--depth, 4", "--depth, 5")
    assert reasons(builder) == {
        "get": "stale: scripts/get.sh changed",
        "totals": "stale: queries/totals.sql changed",
        "train": 'stale: args: ["--depth", 4, "--out=${outputs.model}", "${inputs.totals}"] → '
        '["--depth", 5, "--out=${outputs.model}", "${inputs.totals}"]',
        "report": "stale: work/reporting.py changed",
        "shout": 'stale: command: "cat ${inputs.page} | tr a-z A-Z > ${outputs.loud}" → '
        '"cat ${inputs.page} | tr a-y A-Y > ${outputs.loud}"',
    }
    explained = stagebook(builder.root, "why", "p", "train").stdout
    assert "scripts/shapes.py changed (scripts/train.py → shapes)" in " ".join(explained.split())


FAILING = {
    "raises": ("{script: scripts/raises.py, args: ['${outputs.out}']", "scripts/raises.py: KeyError: 'b'"),
    "exits": ("{script: scripts/exits.py, args: ['${outputs.out}']", "scripts/exits.py: exit status 2"),
    "says": ("{script: scripts/says.py, args: ['${outputs.out}']", "scripts/says.py: no more rows"),
    "function": ("{function: 'work:broken'", "work:broken: ValueError: not b"),
    "sql": ("{sql: queries/bad.sql", 'queries/bad.sql:3: Binder Error: Referenced column "nope" not found'),
    "reads": ("{sql: queries/reads.sql", "queries/reads.sql:1: Permission Error: Cannot access file"),
    "list": ("{command: [sh, -c, 'exit 22', '${outputs.out}']", "sh: exit status 22"),
    "text": ("{command: 'echo half > ${outputs.out}; exit 7'", "the command: exit status 7"),
    "killed": ("{command: 'kill -9 $$ ${outputs.out}'", "the command: killed by SIGKILL"),
    "absent": ("{command: ['${params.program}', '${outputs.out}']", "not-there: there is no such program"),
    "nothing": ("{command: ['true', '${outputs.out}']", "ended without writing 'out' (data/out.csv)"),
}


@pytest.mark.parametrize("kind", FAILING)
def test_what_fails_says_how_and_leaves_the_last_good_state(builder: ProjectBuilder, kind: str) -> None:
    builder.without_tracking()
    builder.file("data/out.csv", "good\n")
    builder.file(
        "scripts/raises.py",
        """import sys
open(sys.argv[1], "w").write("half")


def look(names):
    return names["b"]


look({"a": 1})
""",
    )
    builder.file("scripts/exits.py", "import argparse\nargparse.ArgumentParser().parse_args()\n")
    builder.file("scripts/says.py", "import sys\nsys.exit('no more rows')\n")
    builder.file("work.py", "def broken(out):\n    raise ValueError('not b')\n")
    builder.file("queries/bad.sql", "SELECT 1;\n\nSELECT nope\nFROM (SELECT 1 AS a);\n")
    builder.file("queries/reads.sql", "SELECT * FROM 'data/out.csv'\n")
    stage, message = FAILING[kind]
    builder.pipeline(
        f"params: {{program: not-there}}\nstages:\n  a: {stage}, outputs: {{out: data/out.csv}}}}\n"
    )
    report = builder.project.run("p")
    assert report.status is Status.FAILED
    (end,) = ended(builder, report, "a")
    assert message in end.message
    assert (builder.root / "data/out.csv").read_text() == "good\n"
    assert not list(builder.root.glob(f".stagebook/runs/{report.run}/a/1/outputs/*"))
    shown = " ".join(stagebook(builder.root, "logs", report.run).stdout.split())
    assert "in cell" not in shown
    trace = re.sub(r"\x1b\[[0-9;]*m", "", end.traceback)
    assert "stagebook_program" not in trace
    if kind == "raises":
        assert re.findall(r"File (\S+):(\d+)", trace) == [
            (str(builder.root / "scripts/raises.py"), "9"),
            (str(builder.root / "scripts/raises.py"), "6"),
        ]
    if kind == "function":
        assert re.findall(r"File (\S+):(\d+)", trace) == [(str(builder.root / "work.py"), "2")]


ENDLESS = {
    "script": "{script: scripts/endless.py, args: [started]}",
    "function": "{function: 'work:endless', params: {started: started}}",
    "command": "{command: [sh, scripts/endless.sh, started]}",
    "text": "{command: 'sh scripts/endless.sh started; echo after'}",
}


def endless(builder: ProjectBuilder) -> None:
    """Programs that never end, and start others in sessions of their own."""
    builder.without_tracking()
    body = """
import subprocess
subprocess.Popen(["setsid", "sleep", "1000"])
open({path}, "w").write("x")
while True:
    subprocess.run(["sleep", "1000"])
"""
    builder.file("scripts/endless.py", "import sys" + body.format(path="sys.argv[1]"))
    inner = body.format(path="started").replace("\n", "\n    ")
    builder.file("work.py", f"def endless(started):{inner}\n")
    builder.file("scripts/endless.sh", 'setsid sleep 1000 &\necho x > "$1"\nsleep 1000\n')


@pytest.mark.parametrize("kind", ENDLESS)
def test_one_that_never_ends_is_ended_at_its_timeout_with_all_that_it_started(
    builder: ProjectBuilder, kind: str
) -> None:
    endless(builder)
    stage = f"{ENDLESS[kind][:-1]}, timeout: 3s}}"
    builder.pipeline(f"stages:\n  a: {stage}\n")
    report = builder.project.run("p")
    assert report.history.stages["a"].cause == Cause.TIMEOUT
    assert (builder.root / "started").exists()
    assert processes.marked(MARKER, f"{report.run}/a/1") == []


@pytest.mark.parametrize("kind", ENDLESS)
def test_one_that_is_cancelled_ends_with_all_that_it_started(builder: ProjectBuilder, kind: str) -> None:
    endless(builder)
    builder.pipeline(f"stages:\n  a: {ENDLESS[kind]}\n")
    process = start(builder.root, "run", "p")
    until((builder.root / "started").exists, 60, "the program does not start")
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    (run,) = (path.name for path in (builder.root / ".stagebook/runs").iterdir())
    history = builder.project.history
    assert history.stage(history.find(run), "a").status is Status.CANCELLED
    assert processes.marked(MARKER, f"{run}/a/1") == []


def test_a_command_is_tried_again(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.file(
        "scripts/flaky.sh",
        'echo "try $(cat tries)"; echo x >> tries; [ $(wc -l < tries) -gt 2 ] && : > "$1"\n',
    )
    builder.file("tries", "0\n")
    builder.pipeline("""
        stages:
          a:
            command: [sh, scripts/flaky.sh, "${outputs.out}"]
            outputs: {out: data/out.txt}
            retries: 2
            retry_delay: 0.1s
    """)
    report = builder.project.run("p")
    assert report.status is Status.COMPLETED
    assert [event.cause for event in ended(builder, report, "a")] == [Cause.EXCEPTION, None]
    assert "try 0" in log_of(builder, report, "a")


def test_what_a_command_prints_is_in_the_log_while_it_runs(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.pipeline("stages: {a: {command: 'echo half; until [ -e go ]; do sleep 0.02; done; echo whole'}}")
    process = start(builder.root, "run", "p")

    def log() -> str:
        return "".join(path.read_text() for path in builder.root.glob(".stagebook/runs/*/a/1/log.txt"))

    until(lambda: "half" in log(), 60, log)
    assert "whole" not in log()
    builder.file("go")
    assert process.wait(timeout=60) == 0
    assert "whole" in log()


@pytest.mark.parametrize("executor", ["kernel", "inprocess"])
def test_both_executors_run_programs(builder: ProjectBuilder, executor: str) -> None:
    builder.without_tracking()
    builder.file("scripts/a.py", "import sys\nprint(sys.argv[1:])\nopen(sys.argv[1], 'w').write('x')\n")
    builder.pipeline(f"""
        params: {{names: [one, "two words"]}}
        stages:
          a:
            script: scripts/a.py
            args: ["${{outputs.out}}", "${{params.names}}"]
            outputs: {{out: data/a.txt}}
            executor: {executor}
          b:
            command: "printf '%s,' ${{params.names}} ${{inputs.a}} > ${{outputs.out}}; echo said"
            inputs: {{a: a.out}}
            outputs: {{out: data/b.txt}}
            executor: {executor}
    """)
    report = builder.project.run("p")
    assert report.status is Status.COMPLETED
    assert "'one', 'two words']" in log_of(builder, report, "a")
    assert (builder.root / "data/b.txt").read_text() == f"one,two words,{builder.root / 'data/a.txt'},"
    assert "said" in log_of(builder, report, "b")


def test_sql_through_a_connection(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.file("connections.toml", '[base]\nurl = "sqlite:///birds.db"\n')
    with sqlite3.connect(builder.root / "birds.db") as database:
        database.execute("CREATE TABLE birds (name, n)")
        database.execute("INSERT INTO birds VALUES ('owl', 1), ('wren', 4), ('it''s: $n', 9)")
    database.close()
    builder.file(
        "queries/birds.sql", "CREATE TEMP TABLE t AS SELECT * FROM birds; SELECT name FROM t WHERE n > $n;"
    )
    builder.file("queries/bad.sql", "SELECT 1;\nSELECT * FROM absent\n")
    builder.pipeline("""
        stages:
          a: {sql: queries/birds.sql, connection: base, params: {n: 1}, outputs: {out: data/birds.json}}
          b: {sql: queries/bad.sql, connection: base, outputs: {out: data/bad.csv}, after: a}
    """)
    report = builder.project.run("p")
    assert json.loads((builder.root / "data/birds.json").read_text()) == [
        {"name": "wren"},
        {"name": "it's: $n"},
    ]
    assert report.history.stages["a"].scraps["rows"]["value"] == 2
    assert report.history.stages["b"].message == "queries/bad.sql:2: no such table: absent"


@pytest.mark.usefixtures("with_store")
@pytest.mark.filterwarnings("default")
def test_mlflow_has_what_programs_left(builder: ProjectBuilder) -> None:
    four_kinds(builder)
    report = builder.project.run("p", {"rows": 4})
    assert (report.status, report.undelivered) == (Status.COMPLETED, 0)
    found = tracked_runs(builder.root, f"tags.`stagebook.run_id` = '{report.run}'")
    stages = {run.info.run_name: run for run in found if run.data.tags["stagebook.kind"] == "stage"}
    assert stages["totals"].data.metrics["rows"] == 1
    assert stages["report"].data.metrics["letters"] == 10
    assert "--out=${outputs.model}" in stages["train"].data.params["args"]
    store = client(builder.root)
    kept = {item.path for item in store.list_artifacts(stages["get"].info.run_id)}
    assert {"log.txt", "notebook.ipynb"} <= kept
    assert (
        Path(store.download_artifacts(stages["get"].info.run_id, "log.txt"))
        .read_text()
        .startswith("getting 4")
    )


def test_each_kind_can_be_run_by_itself_in_a_test(builder: ProjectBuilder, tmp_path: Path) -> None:
    builder.without_tracking()
    four_kinds(builder)
    tests = StageTests(builder.root, tmp_path / "near", CellCoverage())

    def run(name: str, inputs: dict[str, Any] | None = None, **params: Any) -> StageResult:
        tree = tmp_path / name
        tree.mkdir()
        return tests.run(StageTest(stage=name, inputs=inputs or {}, params=params), tree, tmp_path)

    try:
        raw = run("get").outputs["raw"]
        totals = run("totals", {"raw": raw}, least=3)
        assert pd.read_parquet(totals.outputs["totals"]).total[0] == 3
        model = run("train", {"totals": totals.outputs["totals"]}).outputs["model"]
        report = run("report", {"model": model}, word="so")
        assert Path(report.outputs["page"]).read_text() == "so forest 8 3!"
        assert (
            Path(run("shout", {"page": report.outputs["page"]}).outputs["loud"]).read_text()
            == "SO FOREST 8 3!"
        )
    finally:
        tests.close()
