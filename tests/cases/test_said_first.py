"""What a person has to know is said, and where it counts: why_long_value, mkdir_strict, outputs edited by hand, undeclared
files that two instances write, names in other scripts, scraps without a value."""

from __future__ import annotations

import json

import pytest

from building import ProjectBuilder, ran
from commands import stagebook
from stagebook.events import Status
from stagebook.planning.plan import Decision

pytestmark = pytest.mark.kernel

EXECUTORS = pytest.mark.parametrize("executor", ["kernel", "inprocess"])
LONG = "http://data.example.org/archive/2026/quarterly/weather-of-the-airport.tar.gz"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (LONG, f"{LONG}?v=2", 'url: …rport.tar.gz" → …rport.tar.gz?v=2"'),
        (f"{LONG}?v=1", f"{LONG}?v=2", 'url: …rt.tar.gz?v=1" → …rt.tar.gz?v=2"'),
        ("a", "b", 'url: "a" → "b"'),
        ("a" * 100, "b" * 100, f'url: "{"a" * 58}… → "{"b" * 58}…'),
        (list(range(60)), [*range(59), 0], "url: …56, 57, 58, 59] → …56, 57, 58, 0]"),
    ],
)  # fmt: skip
def test_long_values_are_shown_where_they_differ(
    builder: ProjectBuilder, old: object, new: object, said: str
) -> None:
    builder.without_tracking()
    path = builder.notebook("a", "1", params="url = None")
    builder.pipeline(
        f"params: {{url: {{type: Any, default: null}}}}\nstages: {{a: {{notebook: {path}, params: {{url: '${{params.url}}'}}}}}}"
    )
    builder.project.run("p", {"url": old})
    (stage,) = builder.plan(url=new).stages
    assert stage.reasons == (said,)


@EXECUTORS
def test_a_folder_that_a_strict_stage_makes_is_no_read(builder: ProjectBuilder, executor: str) -> None:
    builder.without_tracking()
    builder.file("there/x", "")
    cell = (
        "import os, pathlib\nos.makedirs('work/sub', exist_ok=True)\nos.makedirs('work/sub', exist_ok=True)\n"
        "pathlib.Path('new').mkdir()\nprint(os.listdir('work'), list(pathlib.Path('work/sub').iterdir()), os.listdir('new'))\n"
    )
    path = builder.notebook("a", cell, "os.makedirs('there', exist_ok=True)")
    text = f"stages: {{a: {{notebook: {path}, executor: {executor}, strict: true}}}}"
    builder.pipeline(text)
    report = builder.project.run("p")
    assert report.status is Status.COMPLETED, report.history.stages["a"].message
    (builder.root / "new").rmdir()
    builder.edit("a", "'new'))", "'new'), os.listdir('there'))")
    report = builder.project.run("p")
    assert report.history.stages["a"].message.endswith("not declared as an input: there")


