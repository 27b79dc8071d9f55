"""`why`: everything that changed since the result that a stage came to last, with the differences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from building import ProjectBuilder
from executing import ExecEngine
from stagebook.errors import UsageError
from stagebook.journal.database import checksum
from stagebook.planning.plan import Decision
from stagebook.runs.request import RunRequest
from stagebook.runs.why import Explanation, why

PIPELINE = """
params: {depth: 4}
stages:
  load:
    notebook: notebooks/load.ipynb
    inputs: {src: data/a.csv}
    outputs: {out: out/load.csv}
  train:
    notebook: notebooks/train.ipynb
    inputs: {src: load.out}
    params: {depth: "${params.depth}", rows: "${stages.load.scraps.rows}"}
    outputs: {out: out/model.bin}
"""
LOAD = """
import scrapbook as sb
from pathlib import Path
text = Path(src).read_text()
sb.glue("rows", len(text.split()))
Path(out).write_text(text.upper())
"""
TRAIN = ["# what follows trains", "import helpers", "size = 1\nscale = 2", "open(out, 'w').close()"]


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    """A project that was run."""
    builder.without_tracking()
    builder.file("data/a.csv", "1 2 3")
    builder.file("helpers/__init__.py", "from .base import scale\n")
    builder.file("helpers/base.py", "def scale(x):\n    return x * 2\n")
    builder.notebook("load", LOAD, params="src = out = ''")
    train(builder, *TRAIN)
    builder.pipeline(PIPELINE)
    run(builder)
    return builder


def train(builder: ProjectBuilder, *cells: str) -> None:
    builder.notebook("train", *cells, params="src = out = ''\ndepth = rows = 0")


def run(builder: ProjectBuilder, *pairs: str) -> None:
    builder.project.run("p", pairs=pairs, engine=ExecEngine())


def of(builder: ProjectBuilder, stage: str = "train", *pairs: str) -> Explanation:
    (found,) = why(builder.project.preparer, RunRequest(pipeline="p", pairs=pairs), [stage])
    return found


def texts(found: Explanation) -> list[str]:
    return [change.text for change in found.changes]


def test_where_nothing_changed_there_is_nothing_to_say(project: ProjectBuilder) -> None:
    found = of(project)
    assert (found.decision, found.reasons) == (Decision.REUSE, ("nothing changed",))
    assert (found.changes, found.diffs, found.before, found.unresolved) == ((), {}, {}, ())
    assert found.last is not None
    assert found.last.run == project.project.history.runs()[0].id


def test_what_never_ran_has_no_past(project: ProjectBuilder) -> None:
    project.pipeline(PIPELINE.replace("train:", "learn:"), "q")
    (_, found) = why(project.project.preparer, RunRequest(pipeline="q"))
    assert (found.stage, found.last, found.changes) == ("learn", None, ())


def test_a_cell_is_told_by_its_number_with_its_difference(project: ProjectBuilder) -> None:
    train(project, TRAIN[0], TRAIN[1], "size = 1\nscale = 3", TRAIN[3])
    found = of(project)
    assert texts(found) == ["cell 4 changed"], "that of parameters is the first"
    assert found.diffs == {"code": ["cell 4", " size = 1", "-scale = 2", "+scale = 3"]}


def test_cells_that_only_look_otherwise_are_not_told(project: ProjectBuilder) -> None:
    cells = [
        "import helpers  # helps",
        "size   =   1\nscale = 2",
        "#md a note",
        "open(out, 'w').close()",
        "size = 9",
    ]
    train(project, *cells)
    found = of(project)
    assert texts(found) == ["cell 5 is new"]
    assert found.diffs == {"code": ["cell 5", "+size = 9"]}


def test_cells_that_are_gone_are_told_with_what_they_were(project: ProjectBuilder) -> None:
    train(project, *TRAIN[:2], TRAIN[3])
    found = of(project)
    assert texts(found) == ["cell 3 is gone"]
    assert found.diffs == {"code": ["cell 3, before", "-size = 1", "-scale = 2"]}


def test_a_parameter_is_told_with_its_values(project: ProjectBuilder) -> None:
    found = of(project, "train", "depth=8")
    assert texts(found) == ["depth: 4 → 8"]
    assert found.decision is Decision.RUN


def test_an_input_is_told_by_its_path(project: ProjectBuilder) -> None:
    project.file("data/a.csv", "1 2 4")
    assert texts(of(project, "load")) == ["data/a.csv changed (input src)"]


def test_a_module_is_told_with_the_way_to_it_and_its_difference(project: ProjectBuilder) -> None:
    project.file("helpers/base.py", "def scale(x):\n    return x * 3\n")
    found = of(project)
    assert texts(found) == ["helpers/base.py changed (cell 3 → helpers → helpers.base)"]
    assert found.diffs == {"helpers/base.py": [" def scale(x):", "-    return x * 2", "+    return x * 3"]}


def test_a_library_is_told_with_its_versions(
    project: ProjectBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site-packages"
    about = folder / "whylib-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / "whylib.py").touch()
    (about / "METADATA").write_text("Name: whylib\nVersion: 1.0\n")
    (about / "RECORD").write_text("whylib.py,,\n")
    monkeypatch.syspath_prepend(str(folder))
    train(project, "import whylib", *TRAIN)
    run(project)
    about.rename(folder / "whylib-1.1.dist-info")
    (folder / "whylib-1.1.dist-info/METADATA").write_text("Name: whylib\nVersion: 1.1\n")
    assert texts(of(project)) == ["whylib 1.0 → 1.1"]


def test_all_that_changed_is_told(project: ProjectBuilder) -> None:
    train(project, "size = 0", *TRAIN)
    project.file("helpers/base.py", "def scale(x):\n    return 0\n")
    project.pipeline(PIPELINE.replace("model.bin", "model.txt"))
    found = of(project, "train", "depth=8")
    assert [change.part for change in found.changes] == ["code", "params", "modules", "outputs"]
    assert sorted(found.diffs) == ["code", "helpers/base.py"]


def test_what_waits_tells_what_is_before_it(project: ProjectBuilder) -> None:
    project.file("data/a.csv", "7 8")
    found = of(project)
    assert (found.decision, found.reasons) == (Decision.WAIT, ("only if load's output changes",))
    assert found.before == {"load": ("RUN", "data/a.csv changed (input src)")}
    assert found.changes == (), "of what load comes to nobody knows"


def test_what_runs_and_also_waits_tells_what_is_known(project: ProjectBuilder) -> None:
    project.file("data/a.csv", "7 8")
    found = of(project, "train", "depth=8")
    assert (found.decision, texts(found)) == (Decision.RUN, ["depth: 4 → 8"])
    assert list(found.before) == ["load"]


def test_what_cannot_be_followed_is_told(project: ProjectBuilder) -> None:
    train(project, "import importlib\nimportlib.import_module(out)", *TRAIN)
    found = of(project)
    assert len(found.unresolved) == 1
    assert "import_module(out)" in found.unresolved[0]


def test_without_the_old_cells_there_is_no_difference_and_still_a_reason(project: ProjectBuilder) -> None:
    train(project, TRAIN[1])
    for path in (project.root / ".stagebook/store").glob("??/*"):
        path.unlink()
    found = of(project)
    assert found.changes
    assert found.diffs == {}


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b'{"cells": 3, "modules": {}}', b'{"cells": [], "modules": {}}']
)
def test_old_cells_of_another_form_are_passed_over(project: ProjectBuilder, text: bytes) -> None:
    train(project, TRAIN[1], "size = 3")
    found = of(project)
    assert found.last is not None
    blobs = project.project.store.blobs
    blobs.path(found.last.sources).unlink()
    journal = project.project.journal
    digest = blobs.keep_bytes(text)
    assert digest is not None
    with journal._db.write():
        rows = journal._db.read("SELECT number, data FROM results")
        for number, data in rows:
            changed = json.dumps({**json.loads(data), "sources": digest})
            journal._db.do(
                "UPDATE results SET data = ?, sum = ? WHERE number = ?", (changed, checksum(changed), number)
            )
    assert of(project).changes


def test_a_long_difference_is_cut(project: ProjectBuilder) -> None:
    train(project, *TRAIN, "\n".join(f"v{at} = {at}" for at in range(500)))
    found = of(project)
    assert len(found.diffs["code"]) < 70
    assert found.diffs["code"][-1] == "… 440 more lines"


def test_an_explanation_is_plain_data(project: ProjectBuilder) -> None:
    train(project, TRAIN[0], TRAIN[1], "size = 1\nscale = 3", TRAIN[3])
    project.file("data/a.csv", "7 8")
    told = json.loads(json.dumps(of(project).to_json()))
    assert told["decision"] == "RUN"
    assert told["changes"][0]["text"] == "cell 4 changed"
    assert told["diffs"]["code"][0] == "cell 4"
    assert told["before"]["load"]["decision"] == "RUN"
    assert set(told["last"]) == {"run", "attempt", "at"}


def test_stages_are_named_by_globs_and_unknown_ones_are_refused(project: ProjectBuilder) -> None:
    assert [found.stage for found in why(project.project.preparer, RunRequest(pipeline="p"))] == [
        "load",
        "train",
    ]
    assert [found.stage for found in why(project.project.preparer, RunRequest(pipeline="p"), ["tr*"])] == [
        "train"
    ]
    with pytest.raises(UsageError) as caught:
        why(project.project.preparer, RunRequest(pipeline="p"), ["trian"])
    assert str(caught.value) == "no stage 'trian'\n    did you mean 'train'?"
