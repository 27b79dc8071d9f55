"""The application with all its commands, and its errors as text and exit codes."""

from __future__ import annotations

import json
import os
import sys

import typer

# Imported for the commands that they add, in the order of `--help`.
from stagebook.cli import commands_see, run  # noqa: F401
from stagebook.cli.options import app
from stagebook.errors import ExitCode, PipelineInvalid, StagebookError


def run_app() -> int:
    """Run the command that the arguments name; the exit code."""
    wants_json = "--json" in sys.argv[1:]
    try:
        code = app(standalone_mode=False)  # a command that raised typer.Exit returns its code here
    except StagebookError as error:
        return _report(error, wants_json=wants_json)
    except (typer.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe went away, as `head` does: not an error, and nothing left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _report(StagebookError(f"{error.strerror or error}{where}"), wants_json=wants_json)
    except Exception as error:
        show = getattr(error, "show", None)  # click's errors of usage
        if show is None:
            raise
        show()
        return ExitCode.USAGE
    return code if isinstance(code, int) else ExitCode.OK


def _report(error: StagebookError, *, wants_json: bool) -> int:
    if wants_json:
        data: dict[str, object] = {"error": error.message, "hint": error.hint}
        if isinstance(error, PipelineInvalid):
            data["problems"] = [problem.to_json() for problem in error.problems]
        sys.stdout.write(json.dumps(data) + "\n")
        return error.exit_code
    from stagebook.cli.output import console
    from stagebook.views.tables import problems

    out = console(stderr=True)
    if isinstance(error, PipelineInvalid):
        out.print(problems(error.problems), soft_wrap=True)  # a terminal wraps; a pipe keeps a line
    out.print(f"✗ {error.message}", style="bold red", soft_wrap=True)
    if error.hint:
        out.print(f"  {error.hint}", soft_wrap=True)
    return error.exit_code
