"""`stagebook ui` and `stagebook sync`: MLflow, on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser

from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode, UsageError
from stagebook.project import Project
from stagebook.workspace.paths import STATE_FOLDER

# Its job runner is eight more processes, for evaluations that nothing here asks for.
_SERVER_ENVIRONMENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
START_LIMIT = 120.0  # seconds until MLflow has to answer


def sync(*, as_json: bool) -> int:
    """Deliver what is pending; the exit code."""
    project = Project.open()
    left = project.sync()
    if as_json:
        write_json({"undelivered": left})
    elif left:
        console().print(
            f"! MLflow at {project.tracking_uri} did not take {left} records; see .stagebook/mlflow.log"
        )
    else:
        console().print("✓ MLflow has every record")
    return ExitCode.STAGE_FAILED if left else ExitCode.OK


def ui(port: int, *, open_browser: bool, as_json: bool) -> int:
    """Serve MLflow's pages until interrupted; the exit code."""
    project = Project.open()
    uri = project.tracking_uri
    if uri is None:
        msg = "tracking is switched off in the settings"
        raise UsageError(msg, hint="set tracking.enabled to true")
    if uri.startswith(("http:", "https:")):
        _announce(uri, open_browser=open_browser, as_json=as_json)
        return ExitCode.OK
    if port and _is_taken(port):
        msg = f"the port {port} is in use"
        raise UsageError(msg, hint="leave --port out for a free one")
    port = port or _free_port()
    url = f"http://127.0.0.1:{port}"
    log = project.root / STATE_FOLDER / "mlflow-ui.log"
    log.parent.mkdir(mode=0o700, exist_ok=True)
    with log.open("wb") as stream:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
             "--backend-store-uri", uri, "--workers", "1"],
            cwd=project.root,
            stdout=stream,
            stderr=stream,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **_SERVER_ENVIRONMENT},
            start_new_session=True,
        )  # fmt: skip
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if not as_json:
            console().print("starting MLflow …")
        if not _answers(url, server):
            msg = "MLflow did not start"
            raise UsageError(msg, hint=f"see {log.relative_to(project.root)}")
        _announce(url, open_browser=open_browser, as_json=as_json)
        server.wait()
    except KeyboardInterrupt:
        return ExitCode.OK
    finally:
        _end_group(server)
    return ExitCode.OK


def _announce(url: str, *, open_browser: bool, as_json: bool) -> None:
    if as_json:
        write_json({"url": url})
    else:
        console().print(f"MLflow shows the runs at {url}   (Ctrl-C ends it)")
    if open_browser:
        webbrowser.open(url)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    limit = time.monotonic() + START_LIMIT
    while server.poll() is None and time.monotonic() < limit:
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(f"{url}/health", timeout=5) as answer,  # noqa: S310 - our own loopback
        ):
            if answer.status == 200:
                return True
        time.sleep(0.1)
    return False


def _end_group(server: subprocess.Popen[bytes]) -> None:
    """End the server with all of its workers: some of them outlive a SIGTERM to the first."""
    for number, limit in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(server.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=limit)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(server.pid, signal.SIGKILL)
