"""Text for a terminal, with colours, or for a pipe, without; and JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console

PIPE_WIDTH = 160  # columns of a table that goes to a pipe


def console(*, stderr: bool = False) -> Console:
    """A console on standard output, or on standard error; colours only on a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(stderr=stderr, highlight=False, soft_wrap=False, width=width, markup=False)


def write_json(data: Mapping[str, Any]) -> None:
    """Write one JSON value, indented on a terminal."""
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(data, indent=indent, default=str) + "\n")
    sys.stdout.flush()


def write_json_lines(items: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON values, one a line."""
    for item in items:
        sys.stdout.write(json.dumps(item) + "\n")
    sys.stdout.flush()
