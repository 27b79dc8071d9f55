"""Stages with a bookmark: they see only what is new, and the marks move with what is published and with nothing else."""

from __future__ import annotations

import json
import shutil
import sqlite3
from typing import Any

import pytest

from building import ProjectBuilder, ran
from commands import looked
from stagebook.events import AttemptEnded, Cause, Status
from stagebook.runs.run import RunReport
from stagebook.tables import delta

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]

INGEST = """
import json, pyarrow as pa, pyarrow.parquet as pq
from stagebook.connections import connect
rows = [json.loads(line) for path in months for line in connect("incoming").open(path)]
assert not any(row["n"] == 666 for row in rows), "no such row"
pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema([("n", pa.int64())])), bronze)
print("read", [path.rpartition("/")[2] for path in months])
"""
PIPELINE = """
stages:
  ingest:
    notebook: notebooks/ingest.ipynb
    executor: inprocess
    inputs: {{months: "incoming:{pattern}"}}
    bookmark: months
    outputs: {{bronze: {{path: data/bronze, kind: delta, {mode}}}}}
"""
COUNTS = """  count:
    notebook: notebooks/count.ipynb
    executor: inprocess
    inputs: {bronze: ingest.bronze}
    outputs: {total: data/total.txt}
"""
COUNT = """
import deltalake
open(total, "w").write(str(deltalake.DeltaTable(bronze).to_pyarrow_dataset().count_rows()))
"""


