"""From the text of a contract to a `Contract`, with every mistake that the file alone shows."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from stagebook.audits import Severity
from stagebook.contracts import column_rules, key_rules, quality_rules
from stagebook.contracts.contract import (
    Column,
    ColumnRule,
    ColumnsRule,
    Contract,
    Policy,
    Rule,
    UniqueRule,
    rule_digest,
)
from stagebook.contracts.rules import RuleContext, severity_of
from stagebook.contracts.schema import ContractFile, CustomProperty, PropertyFile, TableFile
from stagebook.errors import Problem
from stagebook.pipeline.model import Location
from stagebook.pipeline.problems import ProblemCollector
from stagebook.pipeline.schema import read_what_can_be
from stagebook.pipeline.yaml import read_document

PERSONAL = frozenset({"personal", "pii", "sensitive", "confidential", "restricted"})
"""Classifications and tags of columns whose values are never shown."""

_TEXT_ONLY = ("servers", "support", "roles", "price", "context", "team")  # of the standard; nothing to check
_DATASET = re.compile(r"[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*){2}")


@dataclasses.dataclass(frozen=True, slots=True)
class LoadedContract:
    """What could be read of a contract, and everything that is wrong with it."""

    contract: Contract
    problems: tuple[Problem, ...]


def load_contract(text: str | bytes, path: str) -> LoadedContract:
    """Read the text of a contract. Never raises for what the text holds. `path` is relative to the project root."""
    document = read_document(text, path)
    problems = ProblemCollector(path, document.positions, document.problems)
    if document.data is None and not document.problems:
        hint = "`stagebook contract draft PIPELINE STAGE.OUTPUT` writes one from the data"
        problems.report((), "the contract is empty", hint)
    contract = _Reader(problems).read(document.data if document.data is not None else {}, path)
    source = text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text
    contract = dataclasses.replace(contract, source=source)
    found = tuple(problems.found) if document.data is not None else tuple(problems.found[:1])
    return LoadedContract(contract, found)


class _Reader:
    """Reads one file."""

    def __init__(self, problems: ProblemCollector) -> None:
        self._problems = problems
        self._report = problems.report
        self._not_checked: list[str] = []

    def read(self, data: Any, path: str) -> Contract:
        """The contract, as far as it can be read."""
        stand_in = {
            "apiVersion": "v3.2.0",
            "kind": "DataContract",
            "id": PurePosixPath(path).stem,
            "version": "",
        }
        head, mistakes = read_what_can_be(ContractFile, data, stand_in)
        self._problems.report_all(mistakes)
        head = head or ContractFile.model_validate(stand_in)
        severity = self._severity(head.customProperties, (), Severity.FAIL)
        table, base = self._table(head)
        severity = self._severity(table.customProperties, base, severity)
        columns, rules = self._columns(table, base, severity)
        context = RuleContext(self._problems, columns, severity, self._not_checked)
        if key := self._key(columns, table, base, severity):
            rules.append(key)
        rules += quality_rules.quality(context, table.quality, (*base, "quality"))
        rules += key_rules.table_keys(context, table.relationships, (*base, "relationships"))
        rules += quality_rules.freshness(context, head.slaProperties, head.slaDefaultElement)
        policy = self._policy(head, table, base)
        if policy is Policy.FREEZE:
            text = "there is no column that the contract does not name"
            rules.append(ColumnsRule(name="columns", text=text, severity=severity, location=base))
        rules = self._named_apart(rules)
        return Contract(
            dataset=head.id,
            path=path,
            digest=_digest(policy, columns.values(), rules),
            version=head.version,
            table=table.physicalName or table.name,
            name=head.name or "",
            description=_described(head) or table.description or "",
            owner=_owner(head),
            tags=tuple(dict.fromkeys([*head.tags, *table.tags])),
            policy=policy,
            columns=columns,
            key=key.columns if key else (),
            rules=tuple(rules),
            not_checked=tuple(self._not_checked),
            positions=self._problems.positions,
        )

    # -- the table ---------------------------------------------------------------------------------

    def _table(self, head: ContractFile) -> tuple[TableFile, Location]:
        base: Location = ("schema", 0)
        if not head.schema_:
            hint = "schema: [{name: …, properties: [{name: a_column}]}]"
            if ("schema",) in self._problems.positions or not self._problems.found:
                self._report(("schema",), "the contract has no table", hint)
            return TableFile(name="table"), base
        if len(head.schema_) > 1:
            hint = "write a contract for each output: contracts/PIPELINE.STAGE.OUTPUT.yaml"
            self._report(("schema", 1), "a contract is about one table, and this is another one", hint)
        found, mistakes = read_what_can_be(TableFile, head.schema_[0], {"name": "table"})
        self._problems.report_all(mistakes, base)
        return found or TableFile(name="table"), base

    def _columns(
        self, table: TableFile, base: Location, severity: Severity
    ) -> tuple[dict[str, Column], list[Rule]]:
        columns: dict[str, Column] = {}
        read: list[tuple[PropertyFile, Location]] = []
        for at, raw in enumerate(table.properties):
            location: Location = (*base, "properties", at)
            spec, mistakes = read_what_can_be(PropertyFile, raw, {"name": ""})
            self._problems.report_all(mistakes, location)
            if spec is None or not spec.name:
                continue
            name = spec.physicalName or spec.name
            if name in columns:
                self._report(
                    (*location, "name"), f"the column '{name[:60]}' is there already", "keep one of them"
                )
                continue
            columns[name] = _column(name, spec)
            read.append((spec, location))
        rules: list[Rule] = []
        for spec, location in read:
            own = self._severity(spec.customProperties, location, severity)
            rules += self._rules_of(columns[spec.physicalName or spec.name], spec, location, own, columns)
        return columns, rules

    def _rules_of(
        self,
        column: Column,
        spec: PropertyFile,
        location: Location,
        severity: Severity,
        columns: Mapping[str, Column],
    ) -> list[Rule]:
        name = column.name
        context = RuleContext(self._problems, columns, severity, self._not_checked)
        what = (
            f"is {_article(column.logical or column.physical)}"
            if column.logical or column.physical
            else "is there"
        )
        rules: list[Rule] = [
            ColumnRule(
                name=f"{name}.{'type' if column.logical or column.physical else 'exists'}",
                text=f"{name} {what}",
                severity=severity,
                location=location,
                columns=(name,),
                logical=column.logical,
                physical=column.physical,
            )
        ]
        if spec.required or spec.primaryKey:
            rules.append(column_rules.present(context, name, location, f"{name}.required"))
        if spec.unique:
            rules.append(
                UniqueRule(
                    name=f"{name}.unique",
                    text=f"{name} is unique",
                    severity=severity,
                    location=location,
                    columns=(name,),
                )
            )
        rules += column_rules.options(context, name, column.logical, spec.logicalTypeOptions, location)
        rules += column_rules.values(context, name, spec.enum, location)
        rules += key_rules.column_keys(context, name, spec.relationships, (*location, "relationships"))
        rules += quality_rules.quality(context, spec.quality, (*location, "quality"), column=name)
        if spec.properties or spec.items is not None or spec.map is not None:
            self._not_checked.append(f"what is within the column {name}")
        return rules

    def _key(
        self, columns: Mapping[str, Column], table: TableFile, base: Location, severity: Severity
    ) -> UniqueRule | None:
        ordered = sorted(
            (raw.get("primaryKeyPosition", -1), at, raw.get("physicalName") or raw.get("name"))
            for at, raw in enumerate(table.properties)
            if isinstance(raw, dict) and raw.get("primaryKey") is True
        )
        names = tuple(str(name) for _, _, name in ordered if name in columns)
        if not names:
            return None
        text = f"{' and '.join(names)} {'are' if len(names) > 1 else 'is'} unique: the primary key"
        return UniqueRule(name="primary_key", text=text, severity=severity, location=base, columns=names)

    # -- keys of ours ------------------------------------------------------------------------------

    def _severity(self, custom: Sequence[CustomProperty], base: Location, default: Severity) -> Severity:
        for at, item in enumerate(custom):
            if item.property == "severity":
                place: Location = (*base, "customProperties", at, "value")
                return severity_of(item.value, self._problems, place) or default
        return default

    def _policy(self, head: ContractFile, table: TableFile, base: Location) -> Policy:
        places = [(table.customProperties, base), (head.customProperties, ())]
        for custom, where in places:
            for at, item in enumerate(custom):
                if item.property != "schemaPolicy":
                    continue
                try:
                    return Policy(item.value)
                except ValueError:
                    hint = f"it is one of {', '.join(Policy)}"
                    place: Location = (*where, "customProperties", at, "value")
                    self._report(place, f"no policy for columns: {item.value!r}", hint)
        return Policy.EVOLVE

    def _named_apart(self, rules: Iterable[Rule]) -> list[Rule]:
        found: dict[str, Rule] = {}
        for rule in rules:
            name, at = rule.name, 1
            while name in found:
                at += 1
                name = f"{rule.name}_{at}"
            found[name] = dataclasses.replace(rule, name=name)
        return list(found.values())


def _column(name: str, spec: PropertyFile) -> Column:
    marks = {mark.lower() for mark in (*spec.tags, spec.classification or "")}
    return Column(
        name=name,
        description=spec.description or spec.businessName or "",
        logical=spec.logicalType or "",
        physical=spec.physicalType or "",
        required=spec.required or spec.primaryKey,
        personal=not marks.isdisjoint(PERSONAL),
        tags=tuple(spec.tags),
    )


def _article(kind: str) -> str:
    return {
        "integer": "a whole number",
        "number": "a number",
        "string": "text",
        "boolean": "true or false",
    }.get(kind, f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}")


def _described(head: ContractFile) -> str:
    if head.description is None:
        return ""
    return head.description.purpose or head.description.usage or ""


def _owner(head: ContractFile) -> str:
    """The team's name, else its owner or first member."""
    team = head.team
    members = team
    if isinstance(team, dict):
        if isinstance(team.get("name"), str):
            return str(team["name"])
        members = team.get("members")
    if not isinstance(members, list):
        return ""
    known = [one for one in members if isinstance(one, dict)]
    owner = next((one for one in known if str(one.get("role", "")).lower() == "owner"), next(iter(known), {}))
    return str(owner.get("name") or owner.get("username") or "")


def _digest(policy: Policy, columns: Iterable[Column], rules: Iterable[Rule]) -> str:
    """Of what is checked; texts and places say nothing."""
    personal = sorted(column.name for column in columns if column.personal)
    text = json.dumps([policy, personal, [rule_digest(rule) for rule in rules]])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
