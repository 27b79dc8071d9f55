"""Adding a stage to a pipeline file: all that was there stays as it was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from building import ProjectBuilder
from stagebook.errors import UsageError
from stagebook.notebook.add_stage import StageRefused, Wiring, add_stage, connect, offers_of
from stagebook.notebook.pipeline_text import with_input, with_stage
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


BLOCK = """\
stages:
  one: {notebook: notebooks/a.ipynb, outputs: {made: data/made.txt}}   # makes
  two:   # takes
    notebook: notebooks/b.ipynb   # here
    after:
    - one
  # about three
  three: {notebook: notebooks/b.ipynb}
"""


@pytest.mark.parametrize(
    ("text", "stage", "new"),
    [
        (BLOCK, "two", "    inputs:\n      source: one.made\n"),
        (BLOCK.replace("\n", "\r\n"), "two", "    inputs:\r\n      source: one.made\r\n"),
        (BLOCK, "three", "  three: {notebook: notebooks/b.ipynb, inputs: {source: one.made}}\n"),
        (
            "stages:\n  two:\n    inputs:  # all\n        x: one.x  # first\n\n    notebook: b.ipynb\n",
            "two",
            "        source: one.made\n",
        ),
        (
            "stages:\n  two:\n    inputs: {x: 'a}b', }  # short\n    notebook: b.ipynb\n",
            "two",
            "    inputs: {x: 'a}b', source: one.made }  # short\n",
        ),
        ("stages:\n  two:\n    inputs: {}\n    notebook: b", "two", "    inputs: {source: one.made}\n"),
        ("stages:\n  two:\n    inputs:\n    notebook: b", "two", "      source: one.made\n"),
        (
            "stages: {two: {notebook: b, # why\n  description: 'it''s {'}}\n",
            "two",
            "  description: 'it''s {', inputs: {source: one.made}}}\n",
        ),
    ],
)
def test_an_input_is_added_where_the_stage_is_written(text: str, stage: str, new: str) -> None:
    edited, line = with_input(text, "p.yaml", stage, "source", "one.made")
    assert new in edited
    after, before = (
        read_document(edited, "p.yaml").data["stages"],
        read_document(text, "p.yaml").data["stages"],
    )
    assert after[stage].pop("inputs")["source"] == "one.made"
    before[stage].pop("inputs", None)
    assert after == before
    assert "source: one.made" in edited.splitlines()[line - 1]
    assert edited.count("#") == text.count("#")


@pytest.mark.parametrize(
    ("inputs", "wanted"),
    [
        ("", "    inputs: [one.made]\n"),
        (
            "    inputs: [data/x.csv]  # read by itself\n",
            "    inputs: [data/x.csv, one.made]  # read by itself\n",
        ),
        ("    inputs: []\n", "    inputs: [one.made]\n"),
        (
            "    inputs:\n      - data/x.csv\n      # and\n      - y.csv\n",
            "      - y.csv\n      - one.made\n",
        ),
        ("    inputs:\n    - data/x.csv\n", "    - data/x.csv\n    - one.made\n"),
        ("    inputs: {x: a.csv}\n", "    inputs: {x: a.csv, one: {path: one.made, inject: false}}\n"),
        ("    inputs:\n      one: a.csv\n", "      one_: {path: one.made, inject: false}\n"),
    ],
)
def test_an_input_is_added_by_its_path_alone(inputs: str, wanted: str) -> None:
    text = f"stages:\n  two:\n    notebook: b.ipynb\n{inputs}  three: {{notebook: c.ipynb}}\n"
    edited, line = with_input(text, "p.yaml", "two", "", "one.made")
    assert wanted in edited
    assert "one.made" in edited.splitlines()[line - 1]


def test_a_list_of_inputs_takes_no_name() -> None:
    text = "stages:\n  two: {notebook: b.ipynb, inputs: [a.csv]}\n"
    with pytest.raises(UsageError, match="cannot be added to") as caught:
        with_input(text, "p.yaml", "two", "source", "one.made")
    assert caught.value.hint == 'add it to the stage \'two\' by hand: {"inputs": {"source": "one.made"}}'


@pytest.mark.parametrize(
    "text",
    [
        "stages:\n  two: &two\n    notebook: b\n  three: *two\n",
        "stages:\n  two:\n    ? notebook\n    : b\n    inputs: &in {x: a}\n  three: {inputs: *in}\n",
        "stages:\n  two: [",
        "stages:\n  other: {notebook: b}\n",
    ],
)
def test_an_input_that_would_change_something_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        with_input(text, "p.yaml", "two", "source", "one.made")
    assert "cannot be added to" in caught.value.message


@pytest.fixture
def chain(builder: ProjectBuilder) -> ProjectBuilder:
    builder.notebook("a", "1", params="made = ''\nsize = 3")
    builder.notebook("b", "1", params="source = ''\nother = ''\nmade = ''")
    builder.pipeline(BLOCK)
    return builder


def test_a_stage_gets_what_was_chosen_and_is_shown_before(chain: ProjectBuilder) -> None:
    project = chain.project
    wiring = Wiring(params={"size": "4"}, outputs={"made": "data/again.txt"})
    shown = add_stage(project, "p", "four", "notebooks/a.ipynb", wiring, write=False)
    assert (chain.root / "pipelines/p.yaml").read_text() == BLOCK
    assert shown.lines == (
        "  four:",
        "    notebook: notebooks/a.ipynb",
        "    params:",
        "      size: 4",
        "    outputs:",
        "      made: data/again.txt",
    )
    assert add_stage(project, "p", "four", "notebooks/a.ipynb", wiring) == shown
    assert chain.plan().stage("four").params == {"size": 4}
    assert "four.made" in offers_of(project.catalog.load("p").pipeline)


def test_a_new_notebook_has_the_parameters_of_its_stage(chain: ProjectBuilder) -> None:
    wiring = Wiring(params={"size": "[1, 2]"}, inputs={"made": "one.made"}, outputs={"tidy": "data/t.txt"})
    added = add_stage(chain.project, "p", "tidy", wiring=wiring)
    source = json.loads((chain.root / added.notebook).read_text())["cells"][1]["source"]
    assert source.splitlines()[1:] == ["size = None", 'made = ""', 'tidy = ""']
    stage = chain.plan().stage("tidy")
    assert (stage.params, stage.inputs["made"].value, stage.upstream) == (
        {"size": [1, 2]},
        "data/made.txt",
        ("one",),
    )


def test_what_a_notebook_names_by_itself_is_declared_by_its_path(chain: ProjectBuilder) -> None:
    chain.notebook("plain", "open('data/raw.csv').read()\nopen('data/new.csv', 'w').close()")
    chain.file("data/raw.csv", "x")
    wiring = Wiring(reads=["data/raw.csv", "one.made"], writes=["data/new.csv"])
    added = add_stage(chain.project, "p", "four", "notebooks/plain.ipynb", wiring)
    assert added.lines[2:] == ("    inputs: [data/raw.csv, one.made]", "    outputs: [data/new.csv]")
    both = Wiring(outputs={"made": "data/t.txt"}, writes=["data/made.csv"])
    added = add_stage(chain.project, "p", "five", "notebooks/a.ipynb", both)
    assert added.lines[-2:] == ("      made: data/t.txt", "      made_: {path: data/made.csv, inject: false}")
    added = connect(chain.project, "p", "five.made", "four", None)
    assert added.lines == ("    inputs: [data/raw.csv, one.made, five.made]",)
    stage = chain.plan().stage("four")
    assert (stage.upstream, stage.variables_passed) == (("one", "five"), set())


@pytest.mark.parametrize(
    ("wiring", "field", "message"),
    [
        (Wiring(reads=["data/made.txt", " "]), "inputs.", "a path is empty"),
        (Wiring(inputs={"x y": "one.made"}), "inputs.x y", "is no name of a variable"),
        (Wiring(inputs={"maid": "one.made"}), "inputs.maid", "declares no parameter 'maid'"),
        (Wiring(params={"made": "1"}, outputs={"made": "x"}), "outputs.made", "is given twice"),
        (Wiring(outputs={"made": " "}), "outputs.made", "has no value"),
        (Wiring(params={"size": "[1"}), "params.size", ""),
        (Wiring(params={"size": ".inf"}), "params.size", ""),
    ],
)
def test_what_cannot_be_of_a_stage_is_told_at_its_field(
    chain: ProjectBuilder, wiring: Wiring, field: str, message: str
) -> None:
    with pytest.raises(StageRefused) as caught:
        add_stage(chain.project, "p", "four", "notebooks/a.ipynb", wiring)
    assert caught.value.field == field
    assert message in caught.value.message
    assert (chain.root / "pipelines/p.yaml").read_text() == BLOCK


def test_an_output_becomes_an_input(chain: ProjectBuilder) -> None:
    shown = connect(chain.project, "p", "one.made", "three", "source", write=False)
    assert (chain.root / "pipelines/p.yaml").read_text() == BLOCK
    added = connect(chain.project, "p", "one.made", "three", "source")
    assert added == shown
    assert added.lines == ("  three: {notebook: notebooks/b.ipynb, inputs: {source: one.made}}",)
    assert connect(chain.project, "p", "one.made", "two").lines[-1] == "      made: one.made"
    plan = chain.plan()
    assert plan.stage("three").inputs["source"].value == "data/made.txt"
    assert plan.stage("two").upstream == ("one",)


@pytest.mark.parametrize(
    ("source", "stage", "name", "field", "message"),
    [
        ("one.maid", "two", "source", "source", "no output 'one.maid'"),
        ("one.made", "twos", "source", "stage", "no stage 'twos'"),
        ("one.made", "two", "sauce", "name", "declares no parameter 'sauce'"),
        ("one.made", "one", "size", "source", "form a circle"),
        ("five.made", "one", "size", "source", "form a circle"),
        ("one.made", "five", "source", "name", "has 'source' already"),
    ],
)
def test_what_cannot_be_connected_is_told(
    chain: ProjectBuilder, source: str, stage: str, name: str, field: str, message: str
) -> None:
    five = "  five: {notebook: notebooks/b.ipynb, inputs: {source: one.made}, outputs: {made: data/5.txt}}\n"
    chain.pipeline(BLOCK + five)
    with pytest.raises(StageRefused) as caught:
        connect(chain.project, "p", source, stage, name)
    assert (caught.value.field, message in caught.value.message) == (field, True)
