"""A contract held against all versions of its dataset that are in the store: when it would have fired."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stagebook.audits import Audit, CheckResult, check_from_json
from stagebook.contracts.audit import audit, audit_of
from stagebook.contracts.contract import Contract, FunctionRule, KeyRule, QueryRule, Rule, rule_digest
from stagebook.contracts.probe import Surroundings
from stagebook.runs.datasets import Version
from stagebook.runs.stored import fetched
from stagebook.system.files import load_cache, save_cache
from stagebook.system.store import Store
from stagebook.tables.source import NoTable
from stagebook.workspace.paths import STATE_FOLDER

CACHE = "cache/audits.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What a contract comes to for one version; `problem` says why that is not known."""

    version: Version
    audit: Audit | None = None
    problem: str = ""


def backtest(contract: Contract, versions: list[Version], store: Store, root: Path) -> Iterator[Tested]:
    """Test each version; what a rule came to for a content is remembered. Rules that depend on more than the content are
    left out, and are told among what is not checked: of other datasets only the present is known, and a function may
    ask for anything."""
    contract = _of_content(contract)
    path = root / STATE_FOLDER / CACHE
    known: dict[str, Any] = dict(load_cache(path))
    try:
        for version in versions:
            try:
                yield Tested(version=version, audit=_test(contract, version, store, root, known))
            except NoTable as error:
                yield Tested(version=version, problem=str(error))
    finally:
        save_cache(path, known)


def _test(contract: Contract, version: Version, store: Store, root: Path, known: dict[str, Any]) -> Audit:
    artifact = version.artifact
    if artifact is None:
        raise NoTable("another writer made it")
    content = str(artifact.content)
    keys = {rule.name: _key(rule, contract, content) for rule in contract.rules}
    new = [rule for rule in contract.rules if keys[rule.name] not in known]
    rows = known.get(f"rows {content}")
    found: dict[str, CheckResult] = {}
    if new or rows is None:
        part = dataclasses.replace(contract, rules=tuple(new))
        with (
            fetched(artifact, store, root, contract.table) as source,
            tempfile.TemporaryDirectory(dir=root / STATE_FOLDER) as spill,
        ):
            done = audit(part, source, Surroundings(spill=Path(spill), now=version.at))
        rows = known[f"rows {content}"] = done.rows
        found = {check.rule: check for check in done.checks}
        known |= {keys[name]: check.to_json() for name, check in found.items()}
    checks = [
        found[rule.name] if rule.name in found else _remembered(rule, known[keys[rule.name]])
        for rule in contract.rules
    ]
    return audit_of(contract, rows, checks)


def _remembered(rule: Rule, data: Mapping[str, Any]) -> CheckResult:
    return dataclasses.replace(check_from_json(data), rule=rule.name, text=rule.text)


def _of_content(contract: Contract) -> Contract:
    """The contract with those rules alone that depend on nothing but the content."""
    left_out = [
        rule
        for rule in contract.rules
        if isinstance(rule, KeyRule | FunctionRule) or (isinstance(rule, QueryRule) and '"' in rule.query)
    ]
    return dataclasses.replace(
        contract,
        rules=tuple(rule for rule in contract.rules if rule not in left_out),
        not_checked=(*contract.not_checked, *(rule.text for rule in left_out)),
    )


def _key(rule: Rule, contract: Contract, content: str) -> str:
    text = json.dumps([rule_digest(rule), sorted(contract.personal), content])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
