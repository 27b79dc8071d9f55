"""Our reader of scraps against scrapbook's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from building import notebook_data
from stagebook.execution.worker.scraps import read_scraps

CELLS = (
    "import scrapbook as sb\nimport pandas as pd",
    "sb.glue('int', 3)\nsb.glue('float', 0.5)\nsb.glue('bool', True)\nsb.glue('text', 'a\"b')",
    "sb.glue('list', [1, 'x'])\nsb.glue('dict', {'k': [1]})\nsb.glue('again', 1)\nsb.glue('again', 2)",
    "sb.glue('frame', pd.DataFrame({'a': [1, 2]}))",
    "from IPython.display import HTML\nsb.glue('shown', HTML('<b>x</b>'), display=True)",
    "sb.glue('both', 5, display=True)",
    "print('not a scrap')",
)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.from_dict(notebook_data(*CELLS))  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=120).execute()
    path = tmp_path_factory.mktemp("scraps") / "n.ipynb"
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
    return path


@pytest.mark.kernel
@pytest.mark.filterwarnings("default")
@pytest.mark.long
def test_values_are_those_that_scrapbook_reads(executed: Path, tmp_path: Path) -> None:
    import pandas as pd
    import scrapbook

    theirs = scrapbook.read_notebook(str(executed)).scraps
    cells: list[dict[str, Any]] = json.loads(executed.read_text())["cells"]
    ours = read_scraps(cells, tmp_path)
    assert set(ours) == set(theirs)
    for name in ("int", "float", "bool", "text", "list", "dict", "again"):
        assert ours[name]["value"] == theirs[name].data
        assert isinstance(theirs[name].data, type(ours[name]["value"]))
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / ours["frame"]["file"]), theirs["frame"].data)
    assert ours["shown"] == {"kind": "display", "mime": "text/html", "file": "shown.html"}
    assert (tmp_path / "shown.html").read_text() == "<b>x</b>"
    assert theirs["both"].data is None, "scrapbook mended its loss: this reader may go"
    assert ours["both"]["value"] == 5


def test_a_large_value_is_kept_as_a_file(tmp_path: Path) -> None:
    payload = {"name": "../big value", "data": list(range(10_000)), "encoder": "json", "version": 1}
    output = {"output_type": "display_data", "data": {"application/scrapbook.scrap.json+json": payload}}
    scraps = read_scraps([{"outputs": [output]}], tmp_path / "scraps")
    assert scraps["../big value"] == {"kind": "json", "file": "big-value.json"}
    assert json.loads((tmp_path / "scraps/big-value.json").read_text()) == list(range(10_000))


@pytest.mark.parametrize("payload", [None, 1, [], {}, {"data": 1}, {"name": "x", "data": "%%%"}])
def test_a_payload_that_is_none_is_no_error(tmp_path: Path, payload: object) -> None:
    output = {"output_type": "display_data", "data": {"application/scrapbook.scrap.pandas+json": payload}}
    read_scraps([{"outputs": [output]}, {}, {"outputs": None}], tmp_path)
