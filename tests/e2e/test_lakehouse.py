"""Delta tables among the outputs of stages: one version for what was published, and none for what was not."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from building import ProjectBuilder, ran
from commands import stagebook
from stagebook.events import AttemptEnded, Cause, Status
from stagebook.planning.select import Selection
from stagebook.runs.run import RunReport
from stagebook.system import delta_log
from stagebook.tables import delta

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]

MAKE = """
import pyarrow as pa, pyarrow.parquet as pq
rows = {"id": ids, "m": [n % 2 for n in ids], "x": [float(n) for n in ids]}
pq.write_table(pa.table(rows), silver)
"""
COUNT = """
import deltalake
count = deltalake.DeltaTable(silver).to_pyarrow_dataset().count_rows()
open(total, "w").write(str(count))
"""
PIPELINE = """
params: {{ids: {{type: "list[int]", default: [1, 2, 3]}}}}
stages:
  make:
    notebook: notebooks/make.ipynb
    params: {{ids: "${{params.ids}}"}}
    outputs: {{silver: {{path: data/silver, kind: delta{options}}}}}
  count:
    notebook: notebooks/count.ipynb
    inputs: {{silver: make.silver}}
    outputs: {{total: data/total.txt}}
"""
CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: p.make.silver
version: 1.0.0
status: active
schema:
  - name: silver
    customProperties: [{property: schemaPolicy, value: POLICY}]
    properties:
      - {name: id, logicalType: integer, unique: true}
      - name: x
        logicalType: number
        logicalTypeOptions: {maximum: MOST}
        customProperties: [{property: severity, value: SEVERITY}]
"""


class Lakehouse:
    """A project whose stage `make` writes a Delta table, and `count` counts its rows."""

    def __init__(self, builder: ProjectBuilder, options: str = "") -> None:
        builder.without_tracking()
        builder.notebook("make", MAKE, params="ids: list[int] = []\nsilver: str = ''")
        builder.notebook("count", COUNT, params="silver: str = ''\ntotal: str = ''")
        self.builder = builder
        self.table = builder.root / "data/silver"
        self.declare(options)

    def declare(self, options: str) -> None:
        """The options of the output."""
        self.builder.pipeline(PIPELINE.format(options=f", {options}" if options else ""))

    def contract(self, severity: str = "fail", most: int = 100, policy: str = "evolve") -> None:
        """Write the contract of the table."""
        text = CONTRACT.replace("SEVERITY", severity).replace("MOST", str(most)).replace("POLICY", policy)
        self.builder.file("contracts/p.make.silver.yaml", text)

    def run(self, *ids: int, **options: Any) -> RunReport:
        """Run it with these rows; the default ones if there are none."""
        return self.builder.project.run("p", {"ids": list(ids)} if ids else {}, **options)

    @property
    def ids(self) -> list[int]:
        """The rows of the table."""
        return sorted(delta.dataset(self.table).to_table()["id"].to_pylist())

    @property
    def versions(self) -> list[int]:
        return delta_log.versions(self.table)

    @property
    def total(self) -> str:
        return (self.builder.root / "data/total.txt").read_text()

    def end(self, report: RunReport) -> AttemptEnded:
        """How the stage that makes the table ended."""
        ended = [event for event in self.builder.events(report.run) if isinstance(event, AttemptEnded)]
        return next(event for event in ended if event.stage == "make")


