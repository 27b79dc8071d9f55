"""Adding a stage to a pipeline file: all that was there stays as it was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from building import ProjectBuilder
from stagebook.errors import UsageError
from stagebook.notebook.add_stage import add_stage, with_stage
from stagebook.pipeline.yaml import read_document

STAGE = {"notebook": "notebooks/new.ipynb", "params": {"seed": "${params.seed}"}}
COMMENTED = """\
# Flights, of course.
name: flights   # the name
params:
    seed: {type: int, default: 1}   # of everything

stages:
    # First of all.
    load:   # loads
        notebook: notebooks/load.ipynb
        outputs: {raw: data/raw.txt}
    clean: {notebook: notebooks/clean.ipynb}   # short
    # after the last stage

# about the defaults
defaults: {retries: 1}
"""


def test_comments_order_and_layout_stay() -> None:
    text, line = with_stage(COMMENTED, "p.yaml", "new", STAGE)
    added = '    new:\n      notebook: notebooks/new.ipynb\n      params:\n        seed: "${params.seed}"\n'
    assert text == COMMENTED.replace("    # after the last stage\n", f"    # after the last stage\n{added}")
    assert text.splitlines()[line - 1] == "    new:"


@pytest.mark.parametrize(
    "text",
    [
        "stages:\n  a: {notebook: a.ipynb}",
        "stages:\n  a: {notebook: a.ipynb}\n\n\n",
        "stages:\na: 1\n",
        "stages:\n",
        "stages: # none yet\n",
        "name: x\n",
        "",
        "# only a comment\n",
        "\ufeffstages:\r\n  a: {notebook: a.ipynb}\r\n",
        "stages:\n  a:\n    description: |\n      text\n\n      more\n",
        "stages:\n  a:\n    description: |\n      # no comment\n",
        "stages: &all\n  a: {notebook: a.ipynb}\nparams: {}\n",
        '"stages":\n  "a b": {notebook: a.ipynb}\n',
        "---\nstages:\n  a: {notebook: a.ipynb}\n...\n",
    ],
)
def test_files_of_many_kinds_take_a_stage(text: str) -> None:
    before = read_document(text, "p.yaml").data or {}
    edited, line = with_stage(text, "p.yaml", "new", STAGE)
    after = read_document(edited, "p.yaml")
    assert after.data["stages"] == {**(before.get("stages") or {}), "new": STAGE}
    assert after.positions["stages", "new"][0] == line
    kept = edited.splitlines()
    assert [one for one in text.splitlines() if one not in kept] == []
    assert ("\r\n" in text) == ("\r\n" in edited)


@pytest.mark.parametrize(
    "text",
    ["stages: {a: {notebook: a.ipynb}}\n", "{stages: {}}\n", "stages: [a]\n", "stages:\n\ta: 1\n", "[]\n"],
)
def test_what_cannot_be_added_to_is_told(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        with_stage(text, "p.yaml", "new", STAGE)
    assert "cannot be added to" in caught.value.message
    assert caught.value.hint


names = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
comments = st.sampled_from(["", "# one\n", "\n", "  # two\n", "\n\n# three\n"])


@given(
    st.lists(st.tuples(names, comments), max_size=4, unique_by=lambda pair: pair[0]), comments, st.booleans()
)
def test_no_stage_is_lost(stages: list[tuple[str, str]], last: str, follows: bool) -> None:
    text = "stages:\n" + "".join(f"{comment}  {name}: {{notebook: n.ipynb}}\n" for name, comment in stages)
    text += last + ("params: {x: 1}\n" if follows else "")
    edited, _ = with_stage(text, "p.yaml", "Added", STAGE)
    data = read_document(edited, "p.yaml").data
    assert list(data["stages"]) == [*(name for name, _ in stages), "Added"]
    assert edited.count("#") == text.count("#")


def test_parameters_are_joined_by_their_names(builder: ProjectBuilder) -> None:
    builder.notebook("load", "1", params="raw = ''")
    builder.notebook("fit", "1", params="seed: int = 0\nraw: str = ''\nother = 3")
    builder.pipeline(
        """
        params: {seed: 1}
        stages:
          load: {notebook: notebooks/load.ipynb, outputs: {raw: data/raw.txt}}
        """.replace(
            "          load: {notebook: notebooks/load.ipynb, outputs: {raw: data/raw.txt}}",
            "          load:\n            notebook: notebooks/load.ipynb\n            outputs: {raw: data/raw.txt}",
        )
    )
    added = add_stage(builder.project, "p", "fit", "notebooks/fit.ipynb")
    assert (added.path, added.notebook) == ("pipelines/p.yaml", "notebooks/fit.ipynb")
    stage = builder.plan().stage("fit")
    assert stage.params == {"seed": 1}
    assert stage.inputs["raw"].value == "data/raw.txt"
    assert stage.upstream == ("load",)


def test_a_new_stage_gets_a_notebook(builder: ProjectBuilder) -> None:
    builder.notebook("a", "1")
    builder.pipeline("stages:\n  a: {notebook: notebooks/a.ipynb}\n")
    added = add_stage(builder.project, "p", "tidy")
    notebook = json.loads((builder.root / added.notebook).read_text())
    assert notebook["cells"][1]["metadata"]["tags"] == ["parameters"]
    assert [stage.id for stage in builder.plan().stages] == ["a", "tidy"]
    builder.pipeline("stages:\n  a: {notebook: notebooks/a.ipynb}\n")
    with pytest.raises(UsageError, match="is there already"):
        add_stage(builder.project, "p", "tidy")


@pytest.mark.parametrize(
    ("name", "notebook"),
    [
        ("a", "notebooks/a.ipynb"),
        ("", "notebooks/a.ipynb"),
        ("x y", "notebooks/a.ipynb"),
        ("../x", ""),
        ("b: {}", "notebooks/a.ipynb"),
        ("b", "../outside.ipynb"),
        ("b", "notebooks/gone.ipynb"),
        ("b", "/etc/passwd"),
        ("b", "pipelines/p.yaml"),
    ],
)
def test_what_is_refused_leaves_the_file_alone(builder: ProjectBuilder, name: str, notebook: str) -> None:
    builder.notebook("a", "1")
    builder.pipeline("stages:\n  a: {notebook: notebooks/a.ipynb}\n")
    before = (builder.root / "pipelines/p.yaml").read_text()
    with pytest.raises(UsageError):
        add_stage(builder.project, "p", name, notebook)
    assert (builder.root / "pipelines/p.yaml").read_text() == before
    assert sorted(path.name for path in (builder.root / "notebooks").iterdir()) == ["a.ipynb"]
