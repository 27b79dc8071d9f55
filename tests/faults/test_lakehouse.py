"""A run that is killed while it writes to a Delta table: the table is as before or as after, whole, and what is run then
comes to what an uninterrupted run comes to; with a bookmark as well, no file is read twice into it, and none is missed."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Mapping
from typing import Any

import pytest

from effort import SEED, amount, figure
from faults.faults_tools import Place, Running, kill
from faults.recovery_tools import DRIVER
from stagebook.events import AttemptEnded, CellEnded, Status
from stagebook.system import delta_log
from stagebook.tables import delta
from waiting import until

pytestmark = pytest.mark.e2e

MAKE = """
import pyarrow as pa, pyarrow.parquet as pq
ids = [0, 1, 10 * n, 10 * n + 1] if shared else [10 * n, 10 * n + 1]
pq.write_table(pa.table({"id": ids, "m": [each // 10 for each in ids], "n": [n] * len(ids)}), silver)
"""
READ = """
import pyarrow as pa, pyarrow.parquet as pq
from stagebook.connections import connect
numbers = [int(connect("incoming").open(path).read()) for path in files]
ids = [each for n in numbers for each in (10 * n, 10 * n + 1)]
pq.write_table(pa.table({"id": ids, "m": [each // 10 for each in ids], "n": [each // 10 for each in ids]}), silver)
"""
CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: p.make.silver
version: 1.0.0
status: active
schema:
  - name: silver
    properties: [{name: id, logicalType: integer, unique: true}]
"""
# mode → its options, whether the two runs write some of the same keys, and what is there after the first and the second
MODES: dict[str, tuple[dict[str, Any], bool, list[tuple[int, int]], list[tuple[int, int]]]] = {
    "append": ({"mode": "append"}, False, [(10, 1), (11, 1)], [(10, 1), (11, 1), (20, 2), (21, 2)]),
    "bookmark": ({"mode": "append"}, False, [(10, 1), (11, 1)], [(10, 1), (11, 1), (20, 2), (21, 2)]),
    "merge": (
        {"mode": "merge", "key": "id"},
        True,
        [(0, 1), (1, 1), (10, 1), (11, 1)],
        [(0, 2), (1, 2), (10, 1), (11, 1), (20, 2), (21, 2)],
    ),
    "partitions": (
        {"partition_by": "m"},
        True,
        [(0, 1), (1, 1), (10, 1), (11, 1)],
        [(0, 2), (1, 2), (10, 1), (11, 1), (20, 2), (21, 2)],
    ),
    "overwrite": ({}, False, [(10, 1), (11, 1)], [(20, 2), (21, 2)]),
}
POINTS = [(call, when) for call in ("files", "publish", "link") for when in ("before", "after")]


class House:
    """A project whose one stage writes a Delta table, one way; its first run is over."""

    def __init__(self, place: Place, mode: str) -> None:
        self.place, self.mode = place, mode
        options, shared, self.old, self.new = MODES[mode]
        place.builder.notebook("make", MAKE, params="n: int = 0\nshared: bool = False\nsilver: str = ''")
        place.builder.file("contracts/p.make.silver.yaml", CONTRACT)
        stage = {
            "notebook": "notebooks/make.ipynb",
            "executor": "inprocess",
            "params": {"n": "${params.n}", "shared": shared},
            "outputs": {"silver": {"path": "data/silver", "kind": "delta", **options}},
        }
        self.table = place.root / "data/silver"
        for name in ("data", ".stagebook", "incoming"):
            shutil.rmtree(place.root / name, ignore_errors=True)
        self.unchanged = "nothing changed"
        if mode == "bookmark":
            place.builder.notebook("read", READ, params="files: list[str] = []\nsilver: str = ''")
            place.builder.file("connections.toml", '[incoming]\nurl = "incoming"\n')
            place.builder.file("incoming/1", "1")
            own = {"notebook": "notebooks/read.ipynb", "inputs": {"files": "incoming:*"}, "bookmark": "files"}
            stage = {name: value for name, value in {**stage, **own}.items() if name != "params"}
            self.unchanged = "nothing is new in files"
        place.builder.pipeline(json.dumps({"params": {"n": 1}, "stages": {"make": stage}}))
        self.whole("-p", "n=1")
        place.builder.file("incoming/2", "2")  # of a bookmark the second run is about this
        assert self.rows == self.old

    def start(self, *arguments: str, orders: Mapping[str, Any] | None = None, **options: Any) -> Running:
        """Start a run, with orders for `driver`."""
        if orders is not None:
            options |= {"program": DRIVER, "env": {"STAGEBOOK_TEST_ORDERS": json.dumps(orders)}}
        return self.place.start(*arguments, **options)

    def whole(self, *arguments: str, **options: Any) -> Running:
        """A run that comes to a good end."""
        running = self.start(*arguments, **options)
        assert running.wait(120) == 0, running.said()
        return running

    @property
    def rows(self) -> list[tuple[int, int]]:
        """What the table holds, read as others read it."""
        found = delta.dataset(self.table).to_table(columns=["id", "n"]).to_pylist()
        return sorted((row["id"], row["n"]) for row in found)

    def go_on(self, how: str) -> str:
        """Look at what a killed run left, go on, and hold that against an uninterrupted run; whether the table was old or
        new."""
        self.place.gone(10)
        rows = self.rows
        assert rows in (self.old, self.new), (how, rows)
        left = "old" if rows == self.old else "new"
        with self.place.builder.project as project:
            last = project.history.runs(limit=1)[0]
        words = ("run", "p") if last.status is Status.COMPLETED else ("resume",)
        done = self.whole(*(["-p", "n=2"] if words[0] == "run" else []), words=words)
        assert self.rows == self.new, how
        for number in delta_log.versions(self.table):
            delta.dataset(self.table, number).count_rows()  # each of them can be read
        plan = self.place.builder.plan(n=2)
        assert plan.stage("make").reasons == (self.unchanged,), (how, plan.stage("make").reasons)
        ends = [event for event in done.of(AttemptEnded) if event.cause is None]
        for end in ends:
            assert end.outputs["silver"].version == delta_log.versions(self.table)[0]
        assert not list(self.table.rglob("*.incoming"))
        return left


@pytest.mark.long
def test_a_runner_that_is_killed_while_it_publishes(place: Place) -> None:
    cases = [(mode, *point) for mode in MODES for point in POINTS]
    chosen = place.random.sample(cases, amount(1, len(cases)))
    met: dict[str, int] = {}
    for mode, call, when in chosen:
        house = House(place, mode)
        running = house.start("-p", "n=2", orders={"around": call, "when": when})
        assert running.wait(60) == -signal.SIGKILL, (mode, call, when, running.said())
        left = house.go_on(f"{mode}: {when} {call}")
        if when == "after" and call in {"publish", "link"}:
            assert left == "new", (mode, call)
        met[left] = met.get(left, 0) + 1
    seen = ", ".join(f"{left} in {count}" for left, count in sorted(met.items()))
    figure("runner killed while it publishes a Delta table", f"{len(chosen)} of {len(cases)} places: {seen}")


@pytest.mark.long
def test_a_runner_that_is_killed_at_a_write_to_the_journal(place: Place) -> None:
    met: dict[str, int] = {}
    count = amount(1, 60)
    for _ in range(count):
        mode = place.random.choice(list(MODES))
        house = House(place, mode)
        at, when = place.random.randint(1, 9), place.random.choice(("before", "after"))
        running = house.start("-p", "n=2", orders={"at": at, "when": when, "what": "SIGKILL"})
        assert running.wait(60) in {0, -signal.SIGKILL}
        left = house.go_on(f"{mode}: {when} commit {at}, seed {SEED}")
        met[left] = met.get(left, 0) + 1
    seen = ", ".join(f"{left} in {number}" for left, number in sorted(met.items()))
    figure("runner killed at a write to the journal, with a Delta table", f"{count}: {seen}")


@pytest.mark.long
def test_a_runner_that_is_killed_at_any_moment(place: Place) -> None:
    met: dict[str, int] = {}
    count = amount(1, 80)
    house = House(place, "append")
    began = time.monotonic()
    house.whole("-p", "n=2")
    seconds = time.monotonic() - began
    for _ in range(count):
        house = House(place, place.random.choice(list(MODES)))
        running = house.start("-p", "n=2")
        after = place.random.uniform(0.3 * seconds, seconds)
        time.sleep(after)
        running.process.kill()
        running.wait(10)
        left = house.go_on(f"{house.mode}: after {after:.3f} s, seed {SEED}")
        met[left] = met.get(left, 0) + 1
    seen = ", ".join(f"{left} in {number}" for left, number in sorted(met.items()))
    figure("runner killed at a random moment, with a Delta table", f"{count}: {seen}")


@pytest.mark.long
def test_a_worker_that_is_killed_while_it_makes_a_version_ready(place: Place) -> None:
    count, died = amount(1, 40), 0
    for _ in range(count):
        house = House(place, place.random.choice(list(MODES)))
        running = house.start("-p", "n=2")
        worker = place.worker_of(running, "make")
        until(lambda running=running: running.of(CellEnded, "make"), 60, "the notebook ran")
        kill(worker)
        if running.wait(60):
            died += 1
            assert house.rows == house.old
        house.go_on(f"{house.mode}, seed {SEED}")
    figure(
        "worker killed while it makes a Delta table ready",
        f"{count}, {died} of them in time; nothing published",
    )
