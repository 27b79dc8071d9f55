"""What the process of a notebook is seen to read and write, with both executors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder, notebook_data
from commands import stagebook
from stagebook.events import AttemptEnded, Cause, Status
from stagebook.observed import Observed
from stagebook.runs.run import RunReport

pytestmark = pytest.mark.kernel

EXECUTORS = pytest.mark.parametrize("executor", ["kernel", "inprocess"])
EVERY_WAY = pytest.mark.parametrize(
    ("executor", "fork"), [("kernel", True), ("kernel", False), ("inprocess", True), ("inprocess", False)]
)


def run(builder: ProjectBuilder, executor: str, *cells: str, fork: bool = True, more: str = "") -> RunReport:
    builder.file("stagebook.toml", f"[tracking]\nenabled = false\n[run]\nfork = {str(fork).lower()}\n")
    path = builder.notebook("a", *cells)
    builder.pipeline(f"stages:\n  a: {{notebook: {path}, executor: {executor}{more}}}")
    return builder.project.run("p")


def observed(builder: ProjectBuilder, report: RunReport) -> dict[str, Any]:
    (ended,) = [event for event in builder.events(report.run) if isinstance(event, AttemptEnded)]
    assert report.status is Status.COMPLETED, ended.message
    assert ended.observed is not None
    assert report.history.stages["a"].observed == ended.observed
    return ended.observed.to_json()


@EVERY_WAY
def test_files_that_python_opens_are_seen(builder: ProjectBuilder, executor: str, fork: bool) -> None:
    builder.file("data/in.txt", "1")
    builder.file("data/raw/one.txt", "1")
    builder.file("src/helping.py", "VALUE = 1\n")
    builder.file(".venv/pyvenv.cfg", "")
    builder.file(".venv/lib/thing.txt", "1")
    builder.file("mlruns/x.txt", "1")
    cells = (
        "import os, sys, sqlite3\nfrom pathlib import Path\nsys.path.insert(0, 'src')\nimport helping",
        "Path('data/in.txt').read_text()\nos.listdir('data/raw')\nopen('mlruns/x.txt').close()",
        "open('.venv/lib/thing.txt').close()\nopen('/etc/hostname').close()",
        "open('data/new.tmp', 'w').close()\nos.replace('data/new.tmp', 'data/new.txt')\nopen('data/new.txt').close()",
        "base = sqlite3.connect('data/base.db')\nbase.execute('create table t(x)')\nbase.commit()",
        "try:\n    open('data/absent.txt')\nexcept OSError:\n    pass",
        "os.chdir('data')\nopen('in.txt').close()\nopen('later.txt', 'w').close()",
    )
    report = run(builder, executor, *cells, fork=fork)
    assert observed(builder, report) == {
        "reads": ["data/in.txt", "data/raw", "src/helping.py"],
        "writes": ["data/base.db", "data/later.txt", "data/new.txt"],
    }


LIBRARIES = """
import pandas as pd, numpy as np, joblib, pyarrow as pa
import pyarrow.parquet as pq, pyarrow.csv as pc, pyarrow.feather as pf, pyarrow.dataset as ds
import duckdb
frame = pd.DataFrame({'a': [1, 2]})
table = pa.table({'a': [1]})
"""
READING = """
import pandas as pd, numpy as np, joblib, pyarrow as pa
import pyarrow.parquet as pq, pyarrow.csv as pc, pyarrow.feather as pf, pyarrow.dataset as ds
import duckdb
pd.read_csv('in/pandas.csv'); pd.read_parquet('in/pandas.parquet'); np.load('in/numpy.npy')
joblib.load('in/joblib.pkl'); pq.read_table('in/table.parquet'); pq.ParquetFile('in/file.parquet').read()
ds.dataset('in/set').to_table(); pc.read_csv('in/arrow.csv'); pf.read_table('in/arrow.feather')
pa.memory_map('in/mapped.bin').read(); duckdb.read_parquet('in/duck.parquet').fetchall()
duckdb.connect('in/base.duckdb', read_only=True).execute('select * from t').fetchall()
duckdb.sql("select * from 'in/sql.parquet'").fetchall()
here = pd.DataFrame({'a': [1]})
def inside():
    there = pd.DataFrame({'a': [7]})
    return duckdb.sql("select * from there").fetchall()
