"""The beginnings of files: only those that stages read or write, in bounded parts, and never as markup."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from building import ProjectBuilder
from stagebook.errors import UsageError
from stagebook_lab.queries.files import CELL, IMAGE, ROWS, TEXT, file_preview
from stagebook_lab.wire import FilePreview

PIPELINE = """
stages:
  make:
    notebook: notebooks/make.ipynb
    inputs: {source: data/source.txt}
    outputs: {one: data/out.OUT}
"""


@pytest.fixture
def made(builder: ProjectBuilder) -> ProjectBuilder:
    builder.notebook("make", "print(source, one)", params="source = ''\none = ''")
    builder.file("data/source.txt", "what it reads")
    return builder


def preview(made: ProjectBuilder, ending: str, content: str | bytes | None = None) -> FilePreview:
    """The beginning of the output with an ending, which holds the content."""
    made.pipeline(PIPELINE.replace("OUT", ending))
    path = f"data/out.{ending}"
    if content is not None:
        made.file(path, content)
    return file_preview(made.project, made.plan(), path)


def test_a_table_of_text_has_its_first_rows_as_they_are(made: ProjectBuilder) -> None:
    rows = "".join(f"00{at},<b>{at}</b>,{at}.50\n" for at in range(100))
    found = preview(made, "csv", f"code,name,price\n{rows}")
    assert found.kind == "table"
    assert [(column.name, column.is_number) for column in found.columns] == [
        ("code", True), ("name", False), ("price", True),
    ]  # fmt: skip
    assert len(found.rows) == ROWS
    assert found.rows[1] == ("001", "<b>1</b>", "1.50")
    assert found.total is None, "to count them all of the file would be read"
    assert found.size > 1000
    assert found.modified is not None


def test_a_parquet_file_has_types_and_the_number_of_rows(made: ProjectBuilder) -> None:
    duckdb = pytest.importorskip("duckdb")
    target = made.root / "data/out.parquet"
    query = "SELECT i AS number, repeat('x', 500) AS long, NULL::INTEGER AS nothing FROM range(1000) t(i)"
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"COPY ({query}) TO '{target}'")
    found = preview(made, "parquet")
    assert (found.kind, found.total, len(found.rows)) == ("table", 1000, ROWS)
    assert [(column.type, column.is_number) for column in found.columns] == [
        ("BIGINT", True), ("VARCHAR", False), ("INTEGER", True),
    ]  # fmt: skip
    assert found.rows[0] == ("0", f"{'x' * (CELL - 1)}…", "")


def test_what_is_no_table_is_shown_as_what_it_is(made: ProjectBuilder) -> None:
    found = preview(made, "csv", "")
    assert (found.kind, found.text, found.note) == (
        "text",
        "",
        "It cannot be read as a table: the file is empty.",
    )


def test_a_damaged_parquet_file_says_why(made: ProjectBuilder) -> None:
    found = preview(made, "parquet", b"PAR1 and nothing more\0")
    assert found.kind == "binary"
    assert found.note


def test_a_wide_table_says_how_many_columns_there_are(made: ProjectBuilder) -> None:
    names = ",".join(f"c{at}" for at in range(80))
    found = preview(made, "csv", f"{names}\n{','.join('1' * 80)}\n")
    assert (len(found.columns), found.note) == (50, "The first 50 of 80 columns.")


def test_json_is_put_into_lines_and_what_is_none_stays_text(made: ProjectBuilder) -> None:
    found = preview(made, "json", json.dumps({"a": [1, "<script>é"]}))
    assert (found.kind, found.text) == ("json", '{\n  "a": [\n    1,\n    "<script>é"\n  ]\n}')
    assert preview(made, "json", "{'a': 1}").kind == "text"
    assert preview(made, "json", "[" * 200_000).kind == "text"


def test_a_long_text_is_cut_and_says_so(made: ProjectBuilder) -> None:
    found = preview(made, "txt", "é" * TEXT)
    assert found.kind == "text"
    assert len(found.text) <= TEXT
    found = preview(made, "log", "x" * (TEXT + 1))
    assert (len(found.text), found.note) == (TEXT, "The first 64 kB.")
    assert preview(made, "bin", b"\0\1\2").kind == "binary"


def test_a_picture_comes_with_its_type_and_a_large_one_not_at_all(made: ProjectBuilder) -> None:
    drawing = b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>"
    found = preview(made, "svg", drawing)
    assert (found.kind, found.media) == ("image", "image/svg+xml")
    assert base64.b64decode(found.data) == drawing
    large = preview(made, "PNG", b"\x89PNG" + bytes(IMAGE))
    assert (large.kind, large.data) == ("binary", "")
    assert "5 MB" in large.note


def test_a_folder_has_names_and_what_is_not_there_says_so(made: ProjectBuilder) -> None:
    assert preview(made, "gone").kind == "missing"
    made.file("data/out.parts/b.txt")
    made.file("data/out.parts/a/c.txt")
    found = preview(made, "parts")
    assert (found.kind, found.text) == ("folder", "a/\nb.txt")


@pytest.mark.timeout(30)
def test_a_pipe_is_not_read(made: ProjectBuilder) -> None:
    os.mkfifo(made.root / "data/out.pipe")
    assert preview(made, "pipe").note == "It is no regular file."


@pytest.mark.parametrize(
    "path",
    [
        "notebooks/make.ipynb",
        "stagebook.toml",
        "data/../stagebook.toml",
        "/etc/passwd",
        "data/./source.txt",
        "",
    ],
)
def test_only_what_stages_read_or_write_is_shown(made: ProjectBuilder, path: str) -> None:
    made.pipeline(PIPELINE.replace("OUT", "txt"))
    assert file_preview(made.project, made.plan(), "data/source.txt").text == "what it reads"
    with pytest.raises(UsageError, match="no input and no output"):
        file_preview(made.project, made.plan(), path)


def test_a_link_that_was_put_in_the_place_of_an_output_leads_nowhere(
    made: ProjectBuilder, tmp_path: Path
) -> None:
    made.pipeline(PIPELINE.replace("OUT", "txt"))
    plan = made.plan()
    (made.root / "data/out.txt").symlink_to("/etc/passwd")
    with pytest.raises(UsageError, match="symlink"):
        file_preview(made.project, plan, "data/out.txt")
