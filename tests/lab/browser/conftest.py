"""One JupyterLab and, for each module, one browser. Each test has a page of its own.

Where no Chromium is found the tests are skipped; with `STAGEBOOK_NEED_BROWSER=1`, which CI sets, they
fail instead.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from lab.browser.page import FLAGS, LONG, NAMES, open_page
from lab.browser.projects import make_project
from lab.server import Lab, running_lab

# Five seconds by default, which a busy machine takes for a click.
expect.set_options(timeout=LONG)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for all tests that leave it alone."""
    with running_lab(tmp_path_factory.mktemp("lab"), make_project) as running:
        yield running


@pytest.fixture
def own_lab(tmp_path: Path) -> Iterator[Lab]:
    """A JupyterLab for one test, which may end it."""
    with running_lab(tmp_path, make_project) as running:
        yield running


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the browser, which keeps its cache from module to module."""
    return tmp_path_factory.mktemp("browser")


# Not of the session: while Playwright runs, no other event loop does, and the tests of routes need theirs.
@pytest.fixture(scope="module")
def browser(profile: Path) -> Iterator[BrowserContext]:
    """Debian's Chromium, or another one that is installed. Its cache, also of compiled scripts, is shared by all pages."""
    executable = next((found for name in NAMES if (found := shutil.which(name))), None)
    if executable is None:
        message = "no Chromium is installed; on Debian: apt install chromium"
        if os.environ.get("STAGEBOOK_NEED_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=executable, args=list(FLAGS), viewport={"width": 1280, "height": 760}
        )
        yield context
        context.close()


@pytest.fixture
def page(browser: BrowserContext, lab: Lab) -> Iterator[Page]:
    """A page with the panel open. Errors on its console fail the test."""
    with open_page(browser, lab) as (opened, errors):
        yield opened
        assert errors == []
