"""`stagebook ui` and `stagebook sync`."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
import urllib.request
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode, UsageError
from stagebook.project import Project
from stagebook.system.logins import without_login
from stagebook.system.ports import free_port
from stagebook.system.processes import end_group
from stagebook.system.secret_sources import variables_of
from stagebook.system.tracking_uri import absolute
from stagebook.tracking.delivery import environment
from stagebook.tracking.pages import experiments_page
from stagebook.tracking.state import TrackingState
from stagebook.views.tracking_lines import tracking_fields, tracking_lines
from stagebook.workspace.paths import STATE_FOLDER

# MLflow's job runner is eight more processes, for evaluations that nothing here asks for.
_SERVER_ENVIRONMENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
START_LIMIT = 120.0  # seconds until MLflow has to answer
_GRACE = 5.0  # seconds that MLflow has to end
_LATEST = 200  # runs that are looked through for pipelines


def sync(as_json: Json = False) -> int:
    """Deliver to MLflow the records that it did not take before."""
    project = Project.open()
    _end_by_signals()
    undelivered = project.sync()
    told = project.history.has_journal
    state = project.launcher.tracking_state(undelivered) if told else TrackingState()
    if as_json:
        write_json({"undelivered": undelivered, **tracking_fields(state)})
    elif lines := tracking_lines(state):
        for line in lines:
            console().print(line, soft_wrap=True)
        if not undelivered:
            console().print("✓ MLflow has every other record")
    else:
        console().print("✓ MLflow has every record")
    return ExitCode.STAGE_FAILED if undelivered else ExitCode.OK


def ui(
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", help="A port of this machine (0: a free one).", min=0, max=65535),
    ] = 0,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    as_json: Json = False,
) -> int:
    """Show the runs in MLflow, on this machine alone, until Ctrl-C."""
    project = Project.open()
    uri = project.tracking_uri
    if uri is None:
        raise UsageError("tracking is switched off in the settings", hint="set tracking.enabled to true")
    if uri.startswith(("http:", "https:")):
        _announce(without_login(uri), project, open_browser=open_browser, as_json=as_json)
        return ExitCode.OK
    try:
        port = free_port(port)
    except OSError as error:
        raise UsageError(f"the port {port} is in use", hint="leave --port out for a free one") from error
    url = f"http://127.0.0.1:{port}"
    log = project.root / STATE_FOLDER / "mlflow-ui.log"
    server = _start(project, uri, port, log)
    _end_by_signals()
    try:
        if not as_json:
            console().print("starting MLflow …")
        if not _answers(url, server):
            raise UsageError("MLflow did not start", hint=f"see {log.relative_to(project.root)}")
        _announce(url, project, open_browser=open_browser, as_json=as_json)
        code = server.wait()
    except KeyboardInterrupt:
        return ExitCode.OK
    finally:
        end_group(server, grace=_GRACE)
    console(stderr=True).print(
        f"! MLflow ended by itself, with exit code {code}; see {log.relative_to(project.root)}"
    )
    return ExitCode.STAGE_FAILED


def _start(project: Project, uri: str, port: int, log: Path) -> subprocess.Popen[bytes]:
    log.parent.mkdir(mode=0o700, exist_ok=True)
    with log.open("wb") as stream:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "mlflow",
                "server",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--workers",
                "1",
            ],
            cwd=project.root,
            stdout=stream,
            stderr=stream,
            stdin=subprocess.DEVNULL,
            # A URI with a login is not for arguments, which everyone can read.
            env={
                **environment(variables_of(project.settings.secret_sources.values())),
                **_SERVER_ENVIRONMENT,
                "MLFLOW_BACKEND_STORE_URI": absolute(uri, project.root),
            },
            start_new_session=True,
            umask=0o077,
        )


def _end_by_signals() -> None:
    """SIGTERM and SIGHUP are as Ctrl-C: what this process started ends with it. What is ignored stays ignored."""
    for number in (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def _announce(url: str, project: Project, *, open_browser: bool, as_json: bool) -> None:
    """Tell the address, and that of the runs of each pipeline, those that ran last first."""
    latest = dict.fromkeys(run.pipeline for run in project.history.runs(limit=_LATEST))
    pages = {
        pipeline: experiments_page(url, experiment)
        for pipeline in latest
        if (experiment := project.history.experiment(pipeline)) is not None
    }
    if as_json:
        write_json({"url": url, "pages": pages})
    else:
        console().print(f"MLflow shows the runs at {url}   (Ctrl-C ends it)")
        width = max(map(len, pages), default=0)
        for pipeline, page in pages.items():
            console().print(f"  {pipeline:{width}}   {page}", soft_wrap=True)
    if open_browser:
        webbrowser.open(next(iter(pages.values()), url))


def _answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    limit = time.monotonic() + START_LIMIT
    while server.poll() is None and time.monotonic() < limit:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{url}/health", timeout=5) as answer,  # noqa: S310 - our own loopback
        ):
            if answer.status == 200:
                return True
        time.sleep(0.1)
    return False