@pytest.mark.long
def test_an_output_that_was_edited_is_said_to_be_replaced(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    path = builder.notebook("a", "open(out, 'w').write(str(n))", params="n = 1\nout = ''")
    builder.pipeline(
        f"params: {{n: 1}}\nstages: {{a: {{notebook: {path}, params: {{n: '${{params.n}}'}}, outputs: {{out: x.txt}}}}}}"
    )
    builder.project.run("p")
    builder.file("x.txt", "by hand")
    said = "restores x.txt over a change that no run made"
    assert builder.plan().stage("a").reasons == ("nothing changed", said)
    assert said in " ".join(stagebook(builder.root, "plan").stdout.split())
    shown = " ".join(stagebook(builder.root, "status").stdout.split())
    assert "x.txt on disk is not what the last run left" in shown
    assert f"nothing changed; {said}" in stagebook(builder.root, "run").stdout
    assert (builder.root / "x.txt").read_text() == "1"
    builder.project.run("p", {"n": 2})
    assert builder.plan().stage("a").reasons[-1] == "restores x.txt", "another run made that"


@pytest.mark.long
def test_an_undeclared_file_that_two_instances_write_is_told_of(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    path = builder.notebook("a", "open('both.txt', 'w').write(n); open(f'{n}.txt', 'w')", params="n = ''")
    builder.pipeline(
        f"stages: {{a: {{notebook: {path}, matrix: {{n: [x, y, z]}}, params: {{n: '${{matrix.n}}'}}}}}}"
    )
    said = "a@x writes both.txt, which is not declared, and so does a@y and 1 more: each replaces the other's"
    assert f"! {said}" in stagebook(builder.root, "run").stdout
    told = json.loads(stagebook(builder.root, "check", "--json").stdout)["warnings"]
    assert said in [warning["message"] for warning in told]
    assert not [
        warning for warning in told if "so does" in warning["message"] and "y.txt" in warning["message"]
    ]


@EXECUTORS
@pytest.mark.long
def test_instances_are_called_by_their_values_in_any_script(builder: ProjectBuilder, executor: str) -> None:
    builder.without_tracking()
    builder.notebook("list", "import scrapbook as sb\nsb.glue('names', ['東京', 'Αθήνα', '🙂', '🙃'])")
    builder.notebook("make", "open(out, 'w').write(name)", params="name = ''\nout = ''")
    builder.pipeline(f"""\
        defaults: {{executor: {executor}}}
        stages:
          list: {{notebook: notebooks/list.ipynb}}
          make:
            notebook: notebooks/make.ipynb
            foreach: "${{stages.list.scraps.names}}"
            params: {{name: "${{item}}"}}
            outputs: {{out: "data/${{item}}.txt"}}
        """)
    report = builder.project.run("p")
    assert report.status is Status.COMPLETED
    assert [name for name in report.history.stages if "@" in name][:2] == ["make@東京", "make@Αθήνα"]
    assert len(report.history.stages) == 5
    assert (builder.root / "data/東京.txt").read_text() == "東京"
    assert "make@東京" in stagebook(builder.root, "status").stdout
    assert ran(builder.project.run("p")) == []


@EXECUTORS
@pytest.mark.long
def test_a_scrap_without_a_value_says_so(builder: ProjectBuilder, executor: str) -> None:
    builder.without_tracking()
    builder.notebook(
        "list",
        "import scrapbook as sb, pandas as pd\nsb.glue('names', [f'name-{n:05}' for n in range(3000)])\n"
        "sb.glue('table', pd.DataFrame({'a': [1]}))",
    )
    builder.notebook("use", "1", params="names = None")
    text = """\
        defaults: {executor: EXECUTOR}
        stages:
          list: {notebook: notebooks/list.ipynb}
          use: {notebook: notebooks/use.ipynb, params: {names: "${stages.list.scraps.names}"}}
          each: {notebook: notebooks/use.ipynb, foreach: "${stages.list.scraps.names}"}
          table: {notebook: notebooks/use.ipynb, params: {names: "${stages.list.scraps.table}"}}
        """.replace("EXECUTOR", executor)
    builder.pipeline(text)
    report = builder.project.run("p", keep_going=True)
    messages = {name: stage.message for name, stage in report.history.stages.items()}
    long = "'stages.list.scraps.names' is longer than 20,000 characters, so that no expression can use it"
    assert messages["use"].startswith(f"the parameter 'names': {long}")
    assert long in messages["each"]
    assert "'stages.list.scraps.table' is a table, so that no expression can use it" in messages["table"]
    assert report.history.stages["list"].status is Status.COMPLETED
    screen = builder.screen()
    assert long in screen
    assert "write it to a file, and make that an output" in screen


@EXECUTORS
def test_scraps_whose_names_become_alike_keep_their_own_files(builder: ProjectBuilder, executor: str) -> None:
    builder.without_tracking()
    names = ["a b", "a/b", "A-B", "a-b"]
    cell = f"import scrapbook as sb\nfor name in {names!r}:\n    sb.glue(name, name * 20_000)\nsb.glue('a b', 'x' * 30_000)"
    path = builder.notebook("a", cell)
    builder.pipeline(f"stages: {{a: {{notebook: {path}, executor: {executor}}}}}")
    report = builder.project.run("p")
    stage = report.history.stages["a"]
    assert stage.status is Status.COMPLETED
    folder = builder.root / stage.folder / "scraps"
    found = {name: json.loads((folder / scrap["file"]).read_text()) for name, scrap in stage.scraps.items()}
    assert found == {**{name: name * 20_000 for name in names}, "a b": "x" * 30_000}
    assert builder.plan().stage("a").decision is Decision.REUSE
