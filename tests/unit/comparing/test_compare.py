"""Two sides: parameters, stages with reasons, metrics, datasets."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stagebook.artifact import Artifact
from stagebook.comparing.compare import Comparer, Options
from stagebook.comparing.difference import DatasetDifference, PipelineDifference
from stagebook.comparing.side import Side, SideDataset, SidePipeline, SideStage
from stagebook.system.store import Store
from stagebook.views import difference_markdown

PEOPLE = pd.DataFrame({"id": [1, 2, 3], "name": ["ada", "bob", "cy"], "age": [30, 40, 50]})


class Two:
    """Two folders with files, and the comparison of what is in them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, side: str, name: str, what: pd.DataFrame | bytes | str, **options: Any) -> SideDataset:
        path = self.root / side / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(what, pd.DataFrame):
            (what.to_parquet if name.endswith("parquet") else what.to_csv)(path, index=False)
        else:
            path.write_bytes(what.encode() if isinstance(what, str) else what)
        data = path.read_bytes()
        artifact = Artifact(path=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
        return SideDataset(artifact=artifact, place=path, **options)

    def compared(self, before: SideDataset, after: SideDataset, **options: Any) -> DatasetDifference:
        two = [side(SidePipeline(datasets={"s.d": one})) for one in (before, after)]
        found = Comparer(self.root, Store(self.root / "store"), Options(**options)).compare(*two)
        return found.pipelines[0].datasets[0]


def side(one: SidePipeline | None) -> Side:
    return Side(label="x", pipelines={} if one is None else {"p": one})


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two(tmp_path)


def pipelines(tmp_path: Path, before: SidePipeline | None, after: SidePipeline | None) -> PipelineDifference:
    found = Comparer(tmp_path, Store(tmp_path / "store")).compare(side(before), side(after))
    return found.pipelines[0]


def test_rows_are_compared_by_the_key(two: Two) -> None:
    after = pd.DataFrame({"id": [2, 3, 4], "name": ["bob", "cyd", "di"], "age": [40, 50, 60]})
    old, new = two.put("a", "people.parquet", PEOPLE), two.put("b", "people.parquet", after, key=("id",))
    found = two.compared(old, new)
    assert found.rows is not None
    assert (found.what, found.counts) == ("changed", (3, 3))
    assert (found.rows.added, found.rows.removed, found.rows.changed) == (1, 1, 1)
    assert found.rows.columns == {"name": 1}
    assert {one.name: (one.before, one.after) for one in found.figures}["age: largest"] == (50, 60)
    by_name = two.compared(old, two.put("b", "people.parquet", after), keys={"p.s.d": ("name",)})
    assert by_name.rows is not None
    assert by_name.rows.key == ("name",)


def test_columns_that_differ_are_seen_first(two: Two) -> None:
    after = PEOPLE.assign(age=[30, 40, 51])
    whole = two.compared(two.put("a", "p.parquet", PEOPLE), two.put("b", "p.parquet", after)).rows
    by_key = two.compared(
        two.put("a", "p.parquet", PEOPLE), two.put("b", "p.parquet", after, key=("name",))
    ).rows
    assert whole is not None
    assert by_key is not None
    assert [*whole.samples["added"][0]] == ["age", "id", "name"]
    assert [*by_key.samples["changed"][0]] == ["name", "age", "id"]


def test_a_key_that_repeats_is_told_and_rows_are_compared_as_a_whole(two: Two) -> None:
    twice = pd.concat([PEOPLE, PEOPLE.head(1)])
    found = two.compared(two.put("a", "p.csv", PEOPLE), two.put("b", "p.csv", twice, key=("id",)))
    assert found.rows is not None
    assert (found.rows.added, found.rows.removed, found.rows.key) == (1, 0, ())
    assert "repeat the key (id)" in found.remark
    found = two.compared(two.put("a", "p.csv", PEOPLE), two.put("b", "p.csv", twice, key=("no",)))
    assert "the key no is not in both" in found.remark


def test_columns_that_go_break_who_reads_them(two: Two) -> None:
    found = two.compared(
        two.put("a", "p.parquet", PEOPLE), two.put("b", "p.parquet", PEOPLE.drop(columns="age"))
    )
    assert found.is_breaking
    assert [change.text for change in found.columns] == ["age is gone: it was BIGINT"]


def test_personal_values_are_shown_nowhere(two: Two) -> None:
    after = PEOPLE.assign(name=["ada", "bob", "secretname"], age=[30, 40, 777])
    personal = ("name", "age")
    old, new = (
        two.put("a", "p.parquet", PEOPLE, personal=personal),
        two.put("b", "p.parquet", after, key=("id",)),
    )
    found = two.compared(old, new)
    shown = repr(found)
    assert found.rows is not None
    assert found.rows.changed == 1
    assert "secretname" not in shown
    assert "777" not in shown


def test_texts_images_and_other_bytes(two: Two) -> None:
    texts = two.put("a", "n.txt", "one\ntwo\n"), two.put("b", "n.txt", "one\n2\n")
    assert two.compared(*texts).lines == ("-two", "+2")
    other = two.compared(two.put("a", "m.bin", b"\xff\x00"), two.put("b", "m.bin", b"\xff\x01\x02"))
    assert (other.what, other.sizes, other.lines) == ("changed", (2, 3), ())
    assert "compared by hash alone" in other.remark
    assert two.compared(*texts, contents=False).lines == ()


def test_a_document_is_compared_line_by_line_and_a_database_names_its_tables(two: Two) -> None:
    documents = (
        two.put(side, "e.json", f'{{\n "auc": {auc},\n "rows": 3\n}}')
        for side, auc in (("a", 0.5), ("b", 0.6))
    )
    assert two.compared(*documents).lines == ('- "auc": 0.5,', '+ "auc": 0.6,')
    duckdb = pytest.importorskip("duckdb")
    bases = []
    for side in ("a", "b"):
        path = two.root / f"{side}.duckdb"
        with duckdb.connect(str(path)) as base:
            base.execute(f"CREATE TABLE one AS SELECT '{side}' AS x; CREATE TABLE other AS SELECT 1 AS x")
        bases.append(two.put(side, "w.duckdb", path.read_bytes()))
    assert two.compared(*bases).remark.endswith("which of its tables is meant: one, other")


def test_what_is_gone_from_the_store_is_told(two: Two) -> None:
    gone = SideDataset(artifact=Artifact(path="p.csv", sha256="0" * 64, kept=True))
    found = two.compared(gone, two.put("b", "p.csv", PEOPLE))
    assert (found.what, found.remark) == ("changed", "one of the two is not in the store any more")


def test_the_same_bytes_are_the_same(two: Two) -> None:
    found = two.compared(two.put("a", "p.csv", PEOPLE), two.put("b", "p.csv", PEOPLE))
    assert (found.what, found.rows, found.lines) == ("same", None, ())


def stage(code: str = "1", **fields: Any) -> SideStage:
    parts = {"code": [code], "params": {"n": 1}}
    return SideStage(fingerprint=code, parts=parts, **fields)


def test_stages_parameters_and_metrics(tmp_path: Path) -> None:
    scraps = {"auc": {"kind": "json", "value": 0.5}}
    better = {"auc": {"kind": "json", "value": 0.75}}
    before = SidePipeline(
        params={"n": 1, "old": 2},
        stages={"same": stage(), "edited": stage(scraps=scraps), "gone": stage(), "fails": stage()},
    )
    after = SidePipeline(
        params={"n": 3},
        stages={
            "same": stage(), "edited": stage("2", scraps=better), "new": stage(),
            "fails": SideStage(status="failed"), "waits": SideStage(pending="would run: no result yet"),
        },
    )  # fmt: skip
    found = pipelines(tmp_path, before, after)
    assert [(one.name, one.before, one.after) for one in found.params] == [("n", 1, 3), ("old", 2, None)]
    assert {one.stage: one.what for one in found.stages} == {
        "same": "same", "edited": "changed", "new": "added", "fails": "changed", "waits": "added", "gone": "removed",
    }  # fmt: skip
    reasons = {one.stage: one.reasons for one in found.stages}
    assert reasons["edited"] == ("cell 1 changed",)
    assert reasons["fails"] == ("now: failed",)
    assert [(one.name, one.before, one.after) for one in found.metrics] == [("edited.auc", 0.5, 0.75)]
    assert not found.is_same


def test_of_a_stage_without_a_result_nobody_says_what_becomes_of_its_outputs(two: Two) -> None:
    old = two.put("a", "p.csv", PEOPLE)
    before = SidePipeline(
        stages={"s": stage(scraps={"n": {"kind": "json", "value": 1}})}, datasets={"s.d": old}
    )
    pending = SideStage(
        parts={"code": ["2"], "params": {"n": 1}}, pending="would run: something from another run"
    )
    found = pipelines(two.root, before, SidePipeline(stages={"s": pending}))
    assert (found.datasets, found.metrics) == ((), ())
    assert found.stages[0].reasons == ("would run: cell 1 changed",), (
        "what differs from that side, not from some run"
    )


def test_what_a_run_left_out_is_no_change_of_its_outputs(two: Two) -> None:
    out = SideStage(status="skipped")
    old = two.put("a", "p.csv", PEOPLE)
    before = SidePipeline(stages={"s": stage(), "never": out}, datasets={"s.d": old})
    found = pipelines(two.root, before, SidePipeline(stages={"s": out, "never": out}))
    assert [(one.stage, one.what, one.reasons) for one in found.stages] == [
        ("s", "changed", ("now: skipped",))
    ]
    assert found.datasets == ()


def test_a_pipeline_on_one_side_alone_is_new_or_gone(tmp_path: Path) -> None:
    one = SidePipeline(params={"n": 1}, stages={"s": stage()})
    assert pipelines(tmp_path, None, one).what == "added"
    gone = pipelines(tmp_path, one, None)
    assert (gone.what, gone.params, gone.is_same) == ("removed", (), False)


def test_nothing_in_markdown_is_markup_or_calls_anybody(two: Two) -> None:
    hostile = "@everyone <script> | `x` [a](b)\n# head"
    rows = pd.DataFrame({"id": [1], hostile: [hostile]})
    old, new = two.put("a", "p.parquet", PEOPLE), two.put("b", "p.parquet", rows)
    before = SidePipeline(params={"n": hostile}, datasets={"s.d": old})
    after = SidePipeline(params={"n": "2"}, datasets={"s.d": new})
    found = Comparer(two.root, Store(two.root / "store")).compare(side(before), side(after))
    text = difference_markdown.difference(found)
    assert "@everyone" not in text
    assert "<script>" not in text
    assert "\n# head" not in text
    assert "[a](b)" not in text
