"""Where text goes: to a terminal with colours, to a pipe without, or as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console

PIPE_WIDTH = 160  # columns of a table that goes to a pipe


def console(*, stderr: bool = False) -> Console:
    """A console on the standard streams; colours only on a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(stderr=stderr, highlight=False, soft_wrap=False, width=width, markup=False)


def write_json(data: Mapping[str, Any] | list[Any]) -> None:
    """One JSON value, readable where a person may look at it."""
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(data, indent=indent, default=str) + "\n")
    sys.stdout.flush()
