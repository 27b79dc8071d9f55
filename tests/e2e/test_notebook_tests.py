"""Tests of notebooks as a person has them: pytest on a small project, with real kernels."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder
from commands import python, stagebook

pytestmark = [pytest.mark.kernel, pytest.mark.e2e, pytest.mark.timeout(900)]

REPOSITORY = Path(__file__).parents[2]
PIPELINE = """
params: {factor: 2, sizes: [1, 2], limit: {type: int}}
defaults: {executor: EXECUTOR}
stages:
  load:
    notebook: notebooks/load.py
    inputs: {raw: data/raw.csv}
    outputs: {table: data/table.parquet}
  clean:
    notebook: notebooks/clean.ipynb
    params: {factor: "${params.factor}"}
    inputs: {table: load.table, names: data/names.json}
    outputs: {clean: data/clean.parquet, note: data/note.txt}
  cut:
    notebook: notebooks/cut.ipynb
    matrix: {size: "${params.sizes}"}
    params: {size: "${matrix.size}", limit: "${params.limit}"}
    inputs: {tables: [load.table, clean.clean]}
    outputs: {cut: "data/cut-${matrix.size}.csv"}
  send:
    notebook: notebooks/send.ipynb
    inputs: {clean: clean.clean}
    outputs: {target: {path: "file:///srv/target", kind: external}}
"""
LOAD = """
# %% tags=["parameters"]
raw: str = ""
table: str = ""

# %%
import pandas as pd

import shared

shared.checked(pd.read_csv(raw)).to_parquet(table)
"""
CLEAN = [
    "import os\nimport pandas as pd\nimport scrapbook as sb\nframe = pd.read_parquet(table)",
    'assert (frame["x"] > 0).all(), "x is negative"',
    'if factor > 100:\n    factor = 100\nframe["y"] = frame["x"] * factor',
    'frame.to_parquet(clean)\nopen(note, "w").write(open(names).read())\nopen("stray.txt", "w").write("x")',
    'print("rows", len(frame))\nsb.glue("rows", len(frame))\nlen(frame)',
]
TESTS = """
import os
import pandas as pd
import pytest

FRAME = pd.DataFrame({"x": [1, 2]})


def test_frames_bytes_and_params(run_stage):
    done = run_stage("clean", inputs={"table": FRAME}, params={"factor": 3})
    assert done.status == "completed" and done.error is None
    assert done.frame("clean")["y"].tolist() == [3, 6]
    assert done.outputs["note"].read_text() == '["a"]'  # of the project
    assert done.scraps == {"rows": 2}
    assert [cell.status for cell in done.cells] == ["completed"] * 6
    assert done.cells[5].text == "rows 2\\n2\\n" and done.cells[5].seconds >= 0
    assert "rows 2" in done.text
    assert done.notebook["nbformat"] == 4
    assert done.audits["clean"].worst() is None

    done = run_stage("clean", inputs={"table": FRAME, "names": b"[]"}, params={"factor": 3})
    assert done.outputs["note"].read_text() == "[]"


def test_defaults_are_those_of_the_pipeline(run_stage):
    done = run_stage("clean", inputs={"table": lambda path: FRAME.to_parquet(path)})
    assert done.frame("clean")["y"].tolist() == [2, 4]
    assert done.params["factor"] == 2


def test_a_file_beside_the_test_and_a_script(run_stage):
    done = run_stage("load", inputs={"raw": "small.csv"})
    assert done.frame("table")["x"].tolist() == [5]


