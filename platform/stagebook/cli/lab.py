"""`stagebook lab`."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from stagebook.errors import ExitCode, UsageError
from stagebook.project import Project
from stagebook.system.processes import end_group
from stagebook.workspace.environments import DEV
from stagebook.workspace.paths import STATE_FOLDER

_GRACE = 10.0  # seconds that JupyterLab has to end


def lab(
    port: Annotated[int | None, typer.Option("--port", metavar="N", help="A port of this machine.")] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the browser.")] = False,
    more: Annotated[list[str] | None, typer.Argument(help="After --: options of JupyterLab.")] = None,
) -> int:
    """Open JupyterLab on this project, on this machine alone, until Ctrl-C."""
    project = Project.open(environment=DEV)
    for module in ("jupyterlab", "stagebook_lab"):
        if importlib.util.find_spec(module) is None:
            raise UsageError("JupyterLab is not installed here", hint=_remedy())
    # In a session of its own, so that Ctrl-C reaches this process alone, which then ends JupyterLab and its
    # kernels. Runs have sessions of their own, and go on.
    server = subprocess.Popen(
        [*command(project, port, open_browser=not no_browser), *(more or ())],
        cwd=project.root,
        start_new_session=True,
    )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        return server.wait()
    except KeyboardInterrupt:
        return ExitCode.OK
    finally:
        end_group(server, grace=_GRACE)


def _remedy() -> str:
    is_checkout = (Path(__file__).parents[3] / "jupyter_extension" / "stagebook_lab").is_dir()
    return "in this checkout: make setup-test" if is_checkout else 'pip install "stagebook[lab]"'


def command(project: Project, port: int | None, *, open_browser: bool) -> list[str]:
    """The command that starts JupyterLab on a project: on loopback, in the project's folder, with kept kernels
    among its kernels."""
    kernels = project.root / STATE_FOLDER / "kernels"
    return [
        sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={project.root}",
        "--ServerApp.jpserver_extensions={'stagebook_lab': True, 'ploomber_extension': False}",
        "--ServerApp.allow_external_kernels=True", f"--ServerApp.external_connection_dir={kernels}",
        *([] if port is None else [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]),
        *([] if open_browser else ["--no-browser"]),
    ]  # fmt: skip
