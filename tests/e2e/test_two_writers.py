"""A table that another writer makes a version of while the stage is between its audit and its publication."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest

from building import ProjectBuilder, ran
from commands import stagebook, start
from stagebook.system import delta_log
from stagebook.tables import delta
from waiting import until

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]

NOTEBOOK = """
import pathlib, time
import pyarrow as pa, pyarrow.parquet as pq
while waits and not pathlib.Path("go").exists():
    time.sleep(0.02)
pq.write_table(pa.table({"id": ids, "m": [n % 2 for n in ids]}), silver)
"""
PIPELINE = """
params: {{ids: {{type: "list[int]", default: {ids}}}, waits: false}}
stages:
  make:
    notebook: notebooks/make.ipynb
    params: {{ids: "${{params.ids}}", waits: "${{params.waits}}"}}
    outputs: {{silver: {{path: data/silver, kind: delta, {options}}}}}
"""


class Lakehouse:
    """A project with two pipelines that write one table."""

    def __init__(self, builder: ProjectBuilder, options: str) -> None:
        builder.without_tracking()
        builder.notebook(
            "make", NOTEBOOK, params="ids: list[int] = []\nwaits: bool = False\nsilver: str = ''"
        )
        for name, ids in (("p", [1]), ("q", [2])):
            builder.pipeline(PIPELINE.format(ids=ids, options=options), name)
        self.builder = builder
        self.root = builder.root
        self.table = self.root / "data/silver"

    def run_while(self, meddle: Callable[[], object], *arguments: str) -> tuple[int, str]:
        """Run `p`, and do something once its version is ready, and before it is published; the exit code, and what was
        said."""
        runs = set(self._attempts())
        with self._started(*arguments) as process:
            until(lambda: self._is_stopped(process.pid), 30, "the runner holds the journal")
            (self.root / "go").touch()
            until(lambda: any((one / "result.json").exists() for one in self._new(runs)), 120, "no result")
            meddle()
            os.kill(process.pid, signal.SIGCONT)
            said, _ = process.communicate(timeout=120)
            return process.returncode, said

    @contextlib.contextmanager
    def _started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        (self.root / "go").unlink(missing_ok=True)
        known = set(self._attempts())
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        process = start(self.root, "run", "p", "-p", "waits=true", *arguments, **options)
        try:
            until(lambda: any((one / "notebook.ipynb").exists() for one in self._new(known)), 120, "no stage")
            yield process
        finally:
            process.kill()
            process.communicate()

    def _is_stopped(self, runner: int) -> bool:
        """Stop the runner, without which the stage goes on, unless that is at a moment when it holds the journal."""
        os.kill(runner, signal.SIGSTOP)
        with contextlib.closing(sqlite3.connect(self.root / ".stagebook/journal.db", timeout=0)) as journal:
            try:
                journal.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                os.kill(runner, signal.SIGCONT)
                return False
        return True

    def _attempts(self) -> list[Path]:
        return list(self.root.glob(".stagebook/runs/*/make/*"))

    def _new(self, known: set[Path]) -> set[Path]:
        return set(self._attempts()) - known

    @property
    def ids(self) -> list[int]:
        return sorted(delta.dataset(self.table).to_table()["id"].to_pylist())


def run(house: Lakehouse, *ids: int) -> None:
    """Run the other pipeline."""
    done = stagebook(house.root, "run", "q", "-p", f"ids={list(ids)}")
    assert done.returncode == 0, done.stdout + done.stderr


def other_tool(house: Lakehouse, *ids: int) -> None:
    rows = pa.table({"id": list(ids), "m": [number % 2 for number in ids]})
    deltalake.write_deltalake(house.table, rows, mode="append")


@pytest.mark.long
def test_rows_of_two_writers_are_there_once_each(builder: ProjectBuilder) -> None:
    house = Lakehouse(builder, "mode: append")
    run(house, 2)

    def meddle() -> None:
        run(house, 3)
        other_tool(house, 4)

    code, said = house.run_while(meddle)
    assert code == 0, said
    assert house.ids == [1, 2, 3, 4]
    assert delta_log.versions(house.table) == [3, 2, 1, 0]
    assert delta_log.note(house.table, 3)["pipeline"] == "p"
    assert builder.project.plan("p", {"waits": True}).stage("make").reasons == ("nothing changed",)
    assert ran(builder.project.run("p", {"waits": True})) == []
    assert house.ids == [1, 2, 3, 4]


@pytest.mark.long
def test_a_partition_that_both_write_is_that_of_the_first_and_the_second_is_told(
    builder: ProjectBuilder,
) -> None:
    house = Lakehouse(builder, "partition_by: m")
    run(house, 2)
    code, said = house.run_while(lambda: run(house, 3, 5))
    assert code == 1
    assert "(q.make.silver) made version 1 of the table meanwhile" in said
    assert "the partition m=1 was changed, which this attempt overwrites, too" in said
    assert house.ids == [2, 3, 5]
    code, said = house.run_while(lambda: run(house, 4))
    assert code == 0, said
    assert house.ids == [1, 4], "each has its partition"
