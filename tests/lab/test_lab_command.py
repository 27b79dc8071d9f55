"""`stagebook lab`: JupyterLab on this project, on loopback, ended with the command."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from building import ProjectBuilder
from lab.server import TOKEN, Lab, status, until
from stagebook.cli.lab import command
from stagebook.system.ports import free_port


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_what_is_started_is_on_loopback_and_takes_kept_kernels(builder: ProjectBuilder) -> None:
    builder.pipeline("stages: {a: {notebook: notebooks/a.ipynb}}\n")
    words = command(builder.project, 8123, open_browser=False)
    assert "--ServerApp.ip=127.0.0.1" in words
    assert f"--ServerApp.root_dir={builder.root}" in words
    assert "--ServerApp.allow_external_kernels=True" in words
    assert {"--no-browser", "--ServerApp.port=8123"} <= set(words)
    assert "--no-browser" not in command(builder.project, None, open_browser=True)


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.long
def test_it_serves_the_project_and_ends(builder: ProjectBuilder, tmp_path: Path, number: int) -> None:
    builder.notebook("a", "1")
    builder.pipeline("stages: {a: {notebook: notebooks/a.ipynb}}\n")
    below = builder.root / "notebooks"
    port = free_port()
    folders = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    process = subprocess.Popen(
        [sys.executable, "-m", "stagebook", "lab", "--no-browser", f"--port={port}", "--", "--allow-root",
         f"--IdentityProvider.token={TOKEN}"],
        cwd=below, env={**os.environ, **folders}, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        running = Lab(url=f"http://127.0.0.1:{port}", project=builder, process=process)
        pipelines = f"{running.url}/stagebook/pipelines"
        until(lambda: process.poll() is not None or status(pipelines) == 200)
        assert process.poll() is None
        assert [one["key"] for one in running.ask("pipelines")["pipelines"]] == ["p"]
        assert status(f"{running.url}/ploomber-extension/healthcheck") == 404
        process.send_signal(number)
        assert process.wait(timeout=30) == 0
        assert not is_open(port)
    finally:
        process.kill()


def test_without_jupyterlab_it_says_what_to_install(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stagebook.cli import lab
    from stagebook.errors import UsageError

    builder.pipeline("stages: {a: {notebook: notebooks/a.ipynb}}\n")
    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UsageError) as caught:
        lab.lab()
    assert caught.value.hint == "in this checkout: make setup-test"
