"""A JupyterLab in a process of its own, as the tests of the browser, of the command and the figures use it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from building import ProjectBuilder
from stagebook.system.ports import free_port

TOKEN = "only-for-tests"
USER = "user/ada@home"  # the base URL, as on a hub
START = 120.0  # seconds until JupyterLab has to answer


def until(that: Callable[[], Any], seconds: float = 90.0) -> Any:
    """The first result of `that` which is true; fails where there is none in time."""
    deadline = time.monotonic() + seconds
    while not (found := that()):
        assert time.monotonic() < deadline, f"not so within {seconds:.0f} s"
        time.sleep(0.1)
    return found


@dataclasses.dataclass(frozen=True)
class Lab:
    """A JupyterLab that runs, and its project."""

    url: str
    project: ProjectBuilder
    process: subprocess.Popen[bytes]

    def stagebook(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A command in a terminal."""
        return subprocess.Popen(
            [sys.executable, "-m", "stagebook", *arguments],
            cwd=self.project.root,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def ask(
        self, path: str, body: dict[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The JSON of one of our routes; by default each time as somebody else who has the token."""
        request = urllib.request.Request(
            f"{self.url}/stagebook/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers=dict(headers or {"Authorization": f"token {TOKEN}"}),
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def ended(self, pid: int) -> Any:
        """The reply about a process that was started, once it has ended."""

        def look() -> Any:
            reply = self.ask(f"processes/{pid}")
            return reply if reply["exit_code"] is not None else None

        return until(look)


def failures(log: str) -> list[str]:
    """The records of a server's log that hold a traceback. Those of Jupyter Server's own kernel channels do not
    count: a page that is closed while its kernel still connects leaves one there (`kernel_ws_protocol`)."""
    records = re.split(r"^(?=\[\w+ \d{4}-)", log, flags=re.MULTILINE)
    return [record for record in records if "Traceback" in record and "/api/kernels/" not in record]


@contextlib.contextmanager
def running_lab(home: Path, make: Callable[[Path], ProjectBuilder], *arguments: str) -> Iterator[Lab]:
    """A JupyterLab with settings of its own, in a process group of its own. It gets further `arguments`."""
    builder = make(home / "project")
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")},
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
    }
    log = home / "lab.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
                f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}",
                f"--ServerApp.base_url=/{USER}/", "--LabApp.expose_app_in_browser=True",
                "--ServerApp.terminals_enabled=False", "--ServerApp.allow_external_kernels=True",
                f"--ServerApp.external_connection_dir={home / 'kernels'}", f"--ServerApp.root_dir={builder.root}",
                *arguments,
            ],
            cwd=builder.root, env=environment, stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}/{USER}"
    try:
        until(lambda: process.poll() is not None or status(f"{url}/api/status") == 200, START)
        assert process.poll() is None, log.read_text()
        yield Lab(url=url, project=builder, process=process)
    finally:
        end_group(process)
        builder.close()
    failed = failures(log.read_text())
    assert not failed, "".join(failed)


def status(url: str) -> int:
    """The status of an answer to somebody who is logged in; 0 where nobody answers."""
    request = urllib.request.Request(url, headers={"Authorization": f"token {TOKEN}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End the server and its kernels, and nothing else."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
            return
