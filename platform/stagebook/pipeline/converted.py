"""What tells a notebook that a script was converted to from one that was damaged since."""

from __future__ import annotations

import hashlib
import json
from typing import Any

SUM = "stagebook_sum"  # in the metadata: that of the cells


def sum_of(cells: Any) -> str:
    """The SHA-256 of cells, in hex."""
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()


def is_whole(content: bytes) -> bool:
    """Whether a converted notebook has the cells that were written."""
    try:
        data = json.loads(content)
        return bool(data["metadata"][SUM] == sum_of(data["cells"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
