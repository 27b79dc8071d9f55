"""One stage run by itself, in this process: what it is given of the project, and what it is not."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from building import ProjectBuilder
from stagebook.errors import PipelineInvalid, UsageError
from stagebook.testing.cells import CellCoverage
from stagebook.testing.outcome import StageFailed, StageResult
from stagebook.testing.stages import RunStage, StageTests, untested

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]

Run = Callable[..., StageResult]
CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: p.use.out
version: 1.0.0
status: active
schema:
  - name: out
    properties:
      - name: x
        logicalType: integer
        relationships: [{ to: p.others.known.x }]
    quality:
      - type: custom
        engine: stagebook
        name: by a function
        implementation: { function: "rules/checks.py:small" }
"""
CHECK = "import limits\n\n\ndef small(frame):\n    return 'too large' if (frame['x'] > limits.MOST).any() else ''\n"


@pytest.fixture
def run(builder: ProjectBuilder, tmp_path: Path) -> Iterator[Run]:
    """`run_stage` of a project that is made by then."""
    made: list[StageTests] = []

    def trees() -> Iterator[Path]:
        for number in itertools.count():
            (folder := tmp_path / f"tree-{number}").mkdir()
            yield folder

    folders = trees()

    def called(stage: str, **given: Any) -> StageResult:
        if not made:
            builder.without_tracking() if not (builder.root / "stagebook.toml").exists() else None
            (cache := tmp_path / "cache").mkdir()
            made.append(StageTests(builder.root, cache, CellCoverage()))
        return RunStage(made[0], folders, builder.root / "tests")(stage, **given)

    yield called
    for tests in made:
        tests.close()


