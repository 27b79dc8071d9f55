"""What differs, as words, in a terminal, as Markdown and as a page."""

from __future__ import annotations

import html.parser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from stagebook.comparing.difference import (
    CellDifference,
    DatasetDifference,
    Difference,
    NotebookDifference,
    PipelineDifference,
    StageDifference,
    ValueDifference,
)
from stagebook.tables.row_changes import RowChanges
from stagebook.tables.schema_changes import SchemaChange
from stagebook.views import difference_html, difference_markdown, difference_tables
from stagebook.views import difference_words as words

ROWS = RowChanges(
    key=("id",),
    added=1,
    removed=0,
    changed=2,
    columns={"speed": 2},
    samples={"added": [{"id": 3, "speed": 9}], "removed": [], "changed": [{"id": 1, "speed": "4 → 5"}]},
)
GONE = SchemaChange(column="age", before="BIGINT", after="", is_breaking=True)
NEW = SchemaChange(column="wind", before="", after="DOUBLE", is_breaking=False)


def dataset(**fields: Any) -> DatasetDifference:
    return DatasetDifference(
        **{"name": "clean.silver", "path": "data/silver.parquet", "what": "changed", **fields}
    )


FULL = Difference(
    before="prod, version 3",
    after="this change",
    pipelines=(
        PipelineDifference(
            pipeline="flights",
            params=(ValueDifference(name="months", before=[1], after=[1, 2]),),
            metrics=(ValueDifference(name="train.auc", before=0.75, after=0.8),),
            stages=(
                StageDifference(stage="sources", what="same"),
                StageDifference(
                    stage="clean",
                    what="changed",
                    reasons=("cell 3 changed", "months: [1] → [1, 2]"),
                    notebook=NotebookDifference(
                        cells=(
                            CellDifference(
                                number=3, what="changed", source=("-a", "+b"), outputs=("-1", "+2")
                            ),
                        ),
                        volatile=2,
                    ),
                ),
                StageDifference(
                    stage="train", what="pending", reasons=("waits: only if clean's output changes",)
                ),
            ),
            datasets=(
                dataset(
                    counts=(10, 11),
                    rows=ROWS,
                    columns=(NEW, GONE),
                    figures=tuple(
                        ValueDifference(name=f"speed: figure {at}", before=at, after=at + 1)
                        for at in range(8)
                    ),
                ),
                dataset(name="clean.note", path="data/note.txt", lines=("-one", "+two")),
                dataset(name="clean.plot", path="data/plot.png", pixels=0.0321),
                dataset(
                    name="clean.model",
                    path="m.bin",
                    sizes=(1200, 1300),
                    remark="compared by hash alone: no table",
                ),
                dataset(name="clean.new", path="n.csv", what="added", sizes=(None, 9)),
                dataset(name="clean.same", path="s.csv", what="same"),
            ),
        ),
        PipelineDifference(pipeline="calm", stages=(StageDifference(stage="a", what="same"),)),
        PipelineDifference(
            pipeline="old", what="removed", stages=(StageDifference(stage="a", what="removed"),)
        ),
    ),
)


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (ValueDifference(name="auc", before=0.75, after=0.8), "0.75 → 0.8 (+0.05)"),
        (ValueDifference(name="rows", before=10_000, after=9_998), "10,000 → 9,998 (-2)"),
        (ValueDifference(name="x", before=None, after="a"), "a (new)"),
        (ValueDifference(name="x", before=True, after=None), "true (gone)"),
        (ValueDifference(name="x", before=True, after=False), "true → false"),
        (ValueDifference(name="x", before=[1], after=[1, 2]), "[1] → [1, 2]"),
    ],
)
def test_a_value_that_differs(one: ValueDifference, text: str) -> None:
    assert words.change(one) == text


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (dataset(what="added", sizes=(None, 1200)), "new, 1.2 kB"),
        (dataset(what="removed", sizes=(None, None)), "gone"),
        (dataset(counts=(10, 11), rows=ROWS), "10 → 11 rows: 1 added, 2 changed by id"),
        (dataset(counts=(3, 3), rows=RowChanges(added=0, removed=0)), "3 → 3 rows: the same rows"),
        (dataset(pixels=0.0321), "3.2 % of its pixels differ"),
        (dataset(pixels=0.00001), "< 0.1 % of its pixels differ"),
        (dataset(lines=("-a",)), "1 line differs"),
        (dataset(lines=("-a", "+b")), "2 lines differ"),
        (dataset(sizes=(1200, 1300)), "other bytes: 1.2 kB → 1.3 kB"),
        (dataset(), "other content"),
    ],
)
def test_a_dataset_in_a_line(one: DatasetDifference, text: str) -> None:
    assert words.in_short(one) == text


