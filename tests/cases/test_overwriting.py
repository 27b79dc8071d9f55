"""No output takes the place of what is not its pipeline's: code, other pipelines' outputs, the project's own files
(same-output-in-two-pipelines; an item that climbs out of its folder and becomes code)."""

from __future__ import annotations

import json
import os

import pytest

from building import ProjectBuilder
from commands import stagebook
from stagebook.events import Cause, Status

pytestmark = pytest.mark.kernel

EXECUTORS = pytest.mark.parametrize("executor", ["kernel", "inprocess"])
CLIMBING = (
    "../../notebooks/helper.py", "/etc/x", "a/b", "..", ".", "", "~", "..\\x", "C:\\x", "x\0y", "\u202ex",
)  # fmt: skip


@EXECUTORS
@pytest.mark.parametrize("item", CLIMBING)
@pytest.mark.long
def test_an_item_does_not_climb_out_of_its_folder(builder: ProjectBuilder, executor: str, item: str) -> None:
    builder.without_tracking()
    builder.file("notebooks/helper.py", "VALUE = 1\n")
    builder.notebook("list", f"import scrapbook as sb\nsb.glue('names', ['good', {item!r}])")
    builder.notebook("make", "open(out, 'w').write('raise SystemExit(3)')", params="item = ''\nout = ''")
    builder.notebook("use", "import helper\nprint(helper.VALUE)")
    builder.pipeline(f"""\
        defaults: {{executor: {executor}}}
        stages:
          list: {{notebook: notebooks/list.ipynb}}
          make:
            notebook: notebooks/make.ipynb
            foreach: "${{stages.list.scraps.names}}"
            params: {{item: "${{item}}"}}
            outputs: {{out: "data/out/${{item}}"}}
          use: {{notebook: notebooks/use.ipynb, after: [make]}}
        """)
    report = builder.project.run("p")
    assert report.status is Status.FAILED
    make = report.history.stages["make"]
    assert (make.cause, make.status) == (str(Cause.PARAMS), Status.FAILED), make.message
    assert make.message.startswith("pipelines/p.yaml:8:15: ")
    assert (builder.root / "notebooks/helper.py").read_text() == "VALUE = 1\n"
    assert not (builder.root / "data").exists()