def test_a_source_of_the_project(run_stage):
    assert run_stage("load").frame("table")["x"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("point", [{"size": 2}, "2"])
def test_a_point(run_stage, point):
    done = run_stage("cut", inputs={"tables": [FRAME, FRAME]}, params={"limit": 9}, point=point)
    assert done.stage == "cut@2"
    assert done.frame("cut")["size"].tolist() == [2, 2, 9]


def test_an_instance(run_stage):
    assert run_stage("cut@1", inputs={"tables": [FRAME]}, params={"limit": 1}).stage == "cut@1"


def test_an_expected_failure(run_stage):
    failed = run_stage("clean", inputs={"table": -FRAME}, expect_failure=True)
    assert (failed.status, failed.outputs) == ("failed", {})
    assert (failed.error.cell, failed.error.ename, failed.error.evalue) == (3, "AssertionError", "x is negative")
    assert [cell.status for cell in failed.cells][2:4] == ["failed", "pending"]


def test_a_contract_that_does_not_hold(run_stage):
    failed = run_stage("clean", inputs={"table": FRAME}, params={"factor": 600}, expect_failure=True)
    assert failed.error.cause == "contract"
    assert [check.severity for check in failed.broken] == ["fail"]


def test_outside_of_the_project(run_stage, tmp_path):
    done = run_stage("send", inputs={"clean": FRAME}, outputs={"target": str(tmp_path / "sent")})
    assert (tmp_path / "sent").read_text() == "2"
    assert done.outputs["target"] == str(tmp_path / "sent")


def test_the_environment_of_the_test(run_stage, monkeypatch):
    monkeypatch.setenv("SENT_BY", "test")
    assert "PYTEST_CURRENT_TEST" in os.environ
    assert run_stage("clean", inputs={"table": FRAME}).status == "completed"
    assert "PYTEST_CURRENT_TEST" in os.environ
"""
FAILING = """
import pandas as pd

FRAME = pd.DataFrame({"x": [1, -2]})


def test_fails(run_stage):
    run_stage("clean", inputs={"table": FRAME})


def test_contract(run_stage):
    run_stage("clean", inputs={"table": abs(FRAME)}, params={"factor": 600})


def test_unexpected(run_stage):
    run_stage("clean", inputs={"table": abs(FRAME)}, expect_failure=True)


def test_lacking(run_stage):
    run_stage("clean")


def test_misspelt(run_stage):
    run_stage("claen")


def test_outside(run_stage):
    run_stage("send", inputs={"clean": FRAME})


def test_point(run_stage):
    run_stage("cut", params={"limit": 3})
"""
CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: p.clean.clean
version: 1.0.0
status: active
schema:
  - name: clean
    properties:
      - { name: y, logicalType: integer, logicalTypeOptions: { maximum: 150 } }
"""


def made(builder: ProjectBuilder, executor: str = "kernel") -> ProjectBuilder:
    """A project of four stages, with a module, a contract and a source."""
    builder.pipeline(PIPELINE.replace("EXECUTOR", executor))
    builder.file("notebooks/load.py", LOAD.lstrip())
    builder.file("notebooks/shared.py", "def checked(frame):\n    assert len(frame)\n    return frame\n")
    builder.notebook("clean", *CLEAN, params="table = ''\nnames = ''\nclean = ''\nnote = ''\nfactor: int = 1")
    builder.notebook(
        "cut",
        "import pandas as pd\nframes = [pd.read_parquet(path) for path in tables]",
        "pd.DataFrame({'size': [*(len(one) for one in frames), limit]}).to_csv(cut, index=False)",
        params="tables: list[str] = [\"none\"]\nsize = 1\nlimit = 0\ncut = ''",
    )
    builder.notebook(
        "send",
        "import pandas as pd\nopen(target, 'w').write(str(len(pd.read_parquet(clean))))",
        params="clean = ''\ntarget = ''",
    )
    builder.file("contracts/p.clean.clean.yaml", CONTRACT)
    builder.file("data/raw.csv", "x\n1\n2\n3\n")
    builder.file("data/names.json", '["a"]')
    builder.file("tests/small.csv", "x\n5\n")
    builder.without_tracking()
    return builder


def digests(root: Path) -> Mapping[str, str]:
    """All files of a project but what pytest and Python keep for themselves."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not {"__pycache__", ".pytest_cache"} & set(path.parts)
    }


def checked(builder: ProjectBuilder, *words: str) -> subprocess.CompletedProcess[str]:
    return stagebook(builder.root, "test", *words, timeout=600)


@pytest.mark.long
@pytest.mark.parametrize("executor", ["kernel", "inprocess"])
def test_tests_of_notebooks_pass_and_leave_the_project_as_it_was(
    builder: ProjectBuilder, executor: str
) -> None:
    made(builder, executor)
    builder.file("tests/test_stages.py", TESTS)
    before = digests(builder.root)
    done = checked(builder, "--", "--junitxml=../report.xml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 passed" in done.stdout
    assert digests(builder.root) == before
    assert not (builder.root / ".stagebook").exists()
    lines = done.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if "cells of notebooks" in line)
    table = [line for line in lines[at + 1 :] if line and not line.startswith("=")]
    assert table == [
        "notebooks/clean.ipynb  6/6 cells  100 %",
        "notebooks/cut.ipynb    3/3 cells  100 %",
        "notebooks/load.py      2/2 cells  100 %",
        "notebooks/send.ipynb   2/2 cells  100 %",
        *([line for line in table if line.startswith("- generated")]),
    ]
    suite = ET.parse(builder.root.parent / "report.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("11", "0")


@pytest.mark.long
def test_what_is_wrong_is_said_where_the_test_asked(builder: ProjectBuilder) -> None:
    made(builder)
    builder.file("tests/test_failing.py", FAILING)
    done = checked(builder, "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["exit"] == 1
    said = {one["test"].partition("::")[2]: one["message"] for one in found["tests"]}
    assert {one["outcome"] for one in found["tests"]} == {"failed"}
    assert (
        "clean failed (exception) in notebooks/clean.ipynb, cell 3: AssertionError: x is negative"
        in said["test_fails"]
    )
    assert 'E           assert (frame["x"] > 0).all(), "x is negative"' in said["test_fails"]
    assert '>       run_stage("clean", inputs={"table": FRAME})' in said["test_fails"]
    assert "stages.py" not in said["test_fails"]  # where in Stagebook it was found says nothing
    assert (
        "clean failed (contract) in notebooks/clean.ipynb: contracts/p.clean.clean.yaml:9"
        in said["test_contract"]
    )
    assert "contract, fail:" in said["test_contract"]
    assert "clean completed, and was expected to fail" in said["test_unexpected"]
    assert "clean needs what the test does not give: table (load.table)" in said["test_lacking"]
    assert "inputs={'table': …} with a path, bytes, a DataFrame or a function" in said["test_lacking"]
    assert "there is no stage 'claen' in any pipeline" in said["test_misspelt"]
    assert "did you mean 'clean'?" in said["test_misspelt"]
    assert "outputs={'target': …}" in said["test_outside"]
    assert "cut has 2 instances" in said["test_point"]
    assert all("alone.py" not in text and "inputs.py" not in text for text in said.values())
    (notebook,) = found["notebooks"]
    assert (notebook["notebook"], notebook["executed"], notebook["missed"]) == (
        "notebooks/clean.ipynb",
        6,
        [],
    )
    assert "cells of notebooks" in done.stderr  # pytest's own output


@pytest.mark.long
def test_tests_beside_notebooks_in_several_processes(builder: ProjectBuilder) -> None:
    """Each process of pytest-xdist has a fork server of its own, and what they saw is added up."""
    made(builder)
    beside = """
        import pandas as pd

        def test_negative(run_stage):
            run_stage("clean", inputs={"table": pd.DataFrame({"x": [-1]})}, expect_failure=True)
    """
    other = """
        import pandas as pd

        def test_short(run_stage):
            done = run_stage("cut", inputs={"tables": []}, params={"limit": 1}, point={"size": 1})
            assert done.frame("cut")["size"].tolist() == [1]
    """
    builder.file("notebooks/test_clean.py", "\n".join(line[8:] for line in beside.splitlines()))
    builder.file("notebooks/cut_test.py", "\n".join(line[8:] for line in other.splitlines()))
    done = checked(builder, "--", "-n", "2", "-q")
    assert "2 passed" in done.stdout, done.stdout
    assert "notebooks/clean.ipynb  3/6 cells  50 %" in done.stdout
    assert "    cell 5 never ran: frame.to_parquet(clean)" in done.stdout
    one = checked(builder, "-k", "negative")
    assert "1 passed, 1 deselected" in one.stdout
    none = checked(builder, "-k", "nothing")
    assert none.returncode == 5  # pytest's: no test was collected


def test_outside_of_a_project_the_plugin_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\ndef test_it():\n    assert not any(name.startswith(('stagebook.project', 'pandas')) for name in sys.modules)\n"
        "def test_stage(run_stage):\n    pass\n"
    )
    done = python(
        tmp_path,
        "-m",
        "pytest",
        "-q",
        "-p",
        "stagebook.testing.plugin",
        "-p",
        "no:cacheprovider",
        "test_it.py",
    )
    assert "1 passed, 1 error" in done.stdout
    assert "no project in" in done.stdout
    assert "cells of notebooks" not in done.stdout


class TestReplays:
    @pytest.mark.long
    def test_from_equal_over_different_to_accepted(self, builder: ProjectBuilder) -> None:
        made(builder)
        assert stagebook(builder.root, "run", "p", "cut", "-p", "limit=3", "-p", "sizes=[7]").returncode == 0
        state = digests(builder.root)
        equal = checked(builder, "--replay", "load", "clean", "cut@7")  # with the parameters of that run
        assert "3 passed" in equal.stdout, equal.stdout
        assert digests(builder.root) == state

        builder.edit("clean", 'frame["x"] * factor', 'frame["x"] * factor + (frame["x"] > 2)')
        builder.edit("clean", "read())", 'read() + "!")')
        differs = checked(builder, "--replay", "p.clean")
        assert differs.returncode == 1
        assert "clean does not come to what was recorded in " in differs.stdout
        assert "  clean: row 3, y: 7, before 6\n" in differs.stdout
        assert '  note: line 1: ["a"]!, before ["a"]\n' in differs.stdout
        assert "accept it: stagebook test --replay clean --update" in differs.stdout
        assert digests(builder.root).keys() == {*state, "notebooks/clean.ipynb"}

        accepted = checked(builder, "--replay", "clean", "--update")
        assert accepted.returncode == 0
        assert "pipelines/p.yaml::clean: accepted: tests/replay/p.clean.json" in accepted.stdout
        expected = json.loads((builder.root / "tests/replay/p.clean.json").read_text())
        assert sorted(expected["outputs"]) == ["clean", "note"]
        again = checked(builder, "--replay", "clean", "--json")
        assert [(one["outcome"], one["message"]) for one in json.loads(again.stdout)["tests"]] == [
            ("passed", "as accepted")
        ]
        builder.edit("clean", '(frame["x"] > 2)', '2 * (frame["x"] > 2)')
        differs = checked(builder, "--replay", "clean")
        assert "clean does not come to what was accepted:" in differs.stdout
        assert "  clean: row 3, y: 8, before 7\n" in differs.stdout

        # A run is recorded, and what was accepted for an earlier one counts no more.
        assert stagebook(builder.root, "run", "p", "clean", "-p", "limit=3").returncode == 0
        assert "1 passed" in checked(builder, "--replay", "clean").stdout

    @pytest.mark.long
    def test_what_cannot_be_replayed_is_skipped_and_counted(self, builder: ProjectBuilder) -> None:
        made(builder)
        assert stagebook(builder.root, "run", "p", "cut", "-p", "limit=3").returncode == 0
        builder.file("data/raw.csv", "x\n9\n")
        shutil.rmtree(builder.root / ".stagebook/store")
        (builder.root / "data/clean.parquet").unlink()
        done = checked(builder, "--replay", "--json")
        assert done.returncode == 0, done.stderr
        said: dict[str, Any] = {
            one["test"].partition("::")[2]: one for one in json.loads(done.stdout)["tests"]
        }
        assert {name: one["outcome"] for name, one in said.items()} == {
            "load": "skipped",
            "clean": "passed",  # data/table.parquet is as it was, and so is what comes out
            "cut@1": "skipped",
            "cut@2": "skipped",
            "send": "skipped",
        }
        assert "the input raw (data/raw.csv) is not kept as it was" in said["load"]["message"]
        assert "record it anew: stagebook run p load --force" in said["load"]["message"]
        assert "the input tables (data/clean.parquet)" in said["cut@1"]["message"]
        assert "send has no result: stagebook run p send" in said["send"]["message"]

    @pytest.mark.long
    def test_a_notebook_that_fails_now(self, builder: ProjectBuilder) -> None:
        made(builder)
        assert stagebook(builder.root, "run", "p", "load", "-p", "limit=3").returncode == 0
        builder.file("notebooks/shared.py", "def checked(frame):\n    raise ValueError('no longer')\n")
        done = checked(builder, "--replay", "load")
        assert done.returncode == 1
        assert "load failed (exception) in notebooks/load.py, cell 2: ValueError: no longer" in done.stdout

    @pytest.mark.long
    def test_tables_are_equal_if_their_rows_are(self, builder: ProjectBuilder) -> None:
        """A Delta table, whose files are called otherwise each time, and Parquet that is packed in another way."""
        builder.without_tracking()
        builder.notebook(
            "make",
            "import pandas as pd\nframe = pd.DataFrame({'x': range(50)})",
            "frame.to_parquet(lake)\nframe.to_parquet(packed, compression='gzip')",
            params="lake = ''\npacked = ''",
        )
        builder.pipeline("""
            stages:
              make:
                notebook: notebooks/make.ipynb
                outputs: {lake: {path: data/lake, kind: delta}, packed: data/packed.parquet}
        """)
        assert stagebook(builder.root, "run").returncode == 0
        builder.edit("make", "compression='gzip'", "compression='snappy'")
        equal = checked(builder, "--replay")
        assert "1 passed" in equal.stdout, equal.stdout
        builder.edit("make", "range(50)", "range(1, 52)")
        differs = checked(builder, "--replay")
        assert "  lake: 51 rows, before 50\n  lake: row 1, x: 1, before 0\n" in differs.stdout
        assert "  packed: 51 rows, before 50\n" in differs.stdout


@pytest.fixture
def flights(tmp_path: Path) -> Path:
    """A copy of the reference project, without what runs leave behind."""
    for name in ("contracts", "pipelines", "notebooks"):
        shutil.copytree(
            REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", ".*")
        )
    return tmp_path


@pytest.mark.long
def test_flights_has_a_test_beside_a_notebook(flights: Path) -> None:
    done = stagebook(flights, "test", "-k", "impossible_wind", timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed, 4 deselected" in done.stdout


@pytest.mark.long
def test_all_tests_of_flights(flights: Path) -> None:
    """As who works on the reference project runs them."""
    done = stagebook(flights, "test", timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
    assert "notebooks/flights/clean.ipynb  16/16 cells  100 %" in done.stdout