@pytest.mark.long
def test_a_table_is_overwritten_reused_and_restored(builder: ProjectBuilder) -> None:
    house = Lakehouse(builder)
    report = house.run()
    assert ran(report) == ["make", "count"]
    assert (house.ids, house.versions, house.total) == ([1, 2, 3], [0], "3")
    note = delta_log.note(house.table, 0)
    assert (note["run"], note["stage"], note["attempt"]) == (report.run, "make", 1)
    assert house.end(report).outputs["silver"].version == 0

    assert ran(house.run()) == []
    assert ran(house.run(selection=Selection(only=("make",)), force=True)) == ["make"], (
        "equal content: no version, and nothing after it runs"
    )
    assert house.versions == [0]

    assert ran(house.run(4, 5)) == ["make", "count"]
    assert (house.ids, house.versions, house.total) == ([4, 5], [1, 0], "2")

    assert ran(house.run()) == [], "as in the run before: it comes out of the store, as a new version"
    assert (house.ids, house.versions, house.total) == ([1, 2, 3], [2, 1, 0], "3")

    shutil.rmtree(house.table)
    assert ran(house.run()) == []
    assert (house.ids, house.versions) == ([1, 2, 3], [0])


@pytest.mark.long
def test_rows_are_added_once(builder: ProjectBuilder) -> None:
    house = Lakehouse(builder, "mode: append")
    house.run(1, 2)
    assert ran(house.run(1, 2)) == []
    assert house.ids == [1, 2]
    assert ran(house.run(3)) == ["make", "count"]
    assert (house.ids, house.total) == ([1, 2, 3], "3")
    assert ran(house.run(1, 2)) == ["make", "count"], "rows that came since are not taken back"
    assert house.ids == [1, 1, 2, 2, 3]
    shutil.rmtree(house.table)
    assert ran(house.run(1, 2)) == []
    assert house.ids == [1, 1, 2, 2, 3]


@pytest.mark.long
def test_partitions_and_keys(builder: ProjectBuilder) -> None:
    house = Lakehouse(builder, "partition_by: m")
    house.run(1, 2, 3)
    house.run(5)
    assert house.ids == [2, 5]
    assert ran(house.run(1, 2, 3)) == ["make"], "the table is what it was, and so is what follows"
    assert (house.ids, house.total) == ([1, 2, 3], "3")
    shutil.rmtree(house.table)
    house.declare("mode: merge, key: id")
    house.run(1, 2)
    house.run(2, 7)
    assert house.ids == [1, 2, 7]


@pytest.mark.long
def test_a_failed_stage_or_contract_leaves_no_version(builder: ProjectBuilder) -> None:
    house = Lakehouse(builder, "mode: append")
    house.contract()
    house.run(1)
    report = house.run(2, 200)
    assert report.status is Status.FAILED
    assert house.end(report).cause is Cause.CONTRACT
    assert (house.ids, house.versions) == ([1], [0])
    builder.edit("make", "pq.write_table", "raise ValueError; pq.write_table")
    assert house.run(3).status is Status.FAILED
    assert (house.ids, house.versions) == ([1], [0])
    data = list(house.table.rglob("*.parquet"))
    assert len(data) == 1, "nothing is left beside the data of the version"


@pytest.mark.long
def test_a_changed_contract_publishes_other_rows_of_the_same_attempt(builder: ProjectBuilder) -> None:
    house = Lakehouse(builder, "mode: append")
    house.contract("quarantine", most=2)
    house.run(1)
    house.run(2, 3, 4)
    assert house.ids == [1, 2]
    house.contract("quarantine", most=3)
    plan = builder.plan(ids=[2, 3, 4])
    assert "the notebook does not run" in plan.stage("make").reasons[0]
    report = house.run(2, 3, 4)
    assert house.end(report).cause is None
    assert (house.ids, house.versions) == ([1, 2, 3], [2, 1, 0])
    assert ran(house.run(2, 3, 4)) == []
    (builder.root / "contracts/p.make.silver.yaml").unlink()
    house.run(2, 3, 4)
    assert house.ids == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("policy", "columns"), [("evolve", {"id", "m", "x"}), ("discard_columns", {"id", "x"}), ("freeze", None)]
)
@pytest.mark.long
def test_columns_follow_the_policy_of_the_contract(
    builder: ProjectBuilder, policy: str, columns: set[str] | None
) -> None:
    house = Lakehouse(builder, "mode: append")
    house.contract(policy=policy)
    report = house.run(1)
    if columns is None:
        assert house.end(report).cause is Cause.CONTRACT
        assert not house.versions
        return
    builder.edit("make", '"x": [', '"new": [1.5 for n in ids], "x": [')
    house.run(2)
    found = delta.dataset(house.table).schema.names
    assert set(found) == columns | ({"new"} if policy == "evolve" else set())
    assert house.ids == [1, 2]