def test_what_the_environment_holds(
    builder: ProjectBuilder, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets of files lie in the project, MLflow is none that anybody sees, and pytest is not to be noticed."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    (key := builder.file("private/key", "hush-hush")).chmod(0o600)
    builder.file(
        "stagebook.toml",
        '[secrets]\nkey = {file = "private/key"}\n[connections.shop]\nurl = "sqlite:///data/shop.db"\n',
    )
    builder.notebook(
        "n",
        "import os\nimport scrapbook as sb",
        "sb.glue('told', [os.environ['KEY'] == 'hush-hush', os.environ['MLFLOW_TRACKING_URI'].startswith('sqlite'),"
        " 'PYTEST_CURRENT_TEST' in os.environ, os.getcwd() == os.path.realpath(os.getcwd())])",
    )
    builder.pipeline("stages: {s: {notebook: notebooks/n.ipynb, env: {KEY: '${secret.key}'}}}")
    done = run("s")
    assert done.scraps["told"] == [True, True, False, True]
    assert key.read_text() == "hush-hush"


def test_a_strict_stage_may_read_its_code_and_its_inputs(builder: ProjectBuilder, run: Run) -> None:
    builder.file("notebooks/near.py", "VALUE = 4\n")
    builder.notebook(
        "n",
        "import near",
        "text = open(raw).read()",
        "if near.VALUE < 0:\n    open('data/secret.csv')",
        params="raw = ''",
    )
    builder.file("data/raw.csv", "a\n")
    builder.pipeline("stages: {s: {notebook: notebooks/n.ipynb, strict: true, inputs: {raw: data/raw.csv}}}")
    assert run("s").status == "completed"
    builder.file("data/secret.csv", "b\n")
    builder.file("notebooks/near.py", "VALUE = -4\n")  # the next call has the code as it is then
    failed = run("s", expect_failure=True)
    assert failed.error is not None
    assert failed.error.ename == "FileNotFoundError"  # what is not declared is not there


@pytest.mark.long
def test_rules_of_a_contract_that_lead_elsewhere(builder: ProjectBuilder, run: Run) -> None:
    """A contract that asks for the dataset of another stage, and for a function of the project."""
    builder.file("rules/checks.py", CHECK)
    builder.file("rules/limits.py", "MOST = 5\n")
    builder.file("contracts/p.use.out.yaml", CONTRACT)
    builder.notebook("n", "import shutil\nshutil.copy(raw, out)", params="raw = ''\nout = ''")
    builder.pipeline("""
        stages:
          others: {notebook: notebooks/others.ipynb, outputs: {known: data/known.parquet}}
          use:
            notebook: notebooks/n.ipynb
            after: [others]
            inputs: {raw: data/raw.parquet}
            outputs: {out: data/out.parquet}
    """)  # the notebook of `others` is not there, and need not be
    known = pd.DataFrame({"x": [1, 2, 9]})
    done = run("use", inputs={"raw": pd.DataFrame({"x": [1, 2]}), "p.others.known": known})
    assert [check.outcome for check in done.audits["out"].checks] == ["passed"] * len(
        done.audits["out"].checks
    )
    with pytest.raises(StageFailed, match="by a function"):
        run("use", inputs={"raw": pd.DataFrame({"x": [9]}), "p.others.known": known})
    with pytest.raises(StageFailed, match=r"p\.others\.known"):
        run("use", inputs={"raw": pd.DataFrame({"x": [3]}), "p.others.known": known})


@pytest.mark.long
def test_an_item_a_delta_table_and_an_own_way_to_start(builder: ProjectBuilder, run: Run) -> None:
    """Without a fork server; the list of a foreach is not asked for; rows of a table that nobody has yet."""
    builder.file("stagebook.toml", "[run]\nfork = false\n")
    builder.notebook(
        "n", "import pandas as pd\npd.DataFrame({'x': [item]}).to_parquet(lake)", params="item = 0\nlake = ''"
    )
    builder.pipeline("""
        stages:
          list: {notebook: notebooks/n.ipynb}
          each:
            notebook: notebooks/n.ipynb
            foreach: ${stages.list.scraps.items}
            when: ${stages.list.scraps.items != []}
            params: {item: "${item}"}
            outputs: {lake: {path: "data/lake-${item}", kind: delta, mode: append}}
    """)
    done = run("each", point={"item": 7})
    assert (done.stage, done.frame("lake")["x"].tolist()) == ("each@7", [7])


def test_the_fork_server_is_started_again(builder: ProjectBuilder, run: Run, tmp_path: Path) -> None:
    builder.notebook("n", "print(1)")
    builder.pipeline("stages: {s: {notebook: notebooks/n.ipynb}}")
    tests = StageTests(builder.root, tmp_path / "own", CellCoverage())
    stage = RunStage(tests, (Path(str(tmp_path / name)) for name in ("a", "b")), tmp_path)
    try:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            assert stage("s").cells[0].text == "1\n"
            if tests._server is not None:
                tests._server.process.kill()
                tests._server.process.wait()
    finally:
        tests.close()
    assert untested(builder.project, {}) == ["notebooks/n.ipynb"]
    assert tests.coverage.notebooks[0].missed == []


def test_a_notebook_with_a_mistake(builder: ProjectBuilder, run: Run) -> None:
    builder.file("notebooks/n.ipynb", "{")
    builder.pipeline("stages: {s: {notebook: notebooks/n.ipynb}}")
    with pytest.raises(PipelineInvalid, match=r"notebooks/n\.ipynb"):
        run("s")


def test_a_stage_is_about_the_interval_that_is_given(builder: ProjectBuilder, run: Run) -> None:
    builder.notebook("n", "open(out, 'w').write(start)", params="start: str = ''\nout = ''")
    builder.pipeline("""
    stages:
      a:
        notebook: notebooks/n.ipynb
        params: {start: "${interval.start}"}
        outputs: {out: "data/${interval.name}.txt"}
    """)
    with pytest.raises(PipelineInvalid, match="about an interval, and none is given"):
        run("a")
    with pytest.raises(UsageError, match="interval='never': 'never' names no interval"):
        run("a", interval="never")
    found = run("a", interval="2026-01")
    path = found.outputs["out"]
    assert (path.name, path.read_text()) == ("2026-01.txt", "2026-01-01")


def test_a_notebook_that_is_passed_no_paths_finds_what_it_is_given(builder: ProjectBuilder, run: Run) -> None:
    builder.file("data/raw/a.csv", "a\n1\n")
    builder.file("data/raw/b.csv", "a\n2\n")
    builder.notebook("cut", "pass")
    builder.notebook(
        "use",
        "import glob, json\nraw = [open(path).read() for path in sorted(glob.glob('data/raw/*.csv'))]",
        "json.dump([raw, open('parts/one.csv').read(), open('data/rate.txt').read()], open('out.json', 'w'))",
    )
    builder.file("data/rate.txt", "0.5")
    builder.pipeline("""
        stages:
          cut: {notebook: notebooks/cut.ipynb, outputs: [parts/]}
          use:
            notebook: notebooks/use.ipynb
            inputs: [data/raw/*.csv, cut.parts/one.csv, data/rate.txt]
            outputs: [out.json]
    """)
    done = run("use", inputs={"one": b"given"})
    assert json.loads(done.outputs["out"].read_text()) == [["a\n1\n", "a\n2\n"], "given", "0.5"]
    done = run("use", inputs={"one": b"given", "raw": [b"x", b"y"], "rate": b"1"})
    assert json.loads(done.outputs["out"].read_text()) == [["x", "y"], "given", "1"]
    assert (builder.root / "data/raw/a.csv").read_text() == "a\n1\n"
    assert not (builder.root / "out.json").exists()
    with pytest.raises(UsageError, match=r"one \(cut\.parts/one\.csv\)"):
        run("use")
