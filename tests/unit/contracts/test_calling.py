"""Checks that are code of the project: functions, and schemas of pandera."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from stagebook.contracts.calling import caller

SCHEMAS = """
import pandera.pandas as pa

Flights = pa.DataFrameSchema(
    {"id": pa.Column(int, unique=True), "speed": pa.Column(float, pa.Check.le(200), nullable=True)},
    checks=pa.Check(lambda frame: len(frame) > 1, name="rows"),
)


class Model(pa.DataFrameModel):
    id: int = pa.Field(ge=1)


def few(frame):
    return f"{len(frame)} rows" if len(frame) > 2 else None
"""
BAD = pd.DataFrame({"id": [1, 2, 2], "speed": [1.0, None, 1048.0]})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a module of checks."""
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks/all.py").write_text(SCHEMAS)
    return tmp_path


@pytest.mark.filterwarnings("default")
def test_a_schema_of_pandera_says_what_is_wrong_without_values(root: Path) -> None:
    call = caller(root)
    said = call("checks/all.py:Flights", BAD)
    assert said == "id: field_uniqueness (2); speed: less_than_or_equal_to(200) (1)"
    assert call("checks/all.py:Flights", BAD.head(2)) == ""
    assert "column_in_dataframe" in call("checks/all.py:Flights", BAD[["id"]])
    assert call("checks/all.py:Model", BAD) == ""
    assert call("checks/all.py:Model", pd.DataFrame({"id": [0]})) == "id: greater_than_or_equal_to(1) (1)"


def test_a_function_says_what_is_wrong(root: Path) -> None:
    call = caller(root)
    assert call("checks/all.py:few", BAD) == "3 rows"
    assert call("checks/all.py:few", BAD.head(1)) is None
    with pytest.raises(AttributeError, match="nothing"):
        call("checks/all.py:nothing", BAD)
    with pytest.raises(FileNotFoundError):
        call("checks/other.py:few", BAD)
