"""The command line: a file for each command, from its arguments to its output and exit code."""

from __future__ import annotations

import os
import sys

_RUNS = {"run", "resume", "retry", "sweep", "backfill"}
_ASKS = {"-h", "--help", "--version"}


def main() -> int:
    """The console script `stagebook`; the exit code."""
    _leave_inspection()
    _open_standard_streams()
    if runs_stages(sys.argv[1:]):
        from stagebook.execution.fork import client  # noqa: PLC0415 - start-up cost, of all other commands

        client.start_early()
    from stagebook.cli.app import run_app  # noqa: PLC0415 - after what was just started, which comes up meanwhile

    return run_app()


def runs_stages(words: list[str]) -> bool:
    """Whether a command of these words runs stages, as far as can be seen without reading them all."""
    rest = iter(words)
    for word in rest:
        if word in {"-C", "--directory"}:
            next(rest, "")
        elif not word.startswith("-"):
            return word in _RUNS and _ASKS.isdisjoint(words)
    return False


def _leave_inspection() -> None:
    """With `PYTHONINSPECT` in the environment the interpreter takes each exit for an error, here and in the processes of
    a run, and ends with 1: begin anew without it."""
    if os.name == "posix" and os.environ.pop("PYTHONINSPECT", "") and "-i" not in sys.orig_argv:
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - this very program


def _open_standard_streams() -> None:
    """Standard streams that are closed, as under some daemons, become `/dev/null`: the next file that is opened would take
    the place of one. What a stream's encoding lacks is written as an escape."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open to the end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
