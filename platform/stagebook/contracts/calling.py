"""Functions of the project that a contract names, and schemas of pandera."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from stagebook.contracts.probe import Call

_SHOWN = 5  # of what a schema finds


def caller(root: Path) -> Call:
    """What calls `path/to/file.py:name` with a DataFrame, or validates that against it; `root` is the project's. Raises what
    the project's code raises."""

    def call(target: str, frame: Any) -> Any:
        path, _, name = target.rpartition(":")
        spec = importlib.util.spec_from_file_location(f"_contract_{Path(path).stem}", root / path)
        if spec is None or spec.loader is None:
            raise ImportError(f"there is no {path}")
        sys.path.insert(0, str((root / path).parent))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found = getattr(module, name)
        return _validated(found, frame) if hasattr(found, "validate") else found(frame)

    return call


def _validated(schema: Any, frame: Any) -> str:
    """What a schema or model of pandera finds wrong: columns and checks, and how often; no values."""
    try:
        schema.validate(frame, lazy=True)
    except Exception as error:
        cases = getattr(error, "failure_cases", None)
        if cases is None or not {"column", "check"} <= set(getattr(cases, "columns", ())):
            raise
        counts = cases.groupby(["column", "check"], dropna=False).size()
        found = [f"{column}: {check} ({count:,})" for (column, check), count in counts.items()]
        return "; ".join(found[:_SHOWN]) + (
            f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        )
    return ""
