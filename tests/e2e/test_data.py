"""`stagebook data`: datasets of every kind by their names, and their versions."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder, ran
from commands import environment, looked, stagebook
from stagebook.system import delta_log
from stagebook.tables import delta

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]

MAKE = """
import pandas as pd
frame = pd.DataFrame({"id": range(n), "name": [f"name {i}" for i in range(n)], "w": [i / n for i in range(n)]})
frame.to_parquet(silver)
frame.to_csv(text, index=False)
frame.to_parquet(pq)
"""
EACH = """
import pandas as pd
pd.DataFrame({"m": [m], "n": [10 * m]}).to_json(out, orient="records", lines=True)
"""
PIPELINE = """
params: {n: 3}
stages:
  make:
    notebook: notebooks/make.ipynb
    executor: inprocess
    params: {n: "${params.n}"}
    outputs:
      silver: {path: data/silver, kind: delta}
      text: data/text.csv
      pq: data/pq.parquet
  each:
    notebook: notebooks/each.ipynb
    executor: inprocess
    matrix: {m: [1, 2]}
    params: {m: "${matrix.m}"}
    outputs: {out: "data/each-${matrix.m}.jsonl"}
"""
CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: p.make.pq
version: 1.0.0
status: active
schema:
  - name: pq
    properties:
      - {name: id, logicalType: integer, primaryKey: true}
      - {name: name, logicalType: string, classification: personal}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectBuilder]:
    """A project with two versions of what the stage `make` writes, and one of `each`."""
    builder = ProjectBuilder(tmp_path_factory.mktemp("data"))
    builder.without_tracking()
    builder.notebook("make", MAKE, params="n: int = 0\nsilver = ''\ntext = ''\npq = ''")
    builder.notebook("each", EACH, params="m: int = 0\nout = ''")
    builder.pipeline(PIPELINE)
    builder.file("contracts/p.make.pq.yaml", CONTRACT)
    for n in (2, 3):
        report = builder.project.run("p", {"n": n})
        assert report.status == "completed", report.history
    yield builder
    builder.close()


def said(project: ProjectBuilder, *arguments: str, code: int = 0, width: int = 80) -> str:
    """What a command says."""
    if arguments[0] in {"list", "restore"}:
        done = stagebook(project.root, "data", *arguments, env=environment(COLUMNS=str(width)))
    else:
        done = looked(project.root, "data", *arguments, COLUMNS=str(width))
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def values(project: ProjectBuilder, *arguments: str) -> Any:
    return json.loads(said(project, *arguments, "--json"))


@pytest.mark.long
def test_every_dataset_is_listed(project: ProjectBuilder) -> None:
    found = {one["name"]: one for one in values(project, "list")["datasets"]}
    assert {name: (one["kind"], one["rows"]) for name, one in found.items()} == {
        "p.make.silver": ("delta", 3),
        "p.make.text": ("file", 3),
        "p.make.pq": ("file", 3),
        "p.each@1.out": ("file", 1),
        "p.each@2.out": ("file", 1),
    }
    screen = said(project, "list")
    assert all(len(line) <= 80 for line in screen.splitlines())
    assert re.search(r"p\.make\.silver +delta +3 +1 +just now", screen)


@pytest.mark.long
def test_sql_asks_all_kinds_by_name(project: ProjectBuilder) -> None:
    query = """
        SELECT count(*) AS n, sum(s.w) AS w FROM "p.make.silver" s JOIN p.make.text t USING (id)
        JOIN "p.make.pq" USING (id) -- 'p.make.none'
        WHERE t.id >= 0 AND 'p.make.silver' = 'p.make.silver'
    """
    assert values(project, "sql", query)["rows"] == [[3, 1.0]]
    assert values(project, "sql", "SELECT sum(n) FROM p.each.out")["rows"] == [[30]]
    assert values(project, "sql", 'SELECT n FROM "p.each@2.out";')["rows"] == [[20]]
    rows = list(csv.reader(io.StringIO(said(project, "sql", "FROM p.make.text ORDER BY id", "--csv"))))
    assert rows[:2] == [["id", "name", "w"], ["0", "name 0", "0.0"]]


@pytest.mark.long
def test_sql_asks_older_versions(project: ProjectBuilder) -> None:
    for name in ("silver", "text", "pq"):
        versions = values(project, "history", f"make.{name}")["versions"]
        assert [one["rows"] for one in versions] == [3, 2]
        assert [one["is_present"] for one in versions] == [True, False]
        old, run = versions[1]["number"], versions[1]["run"]
        for at in (f"AT (VERSION => {old})", f"at(run => '{run}')"):
            query = f'SELECT count(*) FROM "p.make.{name}" {at}'
            assert values(project, "sql", query)["rows"] == [[2]], (name, at)
    numbers = [one["number"] for one in values(project, "history", "p.make.silver")["versions"]]
    assert numbers == [1, 0]
    both = (
        "SELECT (SELECT count(*) FROM p.make.silver) - (SELECT count(*) FROM p.make.silver AT (VERSION => 0))"
    )
    assert values(project, "sql", both)["rows"] == [[1]]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("DELETE FROM p.make.silver", "it is not one SELECT"),
        ("SELECT 1; SELECT 2", "it is not one SELECT"),
        ("COPY (SELECT 1) TO 'x.csv'", "it is not one SELECT"),
        ("SELECT * FROM read_csv('/etc/passwd')", "Permission Error"),
        ("SELECT * FROM 'data/pq.parquet'", "Permission Error"),
        ("SELEC 1", "syntax error"),
        ('SELECT * FROM "p.make.silvr"', "did you mean 'p.make.silver'"),
        ('SELECT * FROM "p.make.silver" AT (VERSION => 7)', "has no version '7'"),
        ('SELECT * FROM "p.each.out" AT (VERSION => 1)', "is of several instances"),
        ("SELECT nothing FROM p.make.pq", "nothing"),
    ],
)
def test_what_cannot_be_asked_is_told(project: ProjectBuilder, query: str, message: str) -> None:
    before = sorted(str(path) for path in (project.root / "data").rglob("*"))
    assert message in said(project, "sql", query, code=2)
    assert sorted(str(path) for path in (project.root / "data").rglob("*")) == before


def test_rows_fit_into_a_terminal(project: ProjectBuilder) -> None:
    many = ", ".join(f"{at} AS a_column_with_a_name_{at}" for at in range(20))
    screen = said(project, "sql", f"SELECT {many} FROM p.make.pq")
    assert all(len(line) <= 80 for line in screen.splitlines() if "columns:" not in line)
    assert "a_column_with_a_name_19" in screen
    one = said(project, "sql", f"SELECT {many} FROM p.make.pq LIMIT 1").splitlines()
    assert one[0].split() == ["a_column_with_a_name_0", "0"]
    assert len(one) == 20
    assert "no rows" in said(project, "sql", "SELECT * FROM p.make.pq WHERE false")
    screen = said(project, "sql", "FROM range(7)", "--limit", "5")
    assert "the first 5 rows" in screen


def test_show_masks_what_is_personal(project: ProjectBuilder) -> None:
    screen = said(project, "show", "make.pq")
    assert "name 1" not in screen
    assert "•••" in screen
    assert "3 rows" in screen
    assert "name 1" in said(project, "show", "p.make.text")


def test_versions_are_compared(project: ProjectBuilder) -> None:
    found = values(project, "diff", "p.make.pq")
    assert found["counts"] == [2, 3]
    rows = found["rows"]
    assert (rows["key"], rows["added"], rows["removed"], rows["changed"]) == (["id"], 1, 0, 1)
    assert rows["columns"] == {"w": 1}
    assert rows["samples"]["added"][0]["name"] == "•••"
    found = values(project, "diff", "make.silver", "1", "0")["rows"]
    assert (found["key"], found["added"], found["removed"]) == ([], 1, 2)
    found = values(project, "diff", "make.text", "--key", "id")["rows"]
    assert (found["added"], found["changed"]) == (1, 1)
    assert "rows by id: 1 added, 1 changed" in said(project, "diff", "make.text", "--key", "id")
    assert "no column idd" in said(project, "diff", "make.text", "--key", "idd", code=2)
    assert "nothing to compare" in said(project, "diff", "p.each@1.out", code=2)


def test_an_unknown_dataset_is_told(project: ProjectBuilder) -> None:
    assert "did you mean 'p.make.silver'" in said(project, "history", "p.make.silvr", code=2)


@pytest.mark.long
def test_a_version_is_restored_and_stays(project: ProjectBuilder) -> None:
    def ids(name: str) -> list[int]:
        path = project.root / "data" / name
        table = delta.dataset(path).to_table()
        return sorted(table["id"].to_pylist())

    text = project.root / "data/text.csv"
    old = values(project, "history", "make.text")["versions"][1]["number"]
    for name, number in (("make.silver", "0"), ("make.text", str(old))):
        assert f"what it was in version {number}" in said(project, "restore", name, number)
    assert ids("silver") == [0, 1]
    assert len(text.read_text().splitlines()) == 3
    assert [one["number"] for one in values(project, "history", "make.silver")["versions"]] == [2, 1, 0]
    plan = project.plan(n=3).stage("make")
    assert plan.reasons[0].startswith("accepted: version")
    assert ran(project.project.run("p", {"n": 3})) == []
    assert ids("silver") == [0, 1]
    assert "is the present one" in said(project, "restore", "make.silver", "2", code=2)
    said(project, "restore", "make.silver", "1")
    assert ids("silver") == [0, 1, 2]


def test_removed_data_files_come_out_of_the_store(project: ProjectBuilder, tmp_path: Path) -> None:
    table = project.root / "data/silver"
    present = set(delta.state(table).files)
    for file in table.glob("*.parquet"):
        if file.name not in present:
            file.rename(tmp_path / file.name)
    rows = values(project, "sql", "SELECT count(*) FROM p.make.silver AT (VERSION => 0)")["rows"]
    assert rows == [[2]]
    content = delta_log.note(table, 0)["content"].removesuffix("/")
    project.project.store.blobs.remove(content)
    query = "SELECT count(*) FROM p.make.silver AT (VERSION => 0)"
    assert "at version 0 cannot be read: it is not in the store" in said(project, "sql", query, code=2)
    assert "data files of version 0 were removed" in said(project, "restore", "make.silver", "0", code=2)
