"""The profile of an executed notebook: read, and drawn."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from building import notebook_data
from stagebook.tracking.chart import CellProfile, chart, profiles


def executed(folder: Path) -> Path:
    data = notebook_data("#md title", "x = 1\ny = 2", "", "1/0", "never = 1")
    used = [None, (0.5, 0.25, 10_000_000, "completed"), None, (2.0, 1.0, 30_000_000, "failed"), None]
    for cell, figures in zip(data["cells"], used, strict=True):
        meta = cell["metadata"]["papermill"] = {"status": "pending", "duration": None}
        if figures is not None:
            seconds, cpu, memory, status = figures
            meta |= {"status": status, "duration": seconds}
            meta["profile"] = {"cpu_seconds": cpu, "peak_memory": memory}
    path = folder / "notebook.ipynb"
    path.write_text(json.dumps(data))
    return path


def test_cells_that_ran_are_read_with_their_numbers(tmp_path: Path) -> None:
    assert profiles(executed(tmp_path)) == [
        CellProfile(
            number=1, first_line="x = 1", status="completed", seconds=0.5, cpu=0.25, memory=10_000_000
        ),
        CellProfile(number=2, first_line="1/0", status="failed", seconds=2.0, cpu=1.0, memory=30_000_000),
    ]


def test_a_notebook_without_profiles_has_no_chart(tmp_path: Path) -> None:
    path = tmp_path / "notebook.ipynb"
    path.write_text(json.dumps(notebook_data("x = 1")))
    assert profiles(path) == []
    assert chart([]) == ""


cell_profiles = st.builds(
    CellProfile,
    number=st.integers(1, 500),
    first_line=st.text(max_size=100),
    status=st.sampled_from(["completed", "failed"]),
    seconds=st.floats(0, 1e5),
    cpu=st.floats(0, 1e5),
    memory=st.integers(0, 10**12),
)


@given(st.lists(cell_profiles, min_size=1, max_size=60))
def test_a_chart_is_xml_without_scripts_and_shows_each_cell_in_bounds(cells: list[CellProfile]) -> None:
    tree = ET.fromstring(chart(cells))
    assert {element.tag.rpartition("}")[2] for element in tree.iter()} <= {
        "svg",
        "text",
        "path",
        "rect",
        "title",
    }
    bars = [element for element in tree.iter() if element.tag.endswith("rect")]
    assert len(bars) == 3 * len(cells)
    _, _, width, height = map(float, tree.attrib["viewBox"].split())
    for bar in bars:
        assert 0 <= float(bar.attrib["x"]) <= width
        assert float(bar.attrib["y"]) + float(bar.attrib["height"]) == pytest.approx(
            min(float(bar.attrib["y"]) + float(bar.attrib["height"]), height)
        )


def test_what_a_cell_says_cannot_become_markup() -> None:
    cell = CellProfile(
        number=1, first_line="<script>alert(1)</script>", status="completed", seconds=1, cpu=1, memory=1
    )
    assert "<script" not in chart([cell])
