"""What a stage reads without declaring it does not change in silence (undeclared-read-changed-in-silence, aimport-stale,
stale_observed)."""

from __future__ import annotations

import json

import pytest

from building import ProjectBuilder, ran
from commands import environment, stagebook
from stagebook.events import Status
from stagebook.planning.plan import Decision

pytestmark = pytest.mark.kernel

EXECUTORS = pytest.mark.parametrize("executor", ["kernel", "inprocess"])


def said(builder: ProjectBuilder) -> dict[str, tuple[Decision, str]]:
    """What the plan says of each stage."""
    return {stage.id: (stage.decision, "; ".join(stage.reasons)) for stage in builder.plan().stages}


@EXECUTORS
@pytest.mark.long
def test_a_change_of_what_is_read_undeclared_is_told_of_everywhere(
    builder: ProjectBuilder, executor: str
) -> None:
    builder.without_tracking()
    builder.file("in.txt", "one")
    builder.file("more/a.txt", "1")
    path = builder.notebook("a", "import os\nopen('in.txt').read(); os.listdir('more'); open('more/a.txt')")
    builder.pipeline(f"stages: {{a: {{notebook: {path}, executor: {executor}}}}}")
    assert ran(builder.project.run("p")) == ["a"]
    assert said(builder)["a"] == (Decision.REUSE, "nothing changed")
    (builder.root / "in.txt").touch()
    assert said(builder)["a"] == (Decision.REUSE, "nothing changed"), "its content is the same"

    builder.file("in.txt", "two")
    told = "nothing declared changed; in.txt, which it reads undeclared, did"
    assert said(builder)["a"] == (Decision.REUSE, told)
    report = builder.project.run("p")
    assert (ran(report), report.history.stages["a"].reason) == ([], told)
    shown = stagebook(builder.root, "run").stdout
    assert f"= a reused: {told}" in shown
    assert f"! a: {told}" in shown
    assert told in stagebook(builder.root, "status").stdout
    assert json.loads(stagebook(builder.root, "why", "p", "--json").stdout)["stages"][0]["unnoticed"] == told
    why = stagebook(builder.root, "why", "p", "a").stdout
    assert told in why
    assert "nothing declared changed since the run" in why

    builder.file("more/b.txt", "1")
    (builder.root / "more/a.txt").unlink()
    assert said(builder)["a"][1] == (
        "nothing declared changed; in.txt and 1 more, which it reads undeclared, did; "
        "more/a.txt, which it reads undeclared, is gone"
    )
    builder.file("more/a.txt", "1")
    (builder.root / "more/b.txt").unlink()
    builder.file("in.txt", "one")
    assert said(builder)["a"] == (Decision.REUSE, "nothing changed"), "all is as it was"