class Inbox:
    """A project whose stage `ingest` adds what is new in `incoming/` to a Delta table, and where it `counts`, another one
    counts the rows."""

    def __init__(self, builder: ProjectBuilder, mode: str = "mode: append", *, counts: bool = False) -> None:
        builder.without_tracking()
        builder.file("connections.toml", '[incoming]\nurl = "incoming"\n')
        builder.notebook("ingest", INGEST, params="months: list[str] = []\nbronze: str = ''")
        builder.notebook("count", COUNT, params="bronze: str = ''\ntotal: str = ''")
        builder.pipeline(PIPELINE.format(pattern="*.jsonl", mode=mode) + (COUNTS if counts else ""))
        self.builder = builder
        self.table = builder.root / "data/bronze"

    def put(self, name: str, *numbers: int) -> None:
        """Put a file there."""
        self.builder.file(f"incoming/{name}.jsonl", "".join(f'{{"n": {n}}}\n' for n in numbers))

    def run(self, **options: Any) -> RunReport:
        return self.builder.project.run("p", **options)

    def read(self, report: RunReport) -> list[str]:
        """The files that the notebook got in a run."""
        cells = self.builder.executed(report.run, "ingest")["cells"]
        outputs = (output for cell in cells for output in cell.get("outputs", ()))
        text = "".join("".join(output.get("text", "")) for output in outputs)
        return list(json.loads(text.removeprefix("read ").replace("'", '"')))

    @property
    def rows(self) -> list[int]:
        """The rows of the table."""
        return sorted(delta.dataset(self.table).to_table()["n"].to_pylist())

    @property
    def said(self) -> tuple[str, ...]:
        """What the plan says of the stage, its decision first."""
        stage = self.builder.plan().stage("ingest")
        return (str(stage.decision), *stage.reasons)

    def move(self, *words: str) -> str:
        """`stagebook bookmark …`; what it prints."""
        done = looked(self.builder.root, "bookmark", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.mark.long
def test_a_stage_gets_what_is_new_once(builder: ProjectBuilder) -> None:
    inbox = Inbox(builder, counts=True)
    inbox.put("01", 1, 2)
    inbox.put("02", 3)
    assert inbox.said == ("RUN", "no result yet", "reads all 2 of months")
    assert inbox.read(inbox.run()) == ["incoming:01.jsonl", "incoming:02.jsonl"]
    assert inbox.rows == [1, 2, 3]

    assert inbox.said == ("REUSE", "nothing is new in months")
    assert ran(inbox.run()) == []

    inbox.put("03", 4)
    assert inbox.said == ("RUN", "incoming:03.jsonl is new in months")
    report = inbox.run()
    assert (inbox.read(report), ran(report)) == (["incoming:03.jsonl"], ["ingest", "count"])
    ended = next(event for event in builder.events(report.run) if isinstance(event, AttemptEnded))
    assert [item.path for item in ended.inputs["months"]] == ["incoming:03.jsonl"]
    assert list((ended.bookmark or {})["marks"]) == ["incoming:03.jsonl"]
    assert inbox.rows == [1, 2, 3, 4]


@pytest.mark.long
def test_what_changed_is_read_again_and_what_is_gone_stays(builder: ProjectBuilder) -> None:
    inbox = Inbox(builder, "mode: merge, key: n")
    inbox.put("01", 1, 2)
    inbox.put("02", 3)
    inbox.run()
    inbox.put("02", 3, 4)
    (builder.root / "incoming/01.jsonl").unlink()
    what = "incoming:02.jsonl changed since it was read; incoming:01.jsonl is gone, and stays read"
    assert inbox.said == ("RUN", what)
    inbox.run()
    assert inbox.rows == [1, 2, 3, 4]
    (builder.root / "incoming/02.jsonl").unlink()
    assert inbox.said[0] == "REUSE", "an empty source is no mistake"
    assert ran(inbox.run()) == []
    assert inbox.rows == [1, 2, 3, 4]


@pytest.mark.long
def test_a_mark_moves_with_what_is_published_alone(builder: ProjectBuilder) -> None:
    inbox = Inbox(builder)
    inbox.put("01", 1)
    inbox.run()
    inbox.put("02", 2, 666)
    report = inbox.run()
    assert report.status is Status.FAILED
    inbox.put("03", 3)
    assert inbox.said == ("RUN", "incoming:02.jsonl and 1 more are new in months")
    inbox.put("02", 2)
    assert inbox.read(inbox.run()) == ["incoming:02.jsonl", "incoming:03.jsonl"]
    assert inbox.rows == [1, 2, 3]


@pytest.mark.long
def test_another_change_counts_for_what_comes_next(builder: ProjectBuilder) -> None:
    inbox = Inbox(builder)
    inbox.put("01", 1)
    inbox.run()
    builder.edit("ingest", "assert not", "rows = [{'n': -row['n']} for row in rows]; assert not")
    said = "nothing is new in months; what changed counts for what comes next: cell 2 changed"
    assert inbox.said == ("REUSE", said)
    inbox.put("02", 2)
    assert inbox.said == ("RUN", "incoming:02.jsonl is new in months", "cell 2 changed")
    inbox.run()
    assert inbox.rows == [-2, 1]
    assert inbox.said == ("REUSE", "nothing is new in months")


@pytest.mark.long
def test_it_reads_everything_where_its_output_is_gone(builder: ProjectBuilder) -> None:
    inbox = Inbox(builder)
    inbox.put("01", 1)
    inbox.run()
    inbox.put("02", 2)
    inbox.run()
    shutil.rmtree(inbox.table)
    assert ran(inbox.run()) == [], "it comes back out of the store"
    assert inbox.rows == [1, 2]
    shutil.rmtree(inbox.table)
    shutil.rmtree(builder.root / ".stagebook/store")
    report = inbox.run()
    assert inbox.read(report) == ["incoming:01.jsonl", "incoming:02.jsonl"]
    assert inbox.rows == [1, 2]


@pytest.mark.long
def test_what_is_read_again_takes_the_place_of_what_was_added(builder: ProjectBuilder) -> None:
    inbox = Inbox(builder)
    inbox.put("01", 1)
    first = inbox.run()
    for number in (2, 3):
        inbox.put(f"0{number}", number)
        inbox.run()
    shown = json.loads(inbox.move("show", "p", "ingest", "--json"))["bookmarks"][0]
    assert [item["name"] for item in shown["items"]] == [f"incoming:0{n}.jsonl" for n in (1, 2, 3)]
    assert shown["items"][0]["run"] == first.run
    assert "3 files" in inbox.move("list")

    assert "moved back: 2 marks of ingest" in inbox.move("rewind", "p", "ingest", "--to", first.run)
    assert inbox.said == ("RUN", "incoming:02.jsonl and 1 more are new in months")
    inbox.put("02", 20)
    inbox.put("04", 4)
    inbox.run()
    assert inbox.rows == [1, 3, 4, 20]

    # It was read together with 03 and 04: these are read again with it.
    assert "moved back: 3 marks" in inbox.move("rewind", "p", "ingest", "--item", "*/02*", "--item", "*:02*")
    inbox.run()
    assert inbox.rows == [1, 3, 4, 20]

    inbox.move("reset", "p", "ingest", "--because", "a new form")
    inbox.move("list")
    assert inbox.said == ("RUN", "reads all 4 of months")
    inbox.run()
    assert inbox.rows == [1, 3, 4, 20]
    assert inbox.said[0] == "REUSE"
    done = looked(builder.root, "bookmark", "rewind", "p", "ingest", "--item", "*.csv")
    assert done.returncode == 2
    assert "nothing that ingest has read fits *.csv" in done.stderr


@pytest.mark.long
def test_a_bookmark_moves_with_a_version_that_is_restored(builder: ProjectBuilder) -> None:
    inbox = Inbox(builder)
    for number in (1, 2):
        inbox.put(f"0{number}", number)
        inbox.run()
    done = looked(builder.root, "data", "restore", "p.ingest.bronze", "0")
    assert done.returncode == 0, done.stderr
    assert "the bookmark of ingest moved with it" in done.stdout
    assert inbox.rows == [1]
    assert inbox.said == ("RUN", "incoming:02.jsonl is new in months")
    inbox.put("03", 3)
    inbox.run()
    assert inbox.rows == [1, 2, 3]


SHOP = """
from stagebook.connections import connect
import pandas as pd
query = "SELECT id, at, price FROM orders WHERE at >= ?"
found = pd.read_sql(query, connect("shop").engine(), params=(since or "",))
print(since, len(found))
found.to_parquet(orders)
"""
COLUMN = """
stages:
  load:
    notebook: notebooks/load.ipynb
    connections: [shop]
    bookmark: {param: since, column: orders.COLUMN}
    outputs: {orders: {path: data/orders, kind: delta, mode: merge, key: id}}
"""


def shop(builder: ProjectBuilder, *rows: tuple[int, str, float]) -> None:
    with sqlite3.connect(builder.root / "shop.db") as database:
        database.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, at TEXT, price REAL)")
        database.executemany("INSERT OR REPLACE INTO orders VALUES (?, ?, ?)", rows)
    database.close()


