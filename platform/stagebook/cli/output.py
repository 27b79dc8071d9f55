"""Text for a terminal, with colours, or for a pipe, without; and JSON."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from stagebook.views.formatting import plain

PIPE_WIDTH = 160  # columns of a table that goes to a pipe


class _Console(Console):
    """A console that lets no text steer the terminal: whatever is shown comes from files, notebooks and people."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=plain(segment.text))

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 - called where it is caught; rich would end the process here


@contextlib.contextmanager
def lenient() -> Iterator[None]:
    """What is shown in here may fail to be shown: the outcome, and the exit code, are what they are."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
    except OSError as error:
        discard_output()
        sys.stderr.write(f"the output could not be written: {error.strerror}\n")


def discard_output() -> None:
    """Write to nowhere from now on; what is left in the buffer would fail once more at the end of the process."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console(*, stderr: bool = False) -> Console:
    """A console on standard output, or on standard error; colours only on a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return _Console(stderr=stderr, highlight=False, soft_wrap=False, width=width, markup=False)


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
