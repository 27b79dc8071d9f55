"""The command line: a file for each command, from its arguments to its output and exit code."""

from __future__ import annotations

import sys


def main() -> int:
    """The console script `stagebook`; the exit code."""
    if sys.argv[1:2] == ["run-stage"]:
        # An engine's child process. Start-up cost: it needs none of what the commands import.
        from stagebook.execution.worker.main import command  # noqa: PLC0415 - start-up cost

        return command(sys.argv[2:])
    from stagebook.cli.app import run_app  # noqa: PLC0415 - start-up cost, of `run-stage`

    return run_app()