@pytest.mark.long
def test_what_goes_wrong_is_told_with_its_place(builder: ProjectBuilder) -> None:
    house = Lakehouse(builder, "partition_by: mm")
    report = house.run()
    end = house.end(report)
    assert end.cause is Cause.TABLE
    assert end.message == (
        "pipelines/p.yaml:6: the output 'silver' (data/silver): partition_by names mm, which the stage did not write;"
        " did you mean 'm'?"
    )
    assert not house.table.exists()
    house.declare("")
    builder.edit("make", "pq.write_table", "0 and pq.write_table")
    end = house.end(house.run())
    assert end.cause is Cause.OUTPUT_MISSING
    builder.file("data/silver/mine.txt", "mine")
    done = stagebook(builder.root, "run", "p")
    assert done.returncode == 2
    assert "'data/silver' holds something else than a Delta table" in done.stdout + done.stderr


def test_a_table_that_the_notebook_writes_as_one(builder: ProjectBuilder) -> None:
    house = Lakehouse(builder)
    builder.edit(
        "make",
        "pq.write_table(pa.table(rows), silver)",
        "import deltalake; deltalake.write_deltalake(silver, pa.table(rows))",
    )
    house.run()
    assert (house.ids, house.versions) == ([1, 2, 3], [0])


@pytest.mark.long
def test_a_change_that_no_run_made_is_told_and_built_on(builder: ProjectBuilder) -> None:
    import deltalake

    house = Lakehouse(builder, "mode: append")
    house.run(1)
    deltalake.write_deltalake(house.table, delta.dataset(house.table).head(1), mode="append")
    assert builder.plan(ids=[1]).stage("make").reasons == (
        "nothing changed",
        "restores data/silver over a change that no run made",
    )
    assert ran(house.run(3)) == ["make", "count"]
    assert house.ids == [1, 1, 3]


@pytest.mark.long
def test_a_data_file_that_was_changed_or_removed_comes_back(builder: ProjectBuilder) -> None:
    house = Lakehouse(builder)
    house.run()
    for damage in ("change", "remove"):
        (data,) = house.table.glob("*.parquet")
        content = data.read_bytes()
        if damage == "change":
            data.write_bytes(content[:50] + b"damaged" + content[57:])
        else:
            data.unlink()
        assert "restores data/silver" in builder.plan().stage("make").reasons
        assert ran(house.run()) == []
        assert data.read_bytes() == content
        assert (house.ids, house.versions) == ([1, 2, 3], [0])


@pytest.mark.long
def test_a_torn_log_is_left_alone(builder: ProjectBuilder) -> None:
    house = Lakehouse(builder, "mode: append")
    house.run(1)
    house.run(2)
    torn = delta_log.commit_path(house.table, 1)
    torn.write_bytes(torn.read_bytes()[:40])
    before = sorted(house.table.rglob("*"))
    report = house.run(2)
    assert report.status is Status.FAILED
    assert "move its folder away" in report.history.stages["make"].reason
    assert sorted(house.table.rglob("*")) == before
    house.table.rename(builder.root / "aside")
    assert ran(house.run(2)) == []
    assert house.ids == [1, 2]


@pytest.mark.long
def test_json_names_the_version(builder: ProjectBuilder) -> None:
    house = Lakehouse(builder)
    done = stagebook(builder.root, "run", "p", "--json")
    ends = [json.loads(line) for line in done.stdout.splitlines() if '"AttemptEnded"' in line]
    assert ends[0]["outputs"]["silver"]["version"] == 0
    assert house.ids == [1, 2, 3]
