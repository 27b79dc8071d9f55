"""Cases chdir-breaks-outputs and cwd: the paths that a notebook gets are good in whatever folder it is."""

from __future__ import annotations

import json

import pytest

from building import ProjectBuilder
from stagebook.events import AttemptEnded, AttemptStarted, Status
from stagebook.runs.run import RunReport
from ways import EACH_WAY, execute

pytestmark = pytest.mark.kernel

READS = """
from pathlib import Path
Path(out).write_text(Path(source).read_text() + ''.join(Path(one).read_text() for one in many))
"""


def run(builder: ProjectBuilder, *cells: str, executor: str, params: str) -> RunReport:
    """A run of a stage `a`, of which `parts` makes some inputs."""
    builder.without_tracking()
    builder.notebook("part", "open(out, 'w').write('part');", params="out = ''")
    builder.notebook("a", *cells, params=params)
    builder.file("data/in.txt", "source ")
    builder.file("elsewhere/keep")
    builder.pipeline(f"""
        stages:
          part:
            notebook: notebooks/part.ipynb
            matrix: {{n: [1, 2]}}
            outputs: {{out: "data/part_${{matrix.n}}.txt"}}
          a:
            notebook: notebooks/a.ipynb
            executor: {executor}
            inputs: {{source: data/in.txt, many: part.out}}
            outputs: {{out: data/out.txt, table: {{path: db.table, kind: external}}}}
        """)
    return builder.project.run("p")


@pytest.mark.parametrize("executor", ["kernel", "inprocess"])
@pytest.mark.parametrize("go", ["%cd elsewhere", "import os\nos.chdir('elsewhere')", "%cd -q /"])
@pytest.mark.parametrize(
    "params",
    [
        "source = out = table = ''\nmany = []",
        "from pathlib import Path\nsource: Path = Path('x')\nout: Path = Path('y')\nmany: list[Path] = []\ntable = ''",
    ],
)
def test_paths_are_good_after_the_folder_was_changed(
    builder: ProjectBuilder, executor: str, go: str, params: str
) -> None:
    report = run(builder, go, READS, "assert table == 'db.table'", executor=executor, params=params)
    assert report.status is Status.COMPLETED, report.history.stages["a"].message
    assert (builder.root / "data/out.txt").read_text() == "source partpart"


def test_paths_are_relative_wherever_people_see_them(builder: ProjectBuilder) -> None:
    report = run(builder, READS, executor="inprocess", params="source = out = table = ''\nmany = []")
    assert report.status is Status.COMPLETED, report.history.stages["a"].message
    events = [event.to_json() for event in builder.events(report.run)]
    started = next(e for e in builder.events(report.run) if isinstance(e, AttemptStarted) and e.stage == "a")
    parameters = builder.executed(report.run, "a")["metadata"]["papermill"]["parameters"]
    assert parameters["source"] == "data/in.txt"
    assert parameters["many"] == ["data/part_1.txt", "data/part_2.txt"]
    assert parameters["out"] == f"{started.folder}/outputs/out/out.txt"
    assert str(builder.root) not in json.dumps(events)


LISTS = """
import scrapbook as sb
from pathlib import Path
sb.glue('files', sorted(str(path) for path in Path(folder).glob('*.txt')))
sb.glue('folder', folder)
sb.glue('by_name', {'first': f'{folder}/1.txt'})
"""


def test_paths_that_a_notebook_makes_of_them_are_recorded_relative_to_the_project(
    builder: ProjectBuilder,
) -> None:
    builder.without_tracking()
    for name in ("1", "2"):
        builder.file(f"data/{name}.txt", name)
    builder.notebook("list", LISTS, params="folder = ''")
    builder.notebook("each", "print(open(file).read())", params="file = ''")
    builder.pipeline("""
        stages:
          list: {notebook: notebooks/list.ipynb, inputs: {folder: data}, executor: inprocess}
          each:
            notebook: notebooks/each.ipynb
            foreach: ${stages.list.scraps.files}
            inputs: {file: "${item}"}
            executor: inprocess
        """)
    report = builder.project.run("p")
    assert report.status is Status.COMPLETED, report.history.stages
    scraps = next(event for event in builder.events(report.run) if isinstance(event, AttemptEnded)).scraps
    assert scraps["files"]["value"] == ["data/1.txt", "data/2.txt"]
    assert scraps["folder"]["value"] == "data"
    assert scraps["by_name"]["value"] == {"first": "data/1.txt"}


@EACH_WAY
def test_a_file_that_is_there_as_seen_from_the_notebook_is_named(builder: ProjectBuilder, way: str) -> None:
    builder.file("data/x.txt", "x")
    done = execute(builder, way, "from pathlib import Path\nPath('../data/x.txt').read_text()")
    assert done.end == (
        "FileNotFoundError: [Errno 2] No such file or directory: '../data/x.txt'; cells run in the project folder, "
        "from where it is 'data/x.txt': write that, or give the stage 'workdir: notebook'"
    )
    again = execute(builder, way, "open('../data/none.txt')")
    assert again.end == "FileNotFoundError: [Errno 2] No such file or directory: '../data/none.txt'"
