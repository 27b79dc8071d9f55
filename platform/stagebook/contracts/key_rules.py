"""Keys into other datasets: `relationships` of a column or of the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stagebook.contracts.contract import (
    KeyRule,
    Rule,
)
from stagebook.contracts.rules import RuleContext, listed
from stagebook.contracts.schema import Relationship
from stagebook.errors import did_you_mean
from stagebook.pipeline.model import Location
from stagebook.pipeline.schema import read_model
from stagebook.pipeline.types import shorten


def column_keys(context: RuleContext, column: str, entries: Sequence[Any], location: Location) -> list[Rule]:
    """`relationships` of a column."""
    return _keys(context, entries, location, (column,))


def table_keys(context: RuleContext, entries: Sequence[Any], location: Location) -> list[Rule]:
    """`relationships` of the table."""
    return _keys(context, entries, location, None)


def _keys(
    context: RuleContext, entries: Sequence[Any], location: Location, column: tuple[str, ...] | None
) -> list[Rule]:
    rules: list[Rule] = []
    for at, raw in enumerate(entries):
        place: Location = (*location, at)
        entry, mistakes = read_model(Relationship, raw)
        context.report_all(mistakes, place)
        if entry is None:
            continue
        own = column or tuple(name.rpartition(".")[2] for name in listed(entry.from_))
        rule = _key(context, own, listed(entry.to), place)
        if rule is not None:
            rules.append(rule)
    return rules


def _key(context: RuleContext, own: tuple[str, ...], to: Sequence[str], place: Location) -> KeyRule | None:
    hint = "name a column of another dataset: to: PIPELINE.STAGE.OUTPUT.COLUMN"
    targets = [text.rpartition(".") for text in to]
    datasets = {dataset for dataset, _, _ in targets}
    if len(datasets) != 1 or any(dataset.count(".") != 2 for dataset in datasets):
        context.report((*place, "to"), f"no key into a dataset: {shorten(', '.join(to))}", hint)
        return None
    if len(own) != len(targets):
        context.report(place, f"the key has {len(own)} columns here and {len(targets)} there", hint)
        return None
    if unknown := [name for name in own if name not in context.columns]:
        known = did_you_mean(unknown[0], context.columns)
        context.report((*place, "from"), f"the contract has no column '{unknown[0][:60]}'", known)
        return None
    dataset, key = datasets.pop(), tuple(column for _, _, column in targets)
    text = f"{' and '.join(own)} {'is' if len(own) == 1 else 'are'} in {dataset} ({', '.join(key)})"
    return KeyRule(
        name=f"{'_'.join(own)}.key",
        text=text,
        severity=context.severity,
        location=place,
        columns=own,
        dataset=dataset,
        key=key,
    )