def test_a_whole_path_from_data_takes_the_place_of_no_code(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.file("notebooks/helper.py", "VALUE = 1\n")
    builder.notebook("list", "import scrapbook as sb\nsb.glue('paths', ['data/a', 'notebooks/helper.py'])")
    builder.notebook("make", "open(out, 'w').write('VALUE = 2')", params="out = ''")
    builder.notebook("use", "import helper")
    builder.pipeline("""\
        stages:
          list: {notebook: notebooks/list.ipynb}
          make: {notebook: notebooks/make.ipynb, foreach: "${stages.list.scraps.paths}", outputs: {out: "${item}"}}
          use: {notebook: notebooks/use.ipynb, after: [make]}
        """)
    report = builder.project.run("p")
    make = report.history.stages["make"]
    assert make.message == (
        "pipelines/p.yaml:3:92: the output 'notebooks/helper.py' would overwrite code that use imports"
    )
    assert (builder.root / "notebooks/helper.py").read_text() == "VALUE = 1\n"


OWN = (
    "pipelines/q.yaml", "pipelines/new/x", ".venv/lib/x.py", "env/lib/x", ".github/workflows/x.yml", ".git/hooks/x", ".gitignore", "sub/.git/x",
    ".env", ".env.local", ".envrc", "mlflow.db", "mlflow.db-wal", "mlruns/x", "stagebook.toml", "pyproject.toml", ".stagebook/x", ".vscode/x",
    "lib/site-packages/x", ".bashrc", "PyProject.toml", "Pipelines/p.yaml", "Makefile", "conftest.py", "setup.py",
)  # fmt: skip


@pytest.mark.parametrize("path", OWN)
def test_an_output_is_none_of_the_projects_own_files(builder: ProjectBuilder, path: str) -> None:
    builder.without_tracking()
    builder.file("env/pyvenv.cfg", "")
    builder.notebook("a", "1", params="out = ''")
    screen = builder.screen(f"stages: {{a: {{notebook: notebooks/a.ipynb, outputs: {{out: {path}}}}}}}")
    assert "an output cannot be written to" in screen, screen
    builder.pipeline(
        "params: {to: ''}\nstages: {a: {notebook: notebooks/a.ipynb, outputs: {out: '${params.to}'}}}"
    )
    screen = builder.screen(None, f"to={path}")
    assert "an output cannot be written to" in screen, screen


def test_an_output_takes_the_place_of_no_code(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.file("src/lib.py", "import src.deep.inner\n")
    builder.file("src/deep/inner.py", "")
    builder.file("run.sh", "echo")
    builder.file("other/x.py", "")
    builder.notebook("a", "import src.lib, numpy as np\n!sh run.sh", params="out = ''")
    text = "stages: {a: {notebook: notebooks/a.ipynb, outputs: {out: PATH}}}"
    for path, said in {
        "src/lib.py": "would overwrite code that a imports",
        "src/deep/inner.py": "would overwrite code that a imports",
        "src/deep": "would take the place of 'src/deep/inner.py', code that a imports",
        "run.sh": "would overwrite code that a imports",
        "numpy.py": "would overwrite code that a imports",
        "notebooks/numpy.py": "would overwrite code that a imports",
    }.items():
        assert said in builder.screen(text.replace("PATH", path)), path
    for path in ("other/x.py", "src/lib.csv", "other", "data/numpy.py"):
        assert builder.screen(text.replace("PATH", path)) == "", path


def test_an_output_is_no_module_that_every_stage_would_import(builder: ProjectBuilder) -> None:
    """Where modules are looked for, the folder of a notebook and the project come before Python's own."""
    builder.without_tracking()
    builder.notebook("a", "1", params="out = ''")
    text = "params: {to: x}\nstages: {a: {notebook: notebooks/a.ipynb, outputs: {out: '${params.to}'}}}"
    builder.pipeline(text)
    for path, name in {
        "sitecustomize.py": "sitecustomize",
        "notebooks/usercustomize.py": "usercustomize",
        "notebooks/json.py": "json",
        "notebooks/stagebook/__init__.py": "stagebook",
        "zmq.cpython-311-x86_64-linux-gnu.so": "zmq",
        "notebooks/ipykernel.pyc": "ipykernel",
    }.items():
        said = f"the output '{path}' would be imported in place of '{name}', by every stage"
        assert said in builder.screen(None, f"to={path}"), path
    for path in (
        "json",
        "notebooks/html/x.html",
        "data/json.py",
        "json.csv",
        "notebooks/sub/sitecustomize.py",
    ):
        assert builder.screen(None, f"to={path}") == "", path


def test_code_that_is_made_is_referred_to(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.notebook("make", "open(code, 'w').write(f'VALUE = {n}')", params="n = 1\ncode = ''")
    builder.notebook("use", "from src import made\nprint(made.VALUE)", params="code = ''")
    builder.file("src/made.py", "VALUE = 0\n")
    text = """\
        params: {n: 1}
        stages:
          make: {notebook: notebooks/make.ipynb, params: {n: "${params.n}"}, outputs: {code: src/made.py}}
          use: {notebook: notebooks/use.ipynb, after: [make]}
        """
    screen = builder.screen(text)
    assert "the output 'src/made.py' would overwrite code that use imports" in screen
    assert "or refer to it in the inputs of what imports it" in screen
    builder.pipeline(text.replace("after: [make]", "inputs: {code: make.code}"))
    for n in (1, 2):
        report = builder.project.run("p", {"n": n})
        assert report.status is Status.COMPLETED, report.history.stages["use"].message
        folder = builder.root / report.history.stages["use"].folder
        assert (folder / "log.txt").read_text() == f"{n}\n"


def test_two_pipelines_that_write_one_path(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.notebook("a", "open(out, 'w').write('1')", params="out = ''\nm = 1")
    builder.notebook("b", "open(out, 'w').write('2')", params="out = ''\nm = 1")
    one = "stages: {a: {notebook: notebooks/a.ipynb, outputs: {out: data/x.csv}}}"
    builder.pipeline(one, "one")
    builder.pipeline(one, "two")
    done = stagebook(builder.root, "check")
    assert done.returncode == 0, done.stderr
    said = "'data/x.csv' is also written by a in the pipeline {}: each run replaces it"
    assert said.format("two") in done.stdout
    assert said.format("one") in done.stdout
    told = json.loads(stagebook(builder.root, "check", "--json").stdout)["warnings"]
    assert [warning["message"] for warning in told] == [said.format("two"), said.format("one")]

    # Another notebook: what the one made is not what the other means.
    builder.pipeline("stages: {b: {notebook: notebooks/b.ipynb, outputs: {out: data/x.csv}}}", "two")
    done = stagebook(builder.root, "check")
    assert done.returncode == 2
    assert (
        "pipelines/one.yaml:1:53: the output 'data/x.csv' would overwrite an output of b in the pipeline two"
        in done.stderr
    )
    assert (
        "pipelines/two.yaml:1:53: the output 'data/x.csv' would overwrite an output of a in the pipeline one"
        in done.stderr
    )
    for path, said in {
        "data": "the output 'data' would take the place of 'data/x.csv', an output of a in the pipeline one",
        "data/x.csv/y": "'data/x.csv/y' lies inside 'data/x.csv', which a in the pipeline one writes as a whole",
        "data/x-${matrix.m}": "",
        "data/${matrix.m}": "the output 'data/x.csv' would overwrite an output of a in the pipeline one",
        "notebooks/a.ipynb": "the output 'notebooks/a.ipynb' would overwrite a notebook of the pipeline one",
    }.items():
        text = f"stages: {{b: {{notebook: notebooks/b.ipynb, matrix: {{m: [x.csv]}}, outputs: {{out: '{path}'}}}}}}"
        assert said in builder.screen(text, name="two"), path
        assert bool(said) is bool(builder.screen(name="two"))


def test_what_is_known_of_other_pipelines_follows_their_files(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder.without_tracking()
    builder.notebook("a", "1", params="out = ''")
    builder.notebook("b", "1", params="out = ''")
    builder.pipeline("stages: {a: {notebook: notebooks/a.ipynb, outputs: {out: 'data/${env.NAME}'}}}", "one")
    builder.pipeline("stages: {b: {notebook: notebooks/b.ipynb, outputs: {out: data/x}}}", "two")
    for name, clashes in (("x", True), ("y", False), ("x", True)):
        monkeypatch.setenv("NAME", name)
        assert bool(builder.screen(name="two")) is clashes
    builder.pipeline("stages: {a: {notebook: notebooks/a.ipynb, outputs: {out: data/z}}}", "one")
    assert builder.screen(name="two") == ""
    builder.pipeline("stages: {a: {notebook", "one")
    assert builder.screen(name="two") == "", "its own check tells of what is wrong there"
    os.remove(builder.root / "pipelines/one.yaml")
    assert builder.screen(name="two") == ""
