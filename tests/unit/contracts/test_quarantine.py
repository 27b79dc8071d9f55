"""Rows are set apart by the rules that they break: what is published, and what is in quarantine, is what a plain look at each
row gives, also where a person released some of them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.contracts.audit import audit
from stagebook.contracts.contract import Contract
from stagebook.contracts.loader import load_contract
from stagebook.contracts.probe import Surroundings
from stagebook.contracts.quarantine import BROKEN, ID, ROW, RUN, SOURCE, Split, Target, passing, split
from stagebook.contracts.released import with_released
from stagebook.tables.source import source_of

CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: p.make.out
version: 1.0.0
status: active
schema:
  - name: out
    customProperties: [{property: severity, value: quarantine}, {property: schemaPolicy, value: POLICY}]
    properties:
      - {name: id, logicalType: integer, unique: true}
      - {name: speed, logicalType: number, logicalTypeOptions: {maximum: 2}}
"""
Row = tuple[int, float | None, str]
ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([None, 0.0, 1.0, 3.0]), st.sampled_from("ab")), max_size=8
)


def contract_of(policy: str = "evolve") -> Contract:
    loaded = load_contract(CONTRACT.replace("POLICY", policy), "contracts/c.yaml")
    assert loaded.problems == ()
    return loaded.contract


def broken_by(rows: Sequence[Row]) -> list[set[str]]:
    """The rules that each row breaks."""
    seen: set[int] = set()
    found = []
    for number, speed, _ in rows:
        broken = {"id.unique"} if number in seen else set()
        seen.add(number)
        found.append(broken | ({"speed.range"} if speed is not None and speed > 2 else set()))
    return found


class Place:
    """A file with rows in a folder, and what it is split into."""

    def __init__(self, folder: Path, rows: Sequence[Row]) -> None:
        self.folder = folder
        (folder / "spill").mkdir()
        columns = list(zip(*rows, strict=True)) or [(), (), ()]
        kinds = {"id": pa.int64(), "speed": pa.float64(), "extra": pa.string()}
        table = pa.table(
            {name: pa.array(column, kinds[name]) for name, column in zip(kinds, columns, strict=True)}
        )
        pq.write_table(table, folder / "out.parquet")
        self.around = Surroundings(spill=folder / "spill")
        self.source = source_of(folder / "out.parquet")

    def split(self, contract: Contract) -> Split:
        """Split it, as a worker does."""
        target = Target(
            good=self.folder / "good.parquet",
            rejected=self.folder / "rejected.parquet",
            dataset="p.make@1.out",
            run="r",
        )
        return split(contract, audit(contract, self.source, self.around), self.source, target, self.around)

    def passing(self, contract: Contract) -> int:
        """How many rows of the last split pass a contract."""
        found = audit(contract, self.source, self.around)
        rejected = source_of(self.folder / "rejected.parquet")
        return passing(contract, found, self.source, rejected, self.around)

    @property
    def good(self) -> list[Row]:
        return [tuple(row.values()) for row in pq.read_table(self.folder / "good.parquet").to_pylist()]  # type: ignore[misc]

    @property
    def rejected(self) -> dict[int, dict[str, Any]]:
        """By the number of each in the file, from 1."""
        path = self.folder / "rejected.parquet"
        return {row[ROW]: row for row in pq.read_table(path).to_pylist()} if path.exists() else {}


@settings(max_examples=15, deadline=None)
@given(rows=ROWS, admitted=st.lists(st.sampled_from(["none", "some", "all"]), min_size=8, max_size=8))
def test_what_breaks_no_rule_or_was_released_for_all_that_it_breaks_is_published(
    rows: list[Row], admitted: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), rows)
        contract = contract_of()
        done = place.split(contract)
        broken = broken_by(rows)
        assert place.good == [row for row, rules in zip(rows, broken, strict=True) if not rules]
        apart = place.rejected
        assert {number: set(row[BROKEN]) for number, row in apart.items()} == {
            number: rules for number, rules in enumerate(broken, 1) if rules
        }
        assert done == Split(rejected=len(apart))
        for number, row in apart.items():
            assert (row["id"], row["speed"], row["extra"]) == rows[number - 1]
            assert (row[SOURCE], row[RUN]) == ("p.make@1.out", "r")
        if not apart:
            return
        may: dict[str, set[str]] = {}
        for how, row in zip(admitted, apart.values(), strict=False):
            if how != "none":
                may.setdefault(row[ID], set()).update(row[BROKEN][: 1 if how == "some" else None])
        released = with_released(contract, {row: sorted(rules) for row, rules in may.items()})
        free = {number for number, row in apart.items() if set(row[BROKEN]) <= may.get(row[ID], set())}
        assert place.passing(released) == len(free)
        done = place.split(released)
        assert place.good == [
            row
            for number, (row, rules) in enumerate(zip(rows, broken, strict=True), 1)
            if not rules or number in free
        ]
        assert set(place.rejected) == set(apart) - free
        assert done == Split(rejected=len(apart) - len(free), released=len(free))


def ids(rows: Sequence[Row]) -> Mapping[int, str]:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), rows)
        place.split(contract_of())
        return {number: row[ID] for number, row in place.rejected.items()}


def test_a_row_is_known_by_its_content_wherever_it_is() -> None:
    found = ids([(1, 9.0, "a"), (2, 0.0, "a"), (2, 0.0, "a"), (3, 9.0, "b")])
    again = ids([(3, 9.0, "b"), (1, 9.0, "a"), (3, 9.0, "c")])
    assert (again[1], again[2]) == (found[4], found[1])
    assert len({*found.values(), *again.values()}) == 4


def test_columns_that_are_left_out_are_kept_in_quarantine(tmp_path: Path) -> None:
    place = Place(tmp_path, [(1, 9.0, "a"), (2, 0.0, "b")])
    place.split(contract_of("discard_columns"))
    assert place.good == [(2, 0.0)]
    assert place.rejected[1]["extra"] == "a"


def test_a_row_that_was_released_for_one_rule_and_breaks_another_stays(tmp_path: Path) -> None:
    place = Place(tmp_path, [(1, 0.0, "a"), (1, 9.0, "b")])
    contract = contract_of()
    place.split(contract)
    (row,) = place.rejected.values()
    assert set(row[BROKEN]) == {"id.unique", "speed.range"}
    assert place.split(with_released(contract, {row[ID]: ["speed.range"]})) == Split(rejected=1)
    assert place.good == [(1, 0.0, "a")]
    assert place.split(with_released(contract, {row[ID]: row[BROKEN]})) == Split(rejected=0, released=1)
    assert (place.good, place.rejected) == ([(1, 0.0, "a"), (1, 9.0, "b")], {})
