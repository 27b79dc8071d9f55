"""Each notebook of the corpus ends and shows as with plain papermill: what differs has a reason in the tables of
`stagebook.pipeline.differences`, which docs/executors.md is made of. `make parity` runs all of them, `make test` some.
"""

from __future__ import annotations

import functools
import json
import random
import shutil
from collections.abc import Callable, Iterator, Mapping

import pytest
import yaml

from building import ProjectBuilder
from effort import IS_FULL, SEED
from parity.corpus import NOTEBOOKS, OFTEN
from parity.executing import PAPERMILL, WAYS, Done, run_papermill, run_stagebook
from parity.notebook import written
from parity.notebooks.rows import FIRST
from parity.reasons import FROM_PAPERMILL, REFUSED, VARIES, WITHOUT_KERNEL
from parity.table import rows as table
from stagebook.pipeline import differences

pytestmark = [pytest.mark.kernel, pytest.mark.e2e, pytest.mark.timeout(1800)]

OTHERS = [name for name in OFTEN if not NOTEBOOKS[name].rows]
TURN = set(random.Random(SEED).sample(OTHERS, 4))
CHOSEN = list(NOTEBOOKS) if IS_FULL else [name for name in OFTEN if NOTEBOOKS[name].rows or name in TURN]
PRESENT = [name for name in CHOSEN if not NOTEBOOKS[name].lacks]
COMPARED = [way for way in WAYS if IS_FULL or way != "kernel, unforked"]
Execute = Callable[[str], Mapping[str, Done]]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Execute]:
    """What became of the notebooks in a way, all executed together."""
    folder = tmp_path_factory.mktemp("parity")

    @functools.cache
    def execute(way: str) -> Mapping[str, Done]:
        root = folder / way.replace(", ", "_")
        return run_papermill(root, PRESENT) if way == PAPERMILL else run_stagebook(root, PRESENT, way)

    yield execute
    shutil.rmtree(folder, ignore_errors=True)


def places(name: str, wanted: Done, found: Done) -> dict[str, tuple[object, object]]:
    """Where the two differ: `end`, `widgets`, `cells`, or the source of a cell."""
    rows = NOTEBOOKS[name].rows
    pairs: dict[str, tuple[object, object]] = {}
    if wanted.end != found.end:
        pairs["end"] = wanted.end, found.end
    if wanted.widgets != found.widgets:
        pairs["widgets"] = wanted.widgets, found.widgets
    if len(wanted.cells) != len(found.cells):
        pairs["cells"] = len(wanted.cells), len(found.cells)
    for one, two in list(zip(wanted.cells, found.cells, strict=False))[len(FIRST) if rows else 0 :]:
        if one != two:
            pairs[one[0]] = one[1:], two[1:]
    return pairs


@pytest.mark.parametrize("way", COMPARED)
@pytest.mark.parametrize("name", CHOSEN)
@pytest.mark.long
def test_a_notebook_ends_and_shows_as_with_papermill(executed: Execute, name: str, way: str) -> None:
    if lacks := NOTEBOOKS[name].lacks:
        pytest.skip(f"needs {', '.join(lacks)}")
    found = places(name, executed(PAPERMILL)[name], executed(way)[name])
    reasons = {**FROM_PAPERMILL.get(name, {})}
    if way == "inprocess":
        reasons |= WITHOUT_KERNEL.get(name, {})
    told = sorted({reasons.get(at, "DIFFERS") for at in found})
    table.setdefault(name, {})[way] = ", ".join(told) or "the same"
    unexplained = {at: pair for at, pair in found.items() if at not in reasons}
    assert not unexplained, "\n".join(
        f"{at}\n   {json.dumps(one, default=str)[:2000]}\n   {json.dumps(two, default=str)[:2000]}"
        for at, (one, two) in unexplained.items()
    )
    assert name in VARIES or set(reasons) <= set(found), "a reason without a difference"


@pytest.mark.parametrize("name", REFUSED)
def test_what_papermill_runs_may_be_a_mistake_here(builder: ProjectBuilder, name: str) -> None:
    notebook, reason = REFUSED[name]
    assert reason in differences.FROM_PAPERMILL
    builder.file("notebooks/a.ipynb", written(notebook))
    assert builder.problems(
        yaml.safe_dump({"stages": {"a": {"notebook": "notebooks/a.ipynb", "params": dict(notebook.values)}}})
    )


def test_each_reason_is_a_row_of_the_documentation() -> None:
    papermill = {reason for places in FROM_PAPERMILL.values() for reason in places.values()}
    kernel = {reason for places in WITHOUT_KERNEL.values() for reason in places.values()}
    assert papermill <= set(differences.FROM_PAPERMILL)
    assert kernel <= set(differences.WITHOUT_KERNEL)
    assert set(FROM_PAPERMILL) | set(WITHOUT_KERNEL) <= set(NOTEBOOKS)
