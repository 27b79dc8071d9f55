"""A page of JupyterLab with the panel, what tests look for in it, and how they act on it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, expect

from lab.server import TOKEN, Lab, until

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
# The browser itself tells on its console what the server refuses because of mistakes.
EXPECTED = ("stagebook/plan?", "stagebook/stages", "stagebook/preview?", "stagebook/backfills/plan?")

PICTURES = Path(__file__).parents[3] / "docs" / "images"
LONG = 90_000  # milliseconds until a run has done something, on a busy machine
GOOD = re.compile(r"completed|reused|up to date")


CLOSE_GRAPH = "[...window.jupyterapp.shell.widgets('main')].find(one => one.id === 'stagebook-graph').close()"
# A launcher that comes to the front while the page is still being laid out does not always get the focus by that.
LAUNCHER_HAS_FOCUS = """() => {
    const shell = window.jupyterapp.shell;
    if (document.activeElement === document.body && shell.currentWidget) shell.activateById(shell.currentWidget.id);
    return document.activeElement !== document.body;
}"""


@contextlib.contextmanager
def _loaded(browser: BrowserContext, lab: Lab) -> Iterator[tuple[Page, list[str]]]:
    opened = browser.new_page()
    errors: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        where = message.location.get("url", "")
        if message.type == "error" and not any(text in where for text in EXPECTED):
            errors.append(f"{message.text} ({where})")

    opened.on("console", hear)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(f"{lab.url}/lab?token={TOKEN}&reset")
    restored(opened)
    expect(opened.locator(".sb-Graph")).to_be_visible(timeout=60_000)
    yield opened, errors
    opened.close()


@contextlib.contextmanager
def first_opening(browser: BrowserContext, lab: Lab) -> Iterator[tuple[Page, list[str]]]:
    """A page with the panel and the graph, as at the first opening, and the errors of its console, which may still grow."""
    with _loaded(browser, lab) as (opened, errors):
        expect(opened.get_by_role("combobox", name="Pipeline").first).to_be_visible(timeout=60_000)
        opened.wait_for_url(lambda url: "reset" not in url)  # else a reload would reset what is kept
        yield opened, errors


@contextlib.contextmanager
def open_page(browser: BrowserContext, lab: Lab) -> Iterator[tuple[Page, list[str]]]:
    """A page with the panel and the launcher, and the errors of its console."""
    with _loaded(browser, lab) as (opened, errors):
        # Tests begin with the launcher, which takes the focus from the graph: that has to have it before.
        expect(opened.locator(".sb-Graph:focus, .sb-Graph :focus")).to_be_visible(timeout=60_000)
        opened.evaluate(CLOSE_GRAPH)
        expect(opened.locator(".jp-Launcher")).to_be_visible(timeout=60_000)
        opened.wait_for_function(LAUNCHER_HAS_FOCUS, timeout=60_000)
        opened.wait_for_url(lambda url: "reset" not in url)
        execute(opened, "stagebook:open-panel")
        expect(opened.get_by_role("combobox", name="Pipeline")).to_be_visible(timeout=20_000)
        yield opened, errors


def restored(page: Page) -> None:
    """Wait until a page that is loaded again is as it was."""
    page.wait_for_function("window.jupyterapp?.restored.then(() => true)", timeout=LONG)


def choose(page: Page, pipeline: str) -> None:
    page.get_by_role("combobox", name="Pipeline").first.select_option(pipeline)


def execute(page: Page, command: str, **arguments: object) -> None:
    """Run a command of JupyterLab, without waiting for its end."""
    page.evaluate("([id, args]) => { window.jupyterapp.commands.execute(id, args); }", [command, arguments])


def is_enabled(page: Page, command: str, **arguments: object) -> bool:
    asked = "([id, args]) => window.jupyterapp.commands.isEnabled(id, args)"
    return bool(page.evaluate(asked, [command, arguments]))


def panel(page: Page) -> Locator:
    return page.locator(".sb-Panel")


def choose_way(page: Page, way: str) -> None:
    """Choose one of the other ways to run, in the menu of the panel."""
    panel(page).get_by_role("button", name="Other ways to run").click()
    page.get_by_role("menuitem", name=way, exact=True).click()


def open_form(page: Page) -> Locator:
    """The form for a run, opened by the menu of the panel."""
    choose_way(page, "Run with Parameters, Stages and Options …")
    form = page.get_by_role("form", name="What to run")
    expect(form).to_be_visible()
    return form


def line(page: Page, name: str) -> Locator:
    """The line of a stage in the panel."""
    return page.get_by_role("treeitem", name=re.compile(rf"^{re.escape(name)}, "))


def node(page: Page, name: str) -> Locator:
    """The node of a stage in the graph."""
    return page.locator(f'.sb-Node[data-key="{name}"]')


def expect_state(where: Locator, state: str | re.Pattern[str]) -> None:
    expect(where).to_have_attribute("data-state", state, timeout=LONG)


FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def drawn(page: Page) -> None:
    """Wait until what is due has been drawn."""
    page.evaluate(FRAMES)


WATCH = """name => {
    const seen = window.seen = [];
    new MutationObserver(() => {
        const line = [...document.querySelectorAll('.sb-Panel [role=treeitem]')]
            .find(one => one.getAttribute('aria-label').startsWith(name + ', '));
        const state = line?.dataset.state;
        if (state && state !== seen.at(-1)) {
            seen.push(state);
        }
    }).observe(document.body, {subtree: true, childList: true, attributes: true});
}"""


def watch(page: Page, name: str) -> None:
    """Note all states that the line of a stage shows from now on."""
    page.evaluate(WATCH, name)


def seen(page: Page) -> list[str]:
    """The states that were noted, in order."""
    found = page.evaluate("window.seen")
    assert isinstance(found, list)
    return found


KEPT = """async wanted => {
    const { data } = await window.jupyterapp.serviceManager.workspaces.fetch('default');
    const kept = JSON.stringify(data);
    return wanted.every(text => kept.includes(text));
}"""


def wait_until_kept(page: Page, *texts: str) -> None:
    """Wait until JupyterLab has written what it keeps of this page over a reload, which it does a while after a change."""
    until(lambda: page.evaluate(KEPT, list(texts)))


def picture(page: Page, name: str) -> None:
    """A picture for the docs, where they are made anew."""
    if os.environ.get("STAGEBOOK_PICTURES"):
        page.mouse.move(640, page.viewport_size["height"] - 25 if page.viewport_size else 735)
        page.wait_for_timeout(400)
        # A notification would hide what the picture is about.
        page.screenshot(path=PICTURES / f"{name}.png", style=".Toastify__toast { display: none; }")
