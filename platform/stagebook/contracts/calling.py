"""Functions of the project that a contract names."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from stagebook.contracts.probe import Call


def caller(root: Path) -> Call:
    """What calls `path/to/file.py:name` with a DataFrame; `root` is the project's. Raises what the project's code raises."""

    def call(target: str, frame: Any) -> Any:
        path, _, name = target.rpartition(":")
        spec = importlib.util.spec_from_file_location(f"_contract_{Path(path).stem}", root / path)
        if spec is None or spec.loader is None:
            raise ImportError(f"there is no {path}")
        sys.path.insert(0, str((root / path).parent))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return getattr(module, name)(frame)

    return call
