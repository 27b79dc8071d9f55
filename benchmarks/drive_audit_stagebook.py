"""Audit a Parquet file against the contract of the benchmark, as a run does: `PARQUET CONTRACT SPILL`."""

import json
import sys
from pathlib import Path

from stagebook.contracts.audit import audit
from stagebook.contracts.loader import load_contract
from stagebook.contracts.probe import Surroundings
from stagebook.tables.source import source_of

data, contract, spill = map(Path, sys.argv[1:4])
loaded = load_contract(contract.read_bytes(), str(contract))
assert not loaded.problems, loaded.problems
found = audit(loaded.contract, source_of(data), Surroundings(spill=spill))
broken = {check.rule: int(check.figure or 0) for check in found.checks if check.outcome != "passed"}
print(json.dumps(sorted(broken.values())))
