"""`%load_ext stagebook` and `%stage`: in a shell, what the pipeline would put into the notebook."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder

PARAMS = "day: date = None\nraw = ''\nmade = ''\nrows = 0"
PIPELINE = """
params: {day: {type: date, default: 2013-01-31}}
stages:
  load:
    notebook: notebooks/load.ipynb
    outputs: {raw: data/raw.txt}
  fit:
    notebook: notebooks/fit.ipynb
    matrix: {depth: [2, 4]}
    params: {day: "${params.day}", rows: "${matrix.depth}"}
    inputs: {raw: load.raw}
    outputs: {made: "data/made-${matrix.depth}.txt"}
"""


@pytest.fixture
def shell(builder: ProjectBuilder, make_shell: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A shell that starts beside the notebooks, as JupyterLab's kernels do."""
    builder.notebook("load", "1", params="raw = ''")
    builder.notebook("fit", "1", params=PARAMS)
    builder.pipeline(PIPELINE)
    monkeypatch.chdir(builder.root / "notebooks")
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    return make_shell()


def test_a_stage_by_hand_has_what_it_has_in_the_pipeline(
    shell: Any, builder: ProjectBuilder, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (builder.root / "notebooks/fit.ipynb").read_bytes()
    assert shell.run_cell("%stage fit@4").success
    names = shell.user_ns
    assert names["day"] == datetime.date(2013, 1, 31)
    assert (names["rows"], names["raw"]) == (4, f"{builder.root}/data/raw.txt")
    assert names["made"] == f"{builder.root}/.stagebook/interactive/fit@4/made-4.txt"
    assert Path.cwd() == builder.root
    said = capsys.readouterr().out
    assert "p/fit@4, in" in said
    assert "  raw = 'data/raw.txt'\n" in said
    assert "'data/raw.txt' is not there yet" in said
    assert shell.run_cell("%cd notebooks\n__import__('pathlib').Path(made).write_text('x')").success
    assert not (builder.root / "data").exists()
    assert (builder.root / "notebooks/fit.ipynb").read_bytes() == before
    assert str(builder.root / "notebooks") in sys.path


def test_a_stage_by_hand_is_in_its_working_folder(
    shell: Any, builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    builder.pipeline(PIPELINE.replace("ipynb\n", "ipynb\n    workdir: notebook\n"))
    assert shell.run_cell("%stage fit@4").success
    assert Path.cwd() == builder.root / "notebooks"
    assert "the working folder" not in capsys.readouterr().out, "the kernel was there"
    assert shell.user_ns["raw"] == f"{builder.root}/data/raw.txt"

    builder.pipeline(PIPELINE)
    assert shell.run_cell("1").success
    assert Path.cwd() == builder.root
    assert (
        "pipelines/p.yaml was changed: the working folder is the project folder now"
        in capsys.readouterr().out
    )

    monkeypatch.chdir(builder.root / "notebooks")
    assert shell.run_cell("%stage fit@4").success
    assert Path.cwd() == builder.root
    assert "  the working folder is the project folder now\n" in capsys.readouterr().out


def test_variables_of_a_stage_and_their_secrets_are_there_by_hand(
    shell: Any, builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    builder.pipeline(
        'stages:\n  load: {notebook: notebooks/load.ipynb, env: {DB_URL: "db://${secret.DB}@h"}}\n', "q"
    )
    monkeypatch.setenv("DB_URL", "")
    shell.run_cell("%stage q/load")
    assert "STAGEBOOK_SECRET_DB is not set" in capsys.readouterr().err
    monkeypatch.setenv("STAGEBOOK_SECRET_DB", "open-sesame/42")
    assert shell.run_cell("%stage q/load").success
    assert os.environ["DB_URL"] == "db://open-sesame%2F42@h"
    said = capsys.readouterr().out
    assert "  DB_URL is in the environment\n" in said
    assert "sesame" not in said


def test_the_parameters_cell_does_not_undo_it(shell: Any, builder: ProjectBuilder) -> None:
    shell.run_cell("%stage fit@2")
    shell.run_cell("from datetime import date")
    shell.run_cell(PARAMS)
    assert (shell.user_ns["rows"], shell.user_ns["raw"]) == (2, f"{builder.root}/data/raw.txt")
    shell.run_cell("rows = 9")  # of one's own will
    assert shell.user_ns["rows"] == 9
    shell.run_cell("%stage --off")
    shell.run_cell(PARAMS)
    assert shell.user_ns["rows"] == 0


def test_a_change_of_the_pipeline_is_there_in_the_next_cell(
    shell: Any, builder: ProjectBuilder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.run_cell("%stage fit@4").success
    capsys.readouterr()
    assert shell.run_cell("rows").result == 4
    assert "was changed" not in capsys.readouterr().out
    builder.pipeline(PIPELINE.replace("2013-01-31", "2014-02-28"))
    assert shell.run_cell("(day, rows)").result == (datetime.date(2014, 2, 28), 4)
    said = capsys.readouterr().out
    assert "pipelines/p.yaml was changed:\n  day = datetime.date(2014, 2, 28)\n" in said
    assert "rows =" not in said

    builder.pipeline(PIPELINE.replace("outputs:", "outptus:"))
    assert shell.run_cell("day").result == datetime.date(2014, 2, 28)
    said = capsys.readouterr().out
    assert "pipelines/p.yaml was changed, and is broken; the values are those from before" in said
    assert "did you mean 'outputs'?" in said or "outptus" in said
    assert shell.run_cell("rows").result == 4
    assert "broken" not in capsys.readouterr().out, "it is told once"

    builder.pipeline(PIPELINE)
    assert shell.run_cell("day").result == datetime.date(2013, 1, 31)
    shell.run_cell("%stage --off")
    builder.pipeline(PIPELINE.replace("2013-01-31", "2015-03-31"))
    assert shell.run_cell("day").result == datetime.date(2013, 1, 31)


def test_a_parameter_of_the_run_is_given_as_on_the_command_line(shell: Any) -> None:
    shell.run_cell("%stage p/fit@2 -p day=2014-02-01")
    assert shell.user_ns["day"] == datetime.date(2014, 2, 1)


def test_in_an_environment_it_has_the_parameters_of_that(
    shell: Any, builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder.file("stagebook.toml", "[environments.prod]\nparams = { day = 2020-05-17 }\n")
    monkeypatch.setenv("JPY_SESSION_NAME", str(builder.root / "notebooks/fit.ipynb"))
    assert shell.run_cell("%stage fit@2 --env prod").success
    assert shell.user_ns["day"] == datetime.date(2020, 5, 17)
    assert shell.user_ns["made"].startswith(f"{builder.root}/.stagebook/environments/prod/")
    shell.run_cell("%stage fit@2")
    assert shell.user_ns["day"] == datetime.date(2013, 1, 31), "and dev again without it"
    monkeypatch.setenv("JPY_SESSION_NAME", str(builder.root / "notebooks/load.ipynb"))
    assert shell.run_cell("%stage --env prod").success
    assert "/environments/prod/" in shell.user_ns["raw"]


def test_without_a_name_it_is_the_stage_of_the_notebook(
    shell: Any, builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", str(builder.root / "notebooks/load.ipynb"))
    assert shell.run_cell("%stage").success
    assert shell.user_ns["raw"] == f"{builder.root}/.stagebook/interactive/load/raw.txt"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("%stage", "there is no stage of this notebook"),
        ("%stage gone", "there is no stage 'gone'"),
        ("%stage fit", "name one of: p/fit@2, p/fit@4"),
        ("%stage fit@2 -p day=never", "'day' does not fit"),
        ("%stage q/fit", "there is no pipeline 'q'"),
        ("%stage a b", "PIPELINE/STAGE"),
        ("%stage --what", "PIPELINE/STAGE"),
        ("%stage fit@2 --env prd", "there is no environment 'prd'"),
        ("%stage 'x", "No closing quotation"),
        ("%stage {1/0}", "there is no pipeline '{1'"),
    ],
)
@pytest.mark.long
def test_what_is_wrong_is_said_without_a_traceback(
    shell: Any, capsys: pytest.CaptureFixture[str], line: str, told: str
) -> None:
    assert not shell.run_cell(line).success
    said = "".join(capsys.readouterr())
    assert told in said
    assert "Traceback" not in said
    assert Path.cwd().name == "notebooks"


def test_a_broken_pipeline_is_told_with_its_place(
    shell: Any, builder: ProjectBuilder, capsys: pytest.CaptureFixture[str]
) -> None:
    builder.pipeline("stages: {fit: {notebook: notebooks/fit.ipynb, tiemout: 1}}")
    shell.run_cell("%stage fit")
    assert "pipelines/p.yaml:1:" in "".join(capsys.readouterr())
    assert os.path.basename(os.getcwd()) == "notebooks"


def test_a_stage_that_runs_no_notebook_says_so(
    shell: Any, builder: ProjectBuilder, capsys: pytest.CaptureFixture[str]
) -> None:
    builder.file("scripts/a.py", "print(1)\n")
    builder.pipeline("stages: {a: {script: scripts/a.py}}", "q")
    assert not shell.run_cell("%stage q/a").success
    said = capsys.readouterr()
    assert "the stage 'q/a' runs a script: %stage is for notebooks" in said.out + said.err
    assert "stagebook run q --only a" in said.out + said.err