def test_an_earlier_result_is_held_against_what_it_read(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.file("in.txt", "one")
    path = builder.notebook("a", "open(out, 'w').write(open('in.txt').read())", params="n = 1\nout = 'x'")
    builder.pipeline(
        f"params: {{n: 1}}\nstages: {{a: {{notebook: {path}, params: {{n: '${{params.n}}'}}, outputs: {{out: x}}}}}}"
    )
    first = builder.project.run("p")
    builder.file("in.txt", "two")
    builder.project.run("p", {"n": 2})
    told = f"as in the run {first.run}; nothing declared changed; in.txt, which it reads undeclared, did"
    assert said(builder)["a"] == (Decision.REUSE, f"{told}; restores x")
    assert builder.plan(n=2).stage("a").reasons == ("nothing changed",)


@EXECUTORS
@pytest.mark.long
def test_a_file_that_a_reused_stage_wrote_undeclared_is_named_where_it_lacks(
    builder: ProjectBuilder, executor: str
) -> None:
    builder.without_tracking()
    builder.notebook("a", "open('middle.txt', 'w').write('1')")
    builder.notebook("b", "import pathlib\nprint(pathlib.Path('middle.txt').read_text())")
    builder.pipeline(
        f"defaults: {{executor: {executor}}}\n"
        "stages: {a: {notebook: notebooks/a.ipynb}, b: {notebook: notebooks/b.ipynb, after: [a]}}"
    )
    assert ran(builder.project.run("p")) == ["a", "b"]
    (builder.root / "middle.txt").unlink()
    gone = "nothing declared changed; middle.txt, which it writes undeclared, is gone"
    assert said(builder)["a"] == (Decision.REUSE, gone)
    builder.edit("b", "print(", "print(1, ")
    report = builder.project.run("p")
    assert report.status is Status.FAILED
    message = report.history.stages["b"].message
    assert message.startswith("FileNotFoundError: ")
    assert message.endswith(
        "; a, which was reused, wrote middle.txt when it ran, and does not declare it: stagebook run p a --force"
    )
    assert builder.project.run("p", force=True).status is Status.COMPLETED
    assert said(builder)["a"] == (Decision.REUSE, "nothing changed")


@EXECUTORS
@pytest.mark.long
def test_an_environment_variable_that_is_read_undeclared_is_told_of(
    builder: ProjectBuilder, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder.without_tracking()
    builder.file("src/lib.py", "from os import getenv\nVALUE = getenv('IN_LIB', 'none')\n")
    cell = (
        "import os\nfrom src import lib\nos.environ['SET_HERE'] = '1'\n"
        "print(os.environ.get('REGION'), os.environ['SET_HERE'], 'FLAG' in os.environ, os.environ.get('MY_TOKEN'), os.getenv('HOME'))"
    )
    path = builder.notebook("a", cell)
    text = f"stages: {{a: {{notebook: {path}, executor: {executor}, env: [DECLARED]}}}}"
    builder.pipeline(text)
    for name in ("REGION", "FLAG", "IN_LIB"):
        monkeypatch.delenv(name, raising=False)
    checked = stagebook(builder.root, "check").stdout
    assert [line.partition(" variable ")[2].split(",")[0] for line in checked.splitlines() if " variable " in line] == [
        "FLAG", "IN_LIB", "REGION",
    ]  # fmt: skip
    assert "    env: [FLAG]" in checked
    builder.project.run("p")
    assert said(builder)["a"] == (Decision.REUSE, "nothing changed")
    monkeypatch.setenv("REGION", "north")
    told = "nothing declared changed; the environment variable REGION, which it reads undeclared, did"
    assert said(builder)["a"] == (Decision.REUSE, told)
    shown = stagebook(builder.root, "plan", env=environment(IN_LIB="x")).stdout
    assert "the environment variable IN_LIB and 1 more, which it reads" in " ".join(shown.split())
    builder.pipeline(text.replace("DECLARED", "REGION, FLAG, IN_LIB"))
    assert "variable" not in stagebook(builder.root, "check").stdout


@EXECUTORS
@pytest.mark.parametrize("magic", ["%aimport h", "%aimport os, h", "%aimport pkg.h"])
@pytest.mark.long
def test_aimport_is_an_import(builder: ProjectBuilder, executor: str, magic: str) -> None:
    builder.without_tracking()
    module = "pkg/h.py" if "pkg" in magic else "h.py"
    builder.file(module, "VALUE = 1\n")
    name = module.removesuffix(".py").replace("/", ".")
    path = builder.notebook(
        "a",
        f"%load_ext autoreload\n%autoreload 1\n{magic}",
        f"import sys\nprint(sys.modules['{name}'].VALUE)",
    )
    builder.pipeline(f"stages: {{a: {{notebook: {path}, executor: {executor}}}}}")
    builder.project.run("p")
    builder.file(module, "VALUE = 2\n")
    assert said(builder)["a"] == (Decision.RUN, f"{module} changed (cell 1 → {name})")
    report = builder.project.run("p")
    assert (builder.root / report.history.stages["a"].folder / "log.txt").read_text() == "2\n"
