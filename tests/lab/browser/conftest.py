"""A real JupyterLab on a small project, and a real browser that looks at it.

Where no Chromium is found the tests are skipped; with `STAGEBOOK_NEED_BROWSER=1`, which CI sets, they
fail instead.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from building import ProjectBuilder
from lab.browser.seeing import execute

TOKEN = "only-for-tests"
REPOSITORY = Path(__file__).parents[3]
USER = "user/ada@home"  # the base URL, as on a hub
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
START = 120.0  # seconds until JupyterLab has to answer
# What the server refuses, because of mistakes, the browser itself tells on the console.
EXPECTED = ("stagebook/plan?", "stagebook/stages")


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

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The JSON of one of our routes."""
        request = urllib.request.Request(
            f"{self.url}/stagebook/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {TOKEN}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())


def make_project(root: Path) -> ProjectBuilder:
    """Pipelines that do what a user meets: a matrix, a failure, something slow, mistakes."""
    builder = ProjectBuilder(root)
    builder.without_tracking()
    builder.notebook("work", "import time", "time.sleep(pause)", "print('worked')", params="pause = 0.2")
    builder.notebook("slow", "import time", *["time.sleep(1)"] * 40)
    builder.notebook("bad", "x = {'a': 1}", "x['b']", "print('never')")
    demo = """
        name: demo
        description: A small pipeline with a matrix.
        params:
          pause: {type: float, default: 0.2, help: seconds that each stage takes}
        stages:
          load:
            notebook: notebooks/work.ipynb
            description: Loads what the others need.
            params: {pause: "${params.pause}"}
          clean: {notebook: notebooks/work.ipynb, after: [load]}
          fit:
            notebook: notebooks/work.ipynb
            matrix: {depth: [2, 4, 8, 16]}
            after: [clean]
          audit: {notebook: notebooks/work.ipynb, after: [load]}
          compare: {notebook: notebooks/work.ipynb, after: [fit, audit]}
          report: {notebook: notebooks/work.ipynb, after: [compare, clean]}
        """
    builder.pipeline(demo, "demo")
    builder.pipeline(demo.replace("name: demo", "name: again"), "again")
    builder.pipeline(
        """
        stages:
          before: {notebook: notebooks/work.ipynb}
          wait: {notebook: notebooks/slow.ipynb, after: [before]}
          after: {notebook: notebooks/work.ipynb, after: [wait]}
        """,
        "slow",
    )
    builder.pipeline(
        """
        stages:
          fine: {notebook: notebooks/work.ipynb}
          fails: {notebook: notebooks/bad.ipynb, after: [fine]}
          follows: {notebook: notebooks/work.ipynb, after: [fails]}
        """,
        "fails",
    )
    builder.notebook("broken", "x = {'a': 1}", "x['b']", "print('never')")
    builder.pipeline(
        """
        stages:
          fine: {notebook: notebooks/work.ipynb}
          breaks: {notebook: notebooks/broken.ipynb, after: [fine]}
          follows: {notebook: notebooks/work.ipynb, after: [breaks]}
        """,
        "breaks",
    )
    builder.pipeline("stages:\n  one: {notebook: notebooks/gone.ipynb, tiemout: 3}\n", "mistaken")
    builder.notebook("typed", "print('count is', count)", params="count = 1\nsize = ''\nloud = False")
    builder.notebook("later", "print('later')", params="made = ''")
    builder.pipeline(
        """
        # The form is made from this.
        params:
          count: {type: int, default: 3, help: how many there are}
          size: {type: "Literal['small', 'large']", default: small}
          loud: false
          until: {type: date | None, default: null}
        stages:
          # The first one.
          begin:
            notebook: notebooks/typed.ipynb
            params: {count: "${params.count}", size: "${params.size}", loud: "${params.loud}"}
          middle: {notebook: notebooks/later.ipynb, after: [begin]}
          last: {notebook: notebooks/later.ipynb, after: [middle]}
        """,
        "form",
    )
    builder.notebook(
        "talks", "import time", *[f"print('line {at}', flush=True); time.sleep(0.4)" for at in range(12)]
    )
    builder.notebook("kept", "answer = 6 * 7", "raise RuntimeError('look at it')")
    builder.pipeline("stages:\n  talk: {notebook: notebooks/talks.ipynb}\n", "talks")
    builder.pipeline("stages:\n  kept: {notebook: notebooks/kept.ipynb}\n", "kept")
    return builder


@contextlib.contextmanager
def running_lab(home: Path, make: Callable[[Path], ProjectBuilder] = make_project) -> Iterator[Lab]:
    """A JupyterLab with settings of its own, in a process group of its own."""
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
            ],
            cwd=builder.root, env=environment, stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}/{USER}"
    try:
        until = time.monotonic() + START
        while not answers(f"{url}/api/status?token={TOKEN}"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.2)
        yield Lab(url=url, project=builder, process=process)
    finally:
        end_group(process)
        builder.close()
    assert "Traceback" not in log.read_text(), log.read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End the server and its kernels, and nothing else."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
            return


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for all tests that leave it alone."""
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def fresh_lab(tmp_path: Path) -> Iterator[Lab]:
    """A JupyterLab for one test, which may end it."""
    with running_lab(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or another one that is installed."""
    executable = next((found for name in NAMES if (found := shutil.which(name))), None)
    if executable is None:
        message = "no Chromium is installed; on Debian: apt install chromium"
        if os.environ.get("STAGEBOOK_NEED_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield started
        started.close()


def flights_project(root: Path) -> ProjectBuilder:
    """A copy of the reference project, without what runs leave behind."""
    for name in ("pipelines", "notebooks"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    builder = ProjectBuilder(root)
    builder.without_tracking()
    return builder


@pytest.fixture
def flights_lab(tmp_path: Path) -> Iterator[Lab]:
    """JupyterLab on the reference project."""
    with running_lab(tmp_path, flights_project) as running:
        yield running


@pytest.fixture
def page(browser: Browser, lab: Lab) -> Iterator[Page]:
    """A page with the panel open."""
    with open_page(browser, lab) as opened:
        yield opened


@contextlib.contextmanager
def open_page(browser: Browser, lab: Lab) -> Iterator[Page]:
    """A page with the panel open. Errors on its console fail the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 760})
    opened = context.new_page()
    errors: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        where = message.location.get("url", "")
        if message.type == "error" and not any(text in where for text in EXPECTED):
            errors.append(f"{message.text} ({where})")

    opened.on("console", hear)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(f"{lab.url}/lab?token={TOKEN}&reset")
    opened.wait_for_function("window.jupyterapp?.restored.then(() => true)", timeout=60_000)
    # The launcher comes after all that, and takes the focus.
    expect(opened.locator(".jp-Launcher")).to_be_visible(timeout=60_000)
    opened.wait_for_function("document.activeElement !== document.body", timeout=60_000)
    execute(opened, "stagebook:open-panel")
    expect(opened.get_by_role("combobox", name="Pipeline")).to_be_visible(timeout=20_000)
    yield opened
    context.close()
    assert errors == []