assert inside() == [(7,)] and duckdb.sql("select * from here").fetchall() == [(1,)]
"""
WRITING = """
frame.to_csv('out/pandas.csv'); frame.to_parquet('out/pandas.parquet'); np.save('out/numpy.npy', [1])
joblib.dump(frame, 'out/joblib.pkl'); pq.write_table(table, 'out/table.parquet')
ds.write_dataset(table, 'out/set', format='parquet'); pc.write_csv(table, 'out/arrow.csv')
pf.write_feather(table, 'out/arrow.feather')
base = duckdb.connect('out/base.duckdb'); base.execute('create table t as select 1'); base.close()
duckdb.sql("copy (select 1) to 'out/sql.parquet'")
"""


@EVERY_WAY
def test_files_that_libraries_open_themselves_are_seen(
    builder: ProjectBuilder, executor: str, fork: bool
) -> None:
    import duckdb
    import joblib
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.feather as pf
    import pyarrow.parquet as pq

    folder = builder.root / "in"
    (folder / "set").mkdir(parents=True)
    (builder.root / "out").mkdir()
    frame, table = pd.DataFrame({"a": [1, 2]}), pa.table({"a": [1]})
    for name in ("pandas", "table", "file", "duck", "sql", "set/part"):
        pq.write_table(table, folder / f"{name}.parquet")
    frame.to_csv(folder / "pandas.csv")
    frame.to_csv(folder / "arrow.csv")
    np.save(folder / "numpy.npy", [1])
    joblib.dump(frame, folder / "joblib.pkl")
    pf.write_feather(table, folder / "arrow.feather")
    (folder / "mapped.bin").write_bytes(b"1")
    with duckdb.connect(str(folder / "base.duckdb")) as base:
        base.execute("create table t as select 1")
    os.utime(folder / "base.duckdb", (1, 1))
    names = sorted(f"in/{item.name}" for item in folder.iterdir())
    # First the imports and the reads in one cell, as most notebooks have them.
    report = run(builder, executor, READING, LIBRARIES, WRITING, fork=fork)
    found = observed(builder, report)
    assert found["reads"] == names
    assert found["writes"] == sorted(f"out/{item.name}" for item in (builder.root / "out").iterdir())


@EXECUTORS
def test_forked_children_are_seen(builder: ProjectBuilder, executor: str) -> None:
    for name in "abc":
        builder.file(f"data/{name}.txt", name)
    cell = (
        "import multiprocessing, os, sys\n"
        "def read(name):\n"
        "    os.closerange(3, 64) if name == 'c' else None\n"
        "    return open(f'data/{name}.txt').read()\n"
        "def work(name):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        read(name); os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
        "with multiprocessing.get_context('fork').Pool(1) as pool:\n"
        "    print(pool.map(read, ['a']))\n"
        "work('b'); work('c')\n"
    )
    found = observed(builder, run(builder, executor, cell))
    assert found["reads"] == ["data/a.txt", "data/b.txt", "data/c.txt"]


@EXECUTORS
def test_lines_are_there_after_a_crash(builder: ProjectBuilder, executor: str) -> None:
    builder.file("data/in.txt", "1")
    report = run(builder, executor, "open('data/in.txt').close()\nimport os; os._exit(3)")
    assert report.status is Status.FAILED
    assert report.history.stages["a"].observed == Observed(reads=("data/in.txt",))


BEHAVIOUR = (
    "import os, sys, signal, inspect, pickle, warnings\nimport pyarrow.parquet as pq, pyarrow.csv as pc",
    "sorted(n for n in os.environ if n.startswith('STAGEBOOK_') and n != 'STAGEBOOK_ATTEMPT')",
    "[str(inspect.signature(f)) for f in (pq.read_table, pq.ParquetFile, pc.read_csv, pq.ParquetWriter)]",
    "pickle.loads(pickle.dumps(pc.read_csv)) is pc.read_csv, pickle.loads(pickle.dumps(pq.ParquetFile)) is pq.ParquetFile",
    "#tag raises-exception\npq.read_table('absent.parquet')",
    "#tag raises-exception\nopen('absent.txt')",
    "class Sub(pq.ParquetFile):\n    pass\nissubclass(Sub, pq.ParquetFile), Sub.__init__ is pq.ParquetFile.__init__",
    # An alarm's exception comes out of whatever runs, a call that is observed included.
    (
        "def ring(*_):\n    raise TimeoutError('rang')\nsignal.signal(signal.SIGALRM, ring)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.05)\ncaught = ''\ntry:\n    while True:\n"
        "        open('/dev/null').close()\nexcept TimeoutError as error:\n    caught = str(error)\ncaught"
    ),
    "def deep(n):\n    return open('/dev/null').close() or deep(n + 1)\ntry:\n    deep(0)\nexcept RecursionError:\n    print('deep')",
    "len(os.sched_getaffinity(0)), os.getcwd() == os.path.realpath('.')",
)


@EXECUTORS
@pytest.mark.long
def test_the_notebook_is_the_same_as_without(
    builder: ProjectBuilder, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder.file("data/x", "")
    shown = []
    for off in (False, True):
        if off:
            monkeypatch.setenv("STAGEBOOK_OBSERVED", "off")
        report = run(builder, executor, *BEHAVIOUR, more=", cache: false")
        shown.append((report, _shown(builder.executed(report.run, "a"))))
    seen = [report.history.stages["a"].observed is not None for report, _ in shown]
    assert seen == [True, False]
    assert shown[0][1] == shown[1][1]


def _shown(notebook: dict[str, Any]) -> list[Any]:
    """The outputs, without the frames of the library that a traceback goes through."""
    return [
        [
            (out.get("ename"), out.get("evalue")) if out["output_type"] == "error" else out
            for out in cell["outputs"]
        ]
        for cell in notebook["cells"]
    ]


@EXECUTORS
def test_a_descriptor_that_a_notebook_closes_is_not_written_to(
    builder: ProjectBuilder, executor: str
) -> None:
    (builder.root / "data").mkdir()
    cell = (
        "import os\n"
        "mine = [n for n in os.listdir('/proc/self/fd')\n"
        "        if 'observed' in os.path.realpath(f'/proc/self/fd/{n}')]\n"
        "own = os.open('data/own.txt', os.O_CREAT | os.O_RDWR)\n"
        "os.dup2(own, int(mine[0]))\n"
        "for n in range(20):\n"
        "    open(f'data/{n}.txt', 'w').close()\n"
        "os.write(own, b'mine')"
    )
    found = observed(builder, run(builder, executor, cell))
    assert (builder.root / "data/own.txt").read_bytes() == b"mine"
    assert "data/19.txt" in found["writes"]


def test_outputs_are_as_without(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.file("data/in.txt", "1")
    path = builder.notebook(
        "a", "open(out, 'w').write(open(source).read())", params="source = 'data/in.txt'\nout = 'x'"
    )
    builder.pipeline(
        f"stages:\n  a: {{notebook: {path}, inputs: {{source: data/in.txt}}, outputs: {{out: data/out.txt}}}}"
    )
    report = builder.project.run("p")
    assert observed(builder, report) == {"reads": ["data/in.txt"], "writes": []}
    assert (builder.root / "data/out.txt").read_text() == "1"


def test_a_kernel_of_another_kind_is_not_observed(
    builder: ProjectBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {
        "argv": [sys.executable, "-Wignore", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "other",
        "language": "python",
    }
    folder = tmp_path / "jupyter/kernels/other"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    report = run(builder, "kernel", "1 + 1", more=", kernel: other")
    assert report.status is Status.COMPLETED, report.history.stages["a"].message
    assert report.history.stages["a"].observed is None


# -- strict ---------------------------------------------------------------------------------------


@EXECUTORS
def test_a_strict_stage_reads_what_is_declared(builder: ProjectBuilder, executor: str) -> None:
    builder.without_tracking()
    builder.file("data/in.txt", "1")
    builder.file("data/more.txt", "2")
    builder.file("out.txt", "as it was")
    path = builder.notebook(
        "a",
        "open(out, 'w').write(open(source).read() + open('data/more.txt').read())",
        params="source = ''\nmore = ''\nout = ''",
    )
    stage = f"notebook: {path}, executor: {executor}, strict: true, retries: 3, outputs: {{out: out.txt}}"
    builder.pipeline(f"stages:\n  a: {{{stage}, inputs: {{source: data/in.txt}}}}")
    report = builder.project.run("p")
    (ended,) = [event for event in builder.events(report.run) if isinstance(event, AttemptEnded)]
    assert (report.status, ended.cause, ended.outputs) == (Status.FAILED, Cause.UNDECLARED, {})
    assert ended.message == "it is strict, and reads what is not declared as an input: data/more.txt"
    assert (builder.root / "out.txt").read_text() == "as it was"
    builder.pipeline(f"stages:\n  a: {{{stage}, inputs: {{source: data/in.txt, more: data/more.txt}}}}")
    assert builder.project.run("p").status is Status.COMPLETED
    assert (builder.root / "out.txt").read_text() == "12"


# -- stagebook infer ------------------------------------------------------------------------------


def infer(builder: ProjectBuilder, *arguments: str) -> subprocess.CompletedProcess[str]:
    return stagebook(builder.root, "infer", *arguments)


@pytest.mark.long
def test_infer_proposes_a_pipeline_that_runs(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.file("data/raw.csv", "a\n1\n")
    first = builder.notebook(
        "01-load",
        "import pandas as pd\npd.read_csv(raw).head(limit).to_parquet(out)",
        params="raw = 'data/raw.csv'\nout = 'data/x.parquet'\nlimit: int = 5  # rows",
    )
    second = builder.notebook(
        "02-sum",
        "import duckdb\nduckdb.sql(f\"copy (select sum(a) s from '{source}') to '{total}'\")\n"
        "print(open('data/raw.csv').read())",
        params="source = 'data/x.parquet'\ntotal = 'total.csv'",
    )
    done = infer(builder, first, second, "-o", "pipelines/p.yaml", "--json")
    assert done.returncode == 0, done.stderr
    text = (builder.root / "pipelines/p.yaml").read_text()
    assert json.loads(done.stdout)["pipeline"] == text
    assert "sum completed" in done.stderr
    plan = builder.plan()
    assert [stage.id for stage in plan.stages] == ["load", "sum"]
    load, total = plan.stages
    assert {name: item.paths for name, item in load.inputs.items()} == {"raw": ("data/raw.csv",)}
    assert {name: item.sources for name, item in total.inputs.items()} == {"source": ("load",), "raw": ("",)}
    assert not total.inputs["raw"].is_passed  # its path stands in a cell
    assert [list(stage.outputs) for stage in plan.stages] == [["out"], ["total"]]
    assert load.params == {"limit": 5}
    (builder.root / "total.csv").unlink()
    assert builder.project.run("p").status is Status.COMPLETED
    assert (builder.root / "total.csv").read_text() == "s\n1\n"
    again = infer(builder, first, "-o", "pipelines/p.yaml")
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    assert (builder.root / "pipelines/p.yaml").read_text() == text
    assert infer(builder, first, "-o", "pipelines/p.yaml", "--force").returncode == 0
    assert list((builder.root / ".stagebook").glob("infer-*")) == []


def test_infer_of_a_notebook_that_fails_proposes_nothing(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    good, bad = builder.notebook("good", "1"), builder.notebook("bad", "open('../x.csv')")
    done = infer(builder, good, bad, "-o", "pipelines/p.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert "'notebooks/bad.ipynb' failed in cell 1: FileNotFoundError" in done.stderr
    said = " ".join(done.stderr.split())
    # Its path leads out of the project from the root, so it was tried in its own folder.
    assert "its cells ran in notebooks/: paths in it are relative to that" in said
    assert not (builder.root / "pipelines/p.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent.ipynb"], "there is no notebook 'absent.ipynb'"),
        (["../outside.ipynb"], "leaves the project"),
        (["notebooks/a.ipynb", "./notebooks/a.ipynb"], "named twice"),
        (["notebooks/a.ipynb", "-o", "p.txt"], "is not a pipeline file"),
        (["stagebook.toml"], "is not a notebook"),
    ],
)
def test_infer_refuses(builder: ProjectBuilder, arguments: list[str], said: str) -> None:
    builder.without_tracking()
    builder.notebook("a", "1")
    (builder.root.parent / "outside.ipynb").write_text("{}")
    done = infer(builder, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.long
def test_infer_needs_no_project_and_takes_a_kernel(builder: ProjectBuilder) -> None:
    """Cases of `infer` in a folder of loose notebooks, whose kernel is not installed here."""
    data = notebook_data("open('x.txt', 'w').write('1')", kernel="conda-env-lab-py")
    builder.file("loose.ipynb", json.dumps(data))
    done = infer(builder, "loose.ipynb")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the kernel 'conda-env-lab-py' of 'loose.ipynb' is not installed here" in done.stderr
    assert "--kernel python3" in done.stderr
    done = infer(builder, "loose.ipynb", "--kernel", "python3", "-o", "pipelines/p.yaml")
    assert done.returncode == 0, done.stderr
    text = (builder.root / "pipelines/p.yaml").read_text()
    assert "    kernel: python3\n" in text
    assert "    outputs: [x.txt]\n" in text
    assert builder.screen() == ""
    assert (
        "the kernel 'none' is not installed here" in infer(builder, "loose.ipynb", "--kernel", "none").stderr
    )
