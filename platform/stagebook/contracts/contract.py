"""A contract as its file defines it: frozen values. What must hold of a dataset is a list of rules, each with a name
that stays the same as long as the rule does."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
from collections.abc import Mapping

from stagebook.audits import Severity
from stagebook.pipeline.model import Location, Positions

FOLDER = "contracts"


class Policy(enum.StrEnum):
    """What becomes of columns that the contract does not name: `freeze` breaks a rule, `evolve` takes them in,
    `discard_columns` leaves them out of what is published."""

    FREEZE = "freeze"
    EVOLVE = "evolve"
    DISCARD = "discard_columns"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a figure must be. `low` and `high` are the ends of a range, `None` where it is open; `strict_low` and
    `strict_high` say that the end itself is outside. `inverted`: the figure must be outside of the range. `percent`:
    the figure is a share of the rows, in percent."""

    low: float | None = None
    high: float | None = None
    strict_low: bool = False
    strict_high: bool = False
    inverted: bool = False
    percent: bool = False

    def holds(self, figure: float) -> bool:
        """Whether a figure is as it must be."""
        above = self.low is None or (figure > self.low if self.strict_low else figure >= self.low)
        below = self.high is None or (figure < self.high if self.strict_high else figure <= self.high)
        return (above and below) is not self.inverted

    def __str__(self) -> str:
        unit = " %" if self.percent else ""
        if self.low is not None and self.low == self.high:
            return f"{'not ' if self.inverted else ''}{self.low:g}{unit}"
        if self.low is not None and self.high is not None:
            return f"{'not ' if self.inverted else ''}from {self.low:g} to {self.high:g}{unit}"
        if self.low is not None:
            return f"{'more than' if self.strict_low else 'at least'} {self.low:g}{unit}"
        return f"{'less than' if self.strict_high else 'at most'} {self.high:g}{unit}"


NONE = Bound(low=0, high=0)  # as many rows may break a rule where the file says nothing else


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that must hold. `text` says it in words; `location` is its place in the file."""

    name: str
    text: str
    severity: Severity
    location: Location
    columns: tuple[str, ...] = ()
    bound: Bound = NONE


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRule(Rule):
    """A column is there, and of a type: `logical` of the standard, or `physical` of DuckDB, or any."""

    logical: str = ""
    physical: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ColumnsRule(Rule):
    """No column is there that the contract does not name."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RowRule(Rule):
    """Something holds for each row. `good` is a condition of SQL; a row for which it is unknown, such as one without a
    value, is good."""

    good: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UniqueRule(Rule):
    """No two rows have the same values of `columns`. Of several rows with the same all but the first break it; rows
    in which one of them is null break none."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeyRule(Rule):
    """The values of `columns` are among those of `key`, columns of another dataset; nulls break nothing."""

    dataset: str
    key: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RowsRule(Rule):
    """The number of rows is as `bound` says."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FreshRule(Rule):
    """The latest value of a column is at most `within` seconds before the audit."""

    within: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DriftRule(Rule):
    """The values of a column are distributed in each stretch of time as in all those before it: their distance is as `bound`
    says. `columns` are this column and that of time, which is cut into stretches by `every` (a day, …; empty: a month of dates
    and times, else each value by itself). Stretches of fewer than `minimum` rows are not compared. `last`: so many stretches,
    the latest, are; 0 for all."""

    every: str
    minimum: int
    last: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class QueryRule(Rule):
    """A query of SQL over the dataset (`${table}`) and others of the project, by their names in double quotes, gives
    one number as `bound` says."""

    query: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRule(Rule):
    """A function of the project takes the dataset as a pandas DataFrame, and returns what is wrong, if anything is. `target`
    is `path/to/file.py:name`."""

    target: str


def rule_digest(rule: Rule) -> str:
    """SHA-256 of what a rule checks, in hex: its words and its place say nothing."""
    checked = {
        key: value for key, value in dataclasses.asdict(rule).items() if key not in {"text", "location"}
    }
    text = json.dumps([type(rule).__name__, checked], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column that a contract names. `personal`: its values are never shown."""

    name: str
    description: str = ""
    logical: str = ""
    physical: str = ""
    required: bool = False
    personal: bool = False
    tags: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What must hold of one dataset.

    Args:
        dataset: its `id`: `pipeline.stage.output`, or any name where pipelines attach it by its path.
        path: the file's path relative to the project root.
        digest: SHA-256 of what the file says; that of another order of keys or of comments is the same.
        table: the name of the table: that within a database, else free.
        not_checked: what the file says that nothing is checked by, in words.
        released: rows that are admitted though they break rules: by their ids, the names of these rules.
        source: the text of the file.
    """

    dataset: str
    path: str
    digest: str
    version: str
    table: str = ""
    name: str = ""
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    policy: Policy = Policy.EVOLVE
    columns: Mapping[str, Column] = dataclasses.field(default_factory=dict)
    key: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    not_checked: tuple[str, ...] = ()
    released: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    positions: Positions = dataclasses.field(default_factory=dict)
    source: str = dataclasses.field(default="", repr=False, compare=False)

    @property
    def personal(self) -> tuple[str, ...]:
        """The columns whose values are never shown."""
        return tuple(name for name, column in self.columns.items() if column.personal)
