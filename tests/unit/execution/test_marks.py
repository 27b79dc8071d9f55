"""How far the bookmark of a stage moves with the end of an attempt."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stagebook.events import Cause
from stagebook.execution.attempt import Attempt, AttemptResult, ColumnMark, OutputSlot
from stagebook.execution.runner.publication import with_marks
from stagebook.execution.worker.column_marks import NoMark, mark_of
from stagebook.planning.plan import News

FILES = News(input="months", items={"a": "1"})


def test_a_mark_moves_with_a_good_end_alone() -> None:
    assert with_marks(AttemptResult(), FILES).bookmark == {"marks": {"a": "1"}, "anew": False}
    assert with_marks(AttemptResult(cause=Cause.CONTRACT), FILES).bookmark is None
    assert with_marks(AttemptResult(), None).bookmark is None
    told = AttemptResult(bookmark={"marks": {"orders.at": 3}})
    assert with_marks(told, News(params={"since": 2}, anew=True)).bookmark == {
        "marks": {"orders.at": 3},
        "anew": True,
    }


def attempt(folder: Path, values: pa.Array, before: object = None) -> Attempt:
    pq.write_table(pa.table({"at": values}), folder / "staged.parquet")
    return Attempt(
        run="r", pipeline="p", stage="s", number=1, root=str(folder), folder=str(folder), notebook="n", executable="n",
        outputs={"out": OutputSlot(path="out.parquet", staged="staged.parquet")},
        mark=ColumnMark(output="out", column="at", before=before, place="p.yaml:3"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "largest"),
    [
        (pa.array([3, None, 7]), 7),
        (pa.array([1.5, float("nan"), float("inf")]), 1.5),
        (pa.array(["b", "a"]), "b"),
        (pa.array([0, 86_400_000_000], pa.timestamp("us")), "1970-01-02T00:00:00.000000"),
        (pa.array([0], pa.timestamp("us", "Europe/Berlin")), "1970-01-01T00:00:00.000000+00:00"),
        (pa.array([0, 1], pa.date32()), "1970-01-02"),
        (pa.array(["1.50", "12.25"]).cast(pa.decimal128(9, 2)), 12.25),
        (pa.array([2**40]), 2**40),
    ],
)
def test_the_largest_value_is_plain_data(tmp_path: Path, values: pa.Array, largest: object) -> None:
    assert mark_of(attempt(tmp_path, values)) == {"marks": {"out.at": largest}}


def test_it_never_goes_back(tmp_path: Path) -> None:
    assert mark_of(attempt(tmp_path, pa.array([3]), before=9)) == {"marks": {"out.at": 9}}
    assert mark_of(attempt(tmp_path, pa.array([], pa.int64()), before=9)) == {"marks": {"out.at": 9}}
    assert mark_of(attempt(tmp_path, pa.array([], pa.int64()))) == {"marks": {}}


@pytest.mark.parametrize(
    ("values", "before", "message"),
    [
        (
            pa.array([True]),
            None,
            "p.yaml:3: the bookmark in 'out.parquet': 'at' is BOOLEAN: a mark is a number, a time or",
        ),
        (
            pa.array([3]),
            "2013",
            "p.yaml:3: the largest at is 3 now, and was '2013', which cannot be compared",
        ),
    ],
)
def test_what_cannot_be_a_mark_is_told(
    tmp_path: Path, values: pa.Array, before: object, message: str
) -> None:
    with pytest.raises(NoMark, match="p") as told:
        mark_of(attempt(tmp_path, values, before))
    assert str(told.value).startswith(message)
