"""The second example: orders out of a SQL database and stock out of an object store, from end to end."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import environment, stagebook
from stagebook.project import Project
from stagebook.system.ports import free_port
from stagebook.tables import delta

pytestmark = [pytest.mark.kernel, pytest.mark.e2e, pytest.mark.timeout(600)]

EXAMPLE = Path(__file__).parents[2] / "examples/shop"
SECRET = "word-of-the-store"
ENV = environment(STAGEBOOK_SECRET_STORE=SECRET)
DAYS = {
    2: ([(1, 3), (2, 2), (3, 1), (4, 1)], {"tea": (18.0, 46), "cups": (24.0, 18), "pot": (39.0, 5)}),
    3: ([(1, 5), (2, 2), (3, 1), (4, 1), (6, 2)], {"tea": (27.0, 44), "cups": (24.0, 18), "pot": (117.0, 3)}),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, at a free port."""
    folder = tmp_path_factory.mktemp("shop") / "project"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".stagebook", "data", "world", "ml*"))
    (folder / "stagebook.toml").write_text("[tracking]\nenabled = false\n")
    return folder


@pytest.fixture(scope="module")
def comes(root: Path) -> Iterator[Callable[[int], None]]:
    """The world around it, with two days; called, it lets another day come."""
    port = str(free_port())
    path = root / "connections.toml"
    path.write_text(path.read_text().replace("5555", port))
    world = [sys.executable, str(root / "world.py"), "--port", port, "--folder", str(root / "world")]
    with subprocess.Popen(world, stdout=subprocess.PIPE, text=True, start_new_session=True) as server:
        assert server.stdout is not None
        assert "is served" in server.stdout.readline()
        yield lambda day: subprocess.run([*world, "--day", str(day)], check=True, timeout=60) and None
        server.terminate()  # who runs the tests may have asked to ignore SIGINT


def run(root: Path) -> None:
    done = stagebook(root, "run", "shop", env=ENV, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def plan(root: Path) -> str:
    return stagebook(root, "plan", "shop", env=ENV).stdout


def found(root: Path) -> tuple[list[tuple[int, int]], dict[str, Any]]:
    """The orders with their pieces; for each product its revenue and stock."""
    orders = delta.dataset(root / "data/orders").to_table(["id", "pieces"]).to_pylist()
    import pandas as pd

    lines = pd.read_parquet(root / "data/revenue.parquet")
    revenue = {line.product: (line.revenue, line.in_stock) for line in lines.itertuples()}
    return sorted((row["id"], row["pieces"]) for row in orders), revenue


@pytest.fixture(scope="module")
def ran(root: Path, comes: Callable[[int], None]) -> None:
    """It ran on the first two days."""
    del comes
    run(root)
    assert found(root) == DAYS[2]


@pytest.mark.long
@pytest.mark.usefixtures("ran")
def test_each_day_is_read_once(root: Path, comes: Callable[[int], None]) -> None:
    assert "nothing is new in lists" in plan(root)

    comes(3)
    said = plan(root)
    assert "reads what is new since 2026-03-02 11:00:00" in said
    assert "store:stock/2026-03-03.csv is new in lists" in said
    run(root)
    assert found(root) == DAYS[3]

    with Project.open(root) as project:
        history = project.history.of(project.history.find()).stages
    assert history["orders"].scraps["rows"]["value"] == 3, (
        "the two of the third day, and what is as late as the mark"
    )
    assert history["stock"].scraps["lists"]["value"] == 1
    assert history["orders"].audits["orders"].rejected == 1


@pytest.mark.long
@pytest.mark.usefixtures("ran")
def test_the_key_of_the_store_is_nowhere(root: Path) -> None:
    for path in root.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


def test_a_store_that_asks_for_another_key_is_told(root: Path, comes: Callable[[int], None]) -> None:
    del comes
    done = stagebook(root, "plan", "shop", env=environment())
    assert done.returncode != 0
    assert "input 'lists'" in done.stdout + done.stderr
    assert "STAGEBOOK_SECRET_STORE" in done.stdout + done.stderr
