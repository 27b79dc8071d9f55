"""What is told of runs that ended, in a real browser."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from lab.browser.page import GOOD, LONG, choose, expect_state, line, panel, restored
from lab.server import Lab, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SAVE = "text => window.jupyterapp.serviceManager.settings.save('@stagebook/lab:plugin', text)"
# In the place of the browser's own notifications, which nobody can look at here.
FAKE = """
    window.told = [];
    window.asked = 0;
    window.Notification = class {
        static permission = 'default';
        static async requestPermission() {
            window.asked += 1;
            window.Notification.permission = 'granted';
            return 'granted';
        }
        constructor(title, { body }) {
            window.told.push(`${title}: ${body}`);
        }
        close() {}
    };
    document.hasFocus = () => false;
"""


@contextlib.contextmanager
def settings(page: Page, text: str) -> Iterator[None]:
    """JupyterLab with settings of ours, which are those by default afterwards."""
    page.evaluate(SAVE, text)
    page.reload()
    restored(page)
    expect(page.get_by_role("combobox", name="Pipeline").first).to_be_visible()
    try:
        yield
    finally:
        page.evaluate(SAVE, "{}")


def notices(page: Page, text: str) -> Locator:
    """The notifications that are shown and have a text."""
    return page.locator(".Toastify__toast").filter(has_text=text)


def run_to_the_end(page: Page, pipeline: str, stage: str, state: str | re.Pattern[str]) -> None:
    choose(page, pipeline)
    panel(page).get_by_role("button", name="Run all").click()
    expect_state(line(page, stage), state)
    expect(panel(page).get_by_role("button", name="Run all")).to_be_enabled()


@pytest.mark.long
def test_the_end_of_a_long_run_is_told_and_leads_to_what_failed(page: Page, lab: Lab) -> None:
    with settings(page, '{"notifyAfter": 0}'):
        run_to_the_end(page, "fails", "fails", "failed")
        told = notices(page, "fails: failed in")
        expect(told).to_contain_text("fails failed: KeyError: 'b'")
        choose(page, "talks")
        told.get_by_role("button", name="Open").click()
        expect(page.get_by_role("complementary", name="The stage fails")).to_be_visible()
        expect(page.get_by_role("combobox", name="Pipeline").first).to_have_value("fails")
        # Others that run are told as well: here one in a terminal, of a pipeline that is not open.
        assert lab.stagebook("run", "again", "--force").wait(90) == 0
        expect(notices(page, "again: completed in")).to_be_visible()


@pytest.mark.long
def test_of_a_short_run_and_of_a_cancelled_one_nothing_is_told(page: Page, lab: Lab) -> None:
    run_to_the_end(page, "fails", "fails", "failed")
    choose(page, "slow")
    panel(page).get_by_role("button", name="Run all").click()
    # Longer than the ten seconds from which on the end of a run is told.
    expect(line(page, "wait")).to_contain_text("cell 12 of 41", timeout=LONG)
    panel(page).get_by_role("button", name="Cancel").click()
    expect_state(line(page, "wait"), "cancelled")
    expect(panel(page).get_by_role("button", name="Run all")).to_be_enabled()
    for text in ("fails: failed", "slow: "):
        expect(notices(page, text)).to_have_count(0)


@pytest.mark.long
def test_the_browser_tells_it_where_that_is_wished_and_asks_first(page: Page, lab: Lab) -> None:
    page.add_init_script(FAKE)
    with settings(page, '{"notifyAfter": 0}'):
        choose(page, "talks")
        panel(page).get_by_role("button", name="Run all").click()
        expect(notices(page, "talks: completed in")).to_be_visible()  # for ten seconds
        assert page.evaluate("[window.asked, window.told]") == [0, []]
    with settings(page, '{"notifyAfter": 0, "browserNotifications": true}'):
        until(lambda: page.evaluate("window.asked") == 1)
        run_to_the_end(page, "fails", "fails", "failed")
        told = until(lambda: page.evaluate("window.told"))
        assert told[0].startswith("Stagebook: fails: failed in ")
        run_to_the_end(page, "again", "report", GOOD)