def test_a_notebook_in_a_line() -> None:
    new = CellDifference(number=4, what="added")
    assert words.of_notebook(None) == ""
    assert words.of_notebook(NotebookDifference(remark="one was not kept")) == "one was not kept"
    assert words.of_notebook(NotebookDifference(cells=(new,))) == "cells that differ: 4 (new)"
    assert words.of_notebook(NotebookDifference(volatile=1)) == (
        "the executed notebooks show the same; 1 text left out that differ in every run"
    )


def screen(found: Difference, width: int) -> str:
    console = Console(width=width, no_color=True, highlight=False)
    with console.capture() as captured:
        console.print(difference_tables.difference(found, width=width))
    return captured.get()


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_shows_all_that_differs(width: int) -> None:
    shown = screen(FULL, width)
    for text in (
        "prod, version 3 → this change", "parameter  months: [1] → [1, 2]", "~ clean: cell 3 changed",
        "▷ train: waits: only if clean's output changes", "metric     train.auc: 0.75 → 0.8 (+0.05)",
        "age is gone: it was BIGINT (breaks who reads it)", "wind is new: DOUBLE", "and 2 more figures",
        "changed: speed in 2", "-one", "calm  nothing differs", "old  is gone", "data       4 changed, 1 added, 1 the same",
    ):  # fmt: skip
        assert text in shown
    assert shown.index("age is gone") < shown.index("wind is new"), "what breaks comes first"
    assert "clean.same" not in shown
    assert all(len(line.rstrip()) <= width for line in shown.splitlines())


def test_nothing_differs_is_one_line() -> None:
    same = Difference(before="a", after="b", pipelines=(PipelineDifference(pipeline="p"),))
    assert screen(same, 80).splitlines() == ["a → b", "✓ nothing differs"]
    assert "Nothing differs." in difference_markdown.difference(same)
    assert "Nothing differs." in difference_html.page(same, {})


def test_markdown_has_tables_and_folds_what_is_long() -> None:
    text = difference_markdown.difference(FULL)
    assert "| metric | train.auc | 0.75 → 0.8 (+0.05) |" in text
    assert "- ⚠ age is gone: it was BIGINT (breaks who reads it)" in text
    assert "| id | speed |" in text
    assert text.count("<details>") == text.count("</details>") == 2
    assert "```diff" in text
    assert "**calm**: nothing differs." in text


class _Elements(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs


def test_a_page_has_images_side_by_side_and_asks_for_nothing() -> None:
    png = b"\x89PNG rest"
    text = difference_html.page(FULL, {"flights.clean.plot": [(png, None)]})
    found = _Elements()
    found.feed(text)
    assert found.names.count("img") == 1
    assert "not there" in text
    sources = [value for name, value in found.attributes if name in {"src", "href"}]
    assert all(str(source).startswith("data:image/png;base64,") for source in sources)
    assert "script" not in found.names


HOSTILE = st.text(max_size=12) | st.sampled_from(
    ["<script>alert(1)</script>", "</details>", "```", "| a |", "@all", "\x1b[31m"]
)


@given(HOSTILE, HOSTILE)
def test_no_text_becomes_markup(one: str, two: str) -> None:
    found = Difference(
        before=one,
        after=two,
        pipelines=(
            PipelineDifference(
                pipeline=one,
                params=(ValueDifference(name=two, before=one, after=two),),
                stages=(StageDifference(stage=one, what="changed", reasons=(two,)),),
                datasets=(
                    dataset(
                        name=one,
                        path=two,
                        counts=(1, 1),
                        rows=RowChanges(added=1, removed=0, samples={"added": [{one: two}]}),
                        remark=one,
                        lines=(f"+{two}",),
                    ),
                ),
            ),
        ),
    )
    page = _Elements()
    page.feed(difference_html.page(found, {}))
    assert not {"script", "img", "iframe", "a"} & set(page.names)
    text = difference_markdown.difference(found)
    inert = text.replace("`<script>alert(1)</script>`", "").replace(
        "+<script", ""
    )  # code, and a fenced block
    assert "<script" not in inert
    assert text.count("<details>") == 1
    assert "\x1b" not in screen(found, 80) + text
