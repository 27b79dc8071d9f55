"""Servers that are no MLflow, or ask for patience; logins that nobody is to see."""

from __future__ import annotations

import hashlib
import http.server
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import filelock
import psutil
import pytest

from building import ProjectBuilder
from commands import environment, stagebook, start
from stagebook.events import RunEnded, RunStarted, Status
from stagebook.journal.journal import MLFLOW
from waiting import until

pytestmark = pytest.mark.e2e


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def _reply(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.server.asked.set()
        if self.server.silent:
            self.server.released.wait()
        code, body, headers = self.server.reply
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = _reply  # noqa: N815 - the names that http.server asks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    """Answers everything in one way."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply: tuple[int, bytes, dict[str, str]] = (200, b"{}", {})
        self.silent = False
        self.asked = threading.Event()
        self.released = threading.Event()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.released.set()
        made.shutdown()
        thread.join()


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    """A project that has something to tell."""
    builder.file("pipelines/none.yaml", "")
    builder.project.journal.append(
        [
            RunStarted(run="r1", at=1e9, pipeline="p", plan={"params": {}}),
            RunEnded(run="r1", at=1e9 + 1, status=Status.COMPLETED),
        ]
    )
    return builder


def sync(project: ProjectBuilder, server: Server, login: str = "") -> subprocess.CompletedProcess[str]:
    uri = f"http://{login}127.0.0.1:{server.server_address[1]}"
    return stagebook(project.root, "sync", env=environment(MLFLOW_TRACKING_URI=uri), timeout=240)


def lock_is_free(project: ProjectBuilder) -> bool:
    with filelock.FileLock(project.root / ".stagebook/deliver.lock", timeout=0):
        return True


@pytest.mark.parametrize("body", [b"{}", b'{"hello": "world"}', b"[]", b'{"run": {"info": {"run_id": ""}}}'])
@pytest.mark.long
def test_a_server_that_says_well_done_and_nothing_else_is_given_nothing(
    project: ProjectBuilder, server: Server, body: bytes
) -> None:
    server.reply = (200, body, {})
    done = sync(project, server)
    assert done.returncode == 1
    assert "! MLflow did not take 2 records: " in done.stdout
    assert "every record" not in done.stdout
    journal = project.project.journal
    assert journal.outbox.count_pending(MLFLOW) == 2
    assert journal.outbox.passed_over(MLFLOW) == []


@pytest.mark.parametrize(
    ("code", "headers", "reason"),
    [
        (429, {"Retry-After": "3600"}, "it asks to wait (429)"),
        (503, {"Retry-After": "3600"}, "it fails on its side (5xx)"),
        (401, {"x": "y"}, "it refuses the login (401)"),
        (500, {}, "it fails on its side (5xx)"),
    ],
)
@pytest.mark.long
def test_a_server_that_is_in_trouble_does_not_hold_the_lock_and_is_named(
    project: ProjectBuilder, server: Server, code: int, headers: dict[str, str], reason: str
) -> None:
    server.reply = (code, b"<p>no</p>", headers)
    done = sync(project, server)
    assert done.returncode == 1
    assert reason in done.stdout
    assert lock_is_free(project)
    assert project.project.journal.outbox.count_pending(MLFLOW) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.long
def test_a_sync_that_is_ended_ends_its_delivery(
    project: ProjectBuilder, server: Server, number: signal.Signals
) -> None:
    server.silent = True
    uri = f"http://127.0.0.1:{server.server_address[1]}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with start(project.root, "sync", env=environment(MLFLOW_TRACKING_URI=uri), **quiet) as process:
        assert server.asked.wait(120)
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.send_signal(number)
        assert process.wait(timeout=60) != 0
    until(lambda: not any(child.is_running() for child in children), 60, "the delivery ends")
    assert lock_is_free(project)


LOGIN = "someone:s3cr%40t-w0rd"


@pytest.mark.kernel
@pytest.mark.long
def test_nobody_sees_the_login_of_a_tracking_server(builder: ProjectBuilder, server: Server) -> None:
    server.reply = (500, b"{}", {})
    look = """
    import pathlib, time
    seen = set()
    for _ in range(20):
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                text = path.read_text(errors="replace")
            except OSError:
                continue
            if "s3cr%40" in text or "s3cr@" in text:
                seen.add(text)
        time.sleep(0.1)
    print("SEEN", sorted(seen))
    """
    digest = hashlib.sha256(f"{LOGIN}@".encode()).hexdigest()
    own = """
    import hashlib, os
    login = os.environ["MLFLOW_TRACKING_URI"].partition("//")[2].partition("127")[0]
    assert hashlib.sha256(login.encode()).hexdigest() == digest
    """
    builder.notebook("a", look, own, params=f"digest = {digest!r}")
    builder.pipeline("stages:\n  a: {notebook: notebooks/a.ipynb}")
    uri = f"http://{LOGIN}@127.0.0.1:{server.server_address[1]}"
    done = stagebook(builder.root, "run", env=environment(MLFLOW_TRACKING_URI=uri), timeout=240)
    assert done.returncode == 0, done.stderr
    assert "did not take" in done.stdout
    assert "SEEN []" in next(builder.root.glob(".stagebook/runs/*/a/1/log.txt")).read_text()
    said = {"stdout": done.stdout, "stderr": done.stderr}
    said["sync"] = stagebook(
        builder.root, "sync", env=environment(MLFLOW_TRACKING_URI=uri), timeout=240
    ).stdout
    said["doctor"] = stagebook(builder.root, "doctor", env=environment(MLFLOW_TRACKING_URI=uri)).stdout
    for path in builder.root.rglob("*"):
        if path.is_file():
            said[str(path)] = path.read_bytes().decode("utf-8", "replace")
    for secret in ("s3cr%40t-w0rd", "s3cr@t-w0rd"):
        assert [name for name, text in said.items() if secret in text] == []
    assert (builder.root / ".stagebook/mlflow.log").stat().st_size > 0
    assert (
        json.loads(next(builder.root.glob(".stagebook/runs/*/a/1/attempt.json")).read_bytes())["stage"] == "a"
    )
    assert Path(sys.executable).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.long
def test_ui_ends_mlflow_with_it_and_says_when_that_dies(
    builder: ProjectBuilder, number: signal.Signals
) -> None:
    builder.file("pipelines/none.yaml", "")
    with start(builder.root, "ui", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["url"].startswith("http://127.0.0.1:")
        children = psutil.Process(process.pid).children(recursive=True)
        assert not any("mlflow.db" in word for child in children for word in child.cmdline())
        if number is signal.SIGTERM:
            psutil.Process(process.pid).children()[0].kill()
            _, said = process.communicate(timeout=60)
            assert process.returncode == 1
            assert "MLflow ended by itself" in said
        else:
            process.send_signal(number)
            process.communicate(timeout=60)
            assert process.returncode == 0
    until(lambda: not any(child.is_running() for child in children), 60, "MLflow ends")
    assert (builder.root / "mlflow.db").stat().st_mode & 0o077 == 0


def test_ui_of_a_server_shows_no_login(builder: ProjectBuilder) -> None:
    builder.file("pipelines/none.yaml", "")
    uri = f"https://{LOGIN}@tracking.example/mlflow"
    done = stagebook(builder.root, "ui", "--json", env=environment(MLFLOW_TRACKING_URI=uri))
    assert json.loads(done.stdout) == {"url": "https://tracking.example/mlflow", "pages": {}}
