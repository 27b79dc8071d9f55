"""What tests in the browser look for, and how they ask for it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

PICTURES = Path(__file__).parents[3] / "docs" / "images"
LONG = 90_000  # milliseconds until a run has done something, on a busy machine
OVER = re.compile(r"done|fresh")


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


def line(page: Page, name: str) -> Locator:
    """The line of a stage in the panel."""
    return page.get_by_role("treeitem", name=re.compile(rf"^{re.escape(name)}, "))


def node(page: Page, name: str) -> Locator:
    """The node of a stage in the graph."""
    return page.locator(f'.sb-Node[data-key="{name}"]')


def expect_state(where: Locator, state: str | re.Pattern[str]) -> None:
    expect(where).to_have_attribute("data-state", state, timeout=LONG)


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


def picture(page: Page, name: str) -> None:
    """A picture for the docs, where they are made anew."""
    if os.environ.get("STAGEBOOK_PICTURES"):
        page.mouse.move(640, 735)
        page.wait_for_timeout(400)
        page.screenshot(path=PICTURES / f"{name}.png")
