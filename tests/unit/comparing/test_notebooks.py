"""Executed notebooks, cell by cell."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stagebook.comparing.images import share_of
from stagebook.comparing.notebooks import compare_notebooks, images_that_differ


def png(width: int = 4, **pixels: tuple[int, int, int]) -> bytes:
    """A white image, with some pixels of the first row in other colours: `x2=(0, 0, 0)`."""
    image = Image.new("RGB", (width, 5), (255, 255, 255))
    for name, colour in pixels.items():
        image.putpixel((int(name[1:]), 0), colour)
    held = io.BytesIO()
    image.save(held, "PNG")
    return held.getvalue()


def code(source: str, *outputs: dict[str, Any], tags: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "metadata": {"tags": [*tags]}, "outputs": [*outputs]}


def stream(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def result(text: str, html: str = "") -> dict[str, Any]:
    return {"output_type": "execute_result", "data": {"text/plain": text, "text/html": html}}


def picture(data: bytes) -> dict[str, Any]:
    shown = {"image/png": base64.b64encode(data).decode(), "text/plain": "<Figure size 640x480>"}
    return {"output_type": "display_data", "data": shown}


@pytest.fixture
def two(tmp_path: Path) -> Any:
    def write(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> tuple[Path, Path]:
        paths = tmp_path / "before.ipynb", tmp_path / "after.ipynb"
        for path, cells in zip(paths, (before, after), strict=True):
            path.write_text(json.dumps({"cells": cells}))
        return paths

    return write


def test_what_differs_is_told_cell_by_cell(two: Any) -> None:
    before = [code("a = 1"), code("b", stream("one\ntwo\n")), code("gone")]
    after = [code("a = 1"), code("new"), code("b", stream("one\n2\n"))]
    found = compare_notebooks(*two(before, after))
    assert [(cell.number, cell.what) for cell in found.cells] == [
        (2, "added"),
        (3, "changed"),
        (3, "removed"),
    ]
    assert found.cells[0].source == ("+new",)
    assert found.cells[1].outputs == ("-two", "+2")
    assert found.cells[2].source == ("-gone",)


def test_a_cell_that_was_edited_is_the_same_cell(two: Any) -> None:
    found = compare_notebooks(
        *two([code("a"), code("x = 1"), code("c")], [code("a"), code("x = 2"), code("c")])
    )
    assert [(cell.number, cell.what, cell.source) for cell in found.cells] == [
        (2, "changed", ("-x = 1", "+x = 2"))
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<object at 0x7f5e2a1b3c40>", "<object at 0x7f9900aa1122>"),
        ("2026-11-30 09:03:26", "2026-12-01T10:00:00.123+01:00"),
        ("CPU times: 12.3 ms\nWall time: 3.2 s", "CPU times: 9 ms\nWall time: 900 ms"),
        ("1.2 ms ± 30 µs per loop (mean ± std. dev.)", "1.4 ms ± 12 µs per loop (mean ± std. dev.)"),
        (" 45%|████▌     | 9/20 [00:01<00:01,  8.95it/s]", "100%|██████████| 20/20 [00:02<00:00,  9.51it/s]"),
        ("/tmp/tmpa1/x.csv", "/tmp/tmpb2/x.csv"),
    ],
)
def test_what_differs_in_every_run_is_left_out_and_counted(two: Any, before: str, after: str) -> None:
    paths = two([code("a", stream(f"n = 3\n{before}\n"))], [code("a", stream(f"n = 3\n{after}\n"))])
    found = compare_notebooks(*paths)
    assert found.cells == ()
    assert found.volatile >= 1
    paths = two([code("a", stream(f"n = 3\n{before}\n"))], [code("a", stream(f"n = 4\n{after}\n"))])
    assert compare_notebooks(*paths).cells[0].outputs == ("-n = 3", "+n = 4"), "and hides nothing else"


def test_numbers_and_dates_are_not_volatile(two: Any) -> None:
    for before, after in (("0.81", "0.83"), ("2026-11-30", "2026-12-01"), ("12 rows", "13 rows")):
        assert compare_notebooks(*two([code("a", result(before))], [code("a", result(after))])).cells


def test_injected_parameters_and_counts_are_no_difference(two: Any) -> None:
    injected = code("# Parameters\nn = 2", tags=("injected-parameters",))
    found = compare_notebooks(*two([code("n = 1"), injected], [code("n = 1")]))
    assert (found.cells, found.remark) == ((), "")


def test_images_are_compared_by_their_pixels(two: Any) -> None:
    one, other = png(), png(x1=(250, 0, 0))
    resaved = Image.open(io.BytesIO(one))
    held = io.BytesIO()
    resaved.save(held, "PNG", compress_level=0)
    assert held.getvalue() != one
    same = compare_notebooks(*two([code("p", picture(one))], [code("p", picture(held.getvalue()))]))
    assert same.cells == (), "another compression is no other image"
    paths = two([code("p", picture(one))], [code("p", picture(other), picture(one))])
    assert compare_notebooks(*paths).cells[0].images == (1 / 20, 1.0)
    assert images_that_differ(*paths) == [(one, other), (None, one)]


def test_images_of_other_sizes_and_damaged_ones_differ_as_a_whole() -> None:
    assert share_of(png(), png(width=5)) == 1.0
    assert share_of(png(), b"no image") == 1.0
    assert share_of(b"no image", b"no image") == 0.0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "1\n", "2\n"])), max_size=8))
def test_a_notebook_is_the_same_as_itself(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("same") / "a.ipynb"
    path.write_text(json.dumps({"cells": [code(source, stream(text)) for source, text in cells]}))
    found = compare_notebooks(path, path)
    assert (found.cells, found.volatile, found.remark) == ((), 0, "")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 3}', '{"cells": [1]}'])
def test_what_is_no_notebook_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(text)
    assert "one cannot be read" in compare_notebooks(path, path).remark
    assert "one cannot be read" in compare_notebooks(path, tmp_path / "gone.ipynb").remark
