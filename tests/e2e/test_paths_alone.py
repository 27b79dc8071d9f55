"""Notebooks that are passed no paths: inputs and outputs are declared by where they are, and nothing is edited."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from building import ProjectBuilder
from commands import stagebook, start
from stagebook.events import AttemptEnded, Cause, Status
from waiting import until

pytestmark = pytest.mark.kernel

EXECUTORS = pytest.mark.parametrize("executor", ["kernel", "inprocess"])
STAGES = """
defaults: {{executor: {executor}}}
stages:
  cut:
    notebook: notebooks/cut.ipynb
    inputs: [data/raw/*.csv]
    outputs: [data/all.csv, data/parts/]
  one:
    notebook: notebooks/one.ipynb
    inputs: [cut.parts/one.csv, data/all.csv]
    outputs: [data/one.txt]
  parts:
    notebook: notebooks/parts.ipynb
    inputs: [data/parts]
    outputs: [data/count.txt]
"""
CUT = (
    "import glob\nlines = [line for path in sorted(glob.glob('data/raw/*.csv')) for line in open(path)]",
    "import os\nassert not os.path.exists('data/all.csv')\nopen('data/all.csv', 'w').writelines(lines[:1])",
    "for name in ('one', 'two'):\n    with open(f'data/parts/{name}.csv', 'w') as file:\n        file.writelines(it for it in lines if it.startswith(name))",
)  # fmt: skip


def project(builder: ProjectBuilder, executor: str = "inprocess") -> ProjectBuilder:
    builder.without_tracking()
    builder.file("data/raw/a.csv", "head\none,1\ntwo,2\n")
    builder.file("data/raw/b.csv", "two,3\n")
    builder.notebook("cut", *CUT)
    builder.notebook("one", "open('data/one.txt', 'w').write(open('data/parts/one.csv').read())")
    builder.notebook(
        "parts", "import os", "open('data/count.txt', 'w').write(str(len(os.listdir('data/parts'))))"
    )
    builder.pipeline(STAGES.format(executor=executor))
    return builder


def run(builder: ProjectBuilder) -> tuple[Status, list[str]]:
    """The status of a run, and the stages that were executed."""
    report = builder.project.run("p")
    ended = [event for event in builder.events(report.run) if isinstance(event, AttemptEnded)]
    return report.status, [event.stage for event in ended]


def there(builder: ProjectBuilder) -> dict[str, str]:
    """What is in `data`, also what is hidden."""
    return {
        path.relative_to(builder.root / "data").as_posix(): path.read_text()
        for path in sorted((builder.root / "data").rglob("*"))
        if path.is_file() and path.parent.name != "raw"
    }


MADE = {
    "all.csv": "head\n",
    "count.txt": "2",
    "one.txt": "one,1\n",
    "parts/one.csv": "one,1\n",
    "parts/two.csv": "two,2\ntwo,3\n",
}


@EXECUTORS
def test_they_run_are_reused_and_run_again_where_what_they_read_changed(
    builder: ProjectBuilder, executor: str
) -> None:
    project(builder, executor)
    status, ran = run(builder)
    assert (status, ran[0], {*ran}) == (Status.COMPLETED, "cut", {"cut", "one", "parts"})
    assert there(builder) == MADE
    assert run(builder) == (Status.COMPLETED, [])
    # Another file in the pattern changes `two` alone: what reads `one` of the folder is as it was.
    builder.file("data/raw/c.csv", "two,4\n")
    assert "the input raw has data/raw/c.csv as well" in builder.plan().stage("cut").reasons
    assert run(builder) == (Status.COMPLETED, ["cut", "parts"])
    assert there(builder) == {**MADE, "parts/two.csv": "two,2\ntwo,3\ntwo,4\n"}


def test_what_is_lost_comes_out_of_the_store(builder: ProjectBuilder) -> None:
    project(builder)
    run(builder)
    (builder.root / "data/all.csv").write_text("by hand")
    (builder.root / "data/parts/two.csv").unlink()
    assert run(builder) == (Status.COMPLETED, [])
    assert there(builder) == MADE


@EXECUTORS
def test_a_stage_that_fails_leaves_the_last_good_version(builder: ProjectBuilder, executor: str) -> None:
    project(builder, executor)
    run(builder)
    before = os.stat(builder.root / "data/all.csv").st_ino
    builder.edit(
        "cut", "for name in", "open('data/parts/new', 'w').write('x')\nraise KeyError('no')\nfor name in"
    )
    status, ran = run(builder)
    assert (status, ran) == (Status.FAILED, ["cut"])
    assert there(builder) == MADE
    assert os.stat(builder.root / "data/all.csv").st_ino == before
    assert not any((builder.root / ".stagebook/asides").iterdir())


def test_each_attempt_begins_with_nothing_there(builder: ProjectBuilder) -> None:
    project(builder)
    run(builder)
    builder.edit(
        "cut",
        "for name in",
        "if not os.path.exists('tried'):\n    open('tried', 'w')\n    raise KeyError('once')\nfor name in",
    )
    text = (builder.root / "pipelines/p.yaml").read_text()
    builder.pipeline(
        text.replace("outputs: [data/all", "retries: 1\n    retry_delay: 0.01\n    outputs: [data/all")
    )
    assert run(builder) == (Status.COMPLETED, ["cut", "cut"])
    assert there(builder) == MADE


def test_what_is_not_written_is_told_and_nothing_changes(builder: ProjectBuilder) -> None:
    project(builder)
    run(builder)
    builder.edit("cut", "for name in ('one', 'two')", "for name in ()")
    report = builder.project.run("p")
    (ended,) = [event for event in builder.events(report.run) if isinstance(event, AttemptEnded)]
    assert ended.cause is Cause.OUTPUT_MISSING
    assert ended.message == "the notebook ended without writing 'parts' (data/parts)"
    assert there(builder) == MADE


def test_a_contract_that_does_not_hold_leaves_the_last_good_version(builder: ProjectBuilder) -> None:
    project(builder)
    run(builder)
    builder.file(
        "contracts/p.one.one.yaml",
        "apiVersion: v3.1.0\nkind: DataContract\nid: p.one.one\nversion: 1.0.0\nstatus: active\n"
        "schema: [{name: one, properties: [{name: nope, logicalType: string, required: true}]}]\n",
    )
    text = (builder.root / "pipelines/p.yaml").read_text()
    builder.pipeline(text.replace("data/one.txt", "data/one.csv"))
    builder.edit("one", "data/one.txt", "data/one.csv")
    builder.file("data/one.csv", "nope\nearlier\n")
    report = builder.project.run("p")
    (ended,) = [event for event in builder.events(report.run) if isinstance(event, AttemptEnded)]
    assert ended.cause is Cause.CONTRACT, ended.message
    assert there(builder)["one.csv"] == "nope\nearlier\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_ended_leaves_the_last_good_version(
    builder: ProjectBuilder, tmp_path: Path, number: signal.Signals
) -> None:
    project(builder)
    run(builder)
    builder.edit(
        "cut", "for name in", "import time\nopen('begun', 'w').close()\ntime.sleep(100)\nfor name in"
    )
    process = start(builder.root, "run", "p")
    until((builder.root / "begun").exists, 60, "the cell began")
    assert "all.csv" in there(builder)  # half of it: the notebook writes where it is read
    assert "parts/two.csv" not in there(builder)
    process.send_signal(number)
    process.wait(30)
    looked = stagebook(builder.root, "status", "p")  # the next command, whatever it is
    assert looked.returncode == 0, looked.stderr
    assert there(builder) == MADE


def test_mappings_are_passed_as_notebooks_of_ploomber_take_them(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.notebook(
        "get",
        "from pathlib import Path\nPath(product['data']).write_text('raw')\nassert upstream is None",
        params="upstream = None\nproduct = None",
    )
    builder.notebook(
        "clean",
        "from pathlib import Path\nfound = [Path(it).read_text() for it in upstream['get'].values()]",
        "Path(product['data']).write_text(found[0] + '!')\nPath(product['more']['deep']).write_text('deep')",
        params="upstream = ['get']\nproduct = None\nnb = None",
    )
    builder.pipeline("""
        stages:
          get:
            notebook: notebooks/get.ipynb
            outputs: {product: {data: output/raw.txt}}
          clean:
            notebook: notebooks/clean.ipynb
            inputs: {upstream: {get: {data: get.data}}}
            outputs: {product: {data: output/clean.txt, more: {deep: output/deep.txt}}}
          last:
            notebook: notebooks/last.ipynb
            inputs: [clean.deep]
    """)
    builder.notebook("last", "print(open('output/deep.txt').read())")
    report = builder.project.run("p")
    assert report.status is Status.COMPLETED, report.history.stages
    assert (builder.root / "output/clean.txt").read_text() == "raw!"
    executed = builder.executed(report.run, "clean")
    injected = "".join(executed["cells"][1]["source"])
    assert 'upstream = {"get": {"data": ' in injected.replace("'", '"'), injected
    parameters = executed["metadata"]["papermill"]["parameters"]
    assert parameters["upstream"] == {"get": {"data": "output/raw.txt"}}
    assert json.dumps(parameters["product"]).count(".stagebook/runs/") == 2


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("inputs: [data/*.json]", "4:14: input 'data': no file fits 'data/*.json'"),
        ("outputs: ['data/*.csv']", "4:15: output 'data': 'data/*.csv' is a pattern"),
        ("outputs: [data/raw/a.csv/x]", "4:15: output 'x': nothing can be written below 'data/raw/a.csv', which is a file"),
        ("inputs: [x.txt]\n    outputs: [x.txt]", "4:14: input 'x': 'x.txt' is an output of a itself"),
        ("outputs: [out/]\n  b:\n    notebook: notebooks/one.ipynb\n    outputs: [out/x.csv]", "7:15: 'out/x.csv' lies inside 'out', which a writes as a whole"),
        ("outputs: [out/]\n  b:\n    notebook: notebooks/one.ipynb\n    outputs: [out/]", "7:15: 'out' is written by both a and b"),
        ("outputs: [out/]\n  b:\n    notebook: notebooks/one.ipynb\n    inputs: [a.out/*]", "7:14: 'a.out/*': what is in the folder is known only once it is written"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_and_nothing_starts(builder: ProjectBuilder, stage: str, message: str) -> None:
    project(builder)
    screen = builder.screen(f"stages:\n  a:\n    notebook: notebooks/cut.ipynb\n    {stage}\n")
    assert f"pipelines/p.yaml:{message}" in screen


def test_of_too_many_files_the_folder_is_to_be_named(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stagebook.planning.input_files.MOST", 1)
    screen = project(builder).screen()
    assert "more than 1 files fit 'data/raw/*.csv'\n    name the folder that they are in: data/raw/" in screen