@pytest.mark.long
def test_a_column_says_how_far_a_stage_has_read(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.file("connections.toml", '[shop]\nurl = "sqlite:///shop.db"\n')
    builder.notebook("load", SHOP, params="since: str | None = None\norders: str = ''")
    builder.pipeline(COLUMN.replace("COLUMN", "at"))
    shop(builder, (1, "2013-01-01", 5.0), (2, "2013-01-02", 6.0))

    def text(report: RunReport) -> str:
        cells = builder.executed(report.run, "load")["cells"]
        return "".join(cells[-1]["outputs"][0]["text"]).strip()

    assert builder.plan().stage("load").reasons == ("no result yet", "reads from the start")
    assert text(builder.project.run("p")) == "None 2"
    shop(builder, (2, "2013-01-02", 7.0), (3, "2013-01-05", 8.0))
    assert builder.plan().stage("load").reasons == ("reads what is new since 2013-01-02",)
    report = builder.project.run("p")
    assert text(report) == "2013-01-02 2"
    assert sorted(delta.dataset(builder.root / "data/orders").to_table()["price"].to_pylist()) == [
        5.0,
        7.0,
        8.0,
    ]
    assert text(builder.project.run("p")) == "2013-01-05 1"

    done = looked(builder.root, "bookmark", "rewind", "p", "load", "--value", "2013-01-01")
    assert done.returncode == 0, done.stderr
    assert text(builder.project.run("p")) == "2013-01-01 3"
    done = looked(builder.root, "bookmark", "list", "--json")
    assert json.loads(done.stdout)["bookmarks"][0]["items"][0]["mark"] == "2013-01-05"

    builder.pipeline(COLUMN.replace("COLUMN", "made"))
    report = builder.project.run("p")
    ended = next(event for event in builder.events(report.run) if isinstance(event, AttemptEnded))
    assert ended.cause is Cause.BOOKMARK
    assert ended.message.startswith(
        "pipelines/p.yaml:5: the bookmark in 'data/orders': there is no column 'made'"
    )


@pytest.mark.long
def test_quarantined_rows_count_as_read(builder: ProjectBuilder) -> None:
    inbox = Inbox(builder)
    rule = "{name: n, logicalType: integer, logicalTypeOptions: {maximum: 9}, customProperties: [{property: severity, value: quarantine}]}"
    builder.file(
        "contracts/p.ingest.bronze.yaml",
        "apiVersion: v3.2.0\nkind: DataContract\nid: p.ingest.bronze\nversion: 1.0.0\nstatus: active\n"
        f"schema:\n  - name: bronze\n    properties: [{rule}]\n",
    )
    inbox.put("01", 1, 10)
    inbox.run()
    inbox.put("02", 2)
    inbox.run()
    assert inbox.rows == [1, 2]
    # The contract lets more pass: what was written last is audited again, without reading anything.
    path = builder.root / "contracts/p.ingest.bronze.yaml"
    path.write_text(path.read_text().replace("maximum: 9", "maximum: 1"))
    assert inbox.said[0] == "AUDIT"
    inbox.run()
    assert inbox.rows == [1]
    assert inbox.said == ("REUSE", "nothing is new in months")
