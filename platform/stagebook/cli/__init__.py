"""The command line: arguments → one call of `Project` → text → exit code."""

from __future__ import annotations

import sys


def main() -> int:
    """The console script `stagebook`; the exit code."""
    if sys.argv[1:2] == ["run-stage"]:
        # The child process of an engine: it needs none of the commands, and starts sooner without.
        from stagebook.execution.worker.main import command  # noqa: PLC0415

        return command(sys.argv[2:])
    from stagebook.cli.app import run_app  # noqa: PLC0415

    return run_app()
