"""Where Stagebook is found, how a run is started and stopped, and what is told of it, in a real browser."""

from __future__ import annotations

import contextlib
import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from lab.browser.page import (
    CLOSE_GRAPH,
    GOOD,
    LONG,
    choose,
    execute,
    expect_state,
    is_enabled,
    line,
    node,
    panel,
    restored,
)  # fmt: skip
from lab.server import TOKEN, Lab, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

# What JupyterLab keeps of the choice, which it writes a while after a change.
KEPT = """async () => {
    const { data } = await window.jupyterapp.serviceManager.workspaces.fetch('default');
    return data['@stagebook/lab:choice'] ?? null;
}"""


def status(page: Page):
    """The item in the status bar."""
    return page.locator(".sb-Status")


def notice(page: Page, text: str | re.Pattern[str]):
    """A notification that is shown."""
    return page.locator(".Toastify__toast").filter(has_text=text)


@pytest.mark.long
def test_the_first_opening_shows_panel_and_graph_and_a_later_one_what_was_left(
    browser: BrowserContext, lab: Lab
) -> None:
    with contextlib.closing(browser.new_page()) as page:
        page.goto(f"{lab.url}/lab?token={TOKEN}&reset")
        expect(page.locator(".sb-Graph")).to_be_visible(timeout=LONG)
        expect(panel(page)).to_be_visible()
        page.wait_for_url(lambda url: "reset" not in url)
        choose(page, "limits")
        node(page, "after").click()
        details = page.get_by_role("complementary", name="The stage after")
        expect(details).to_be_visible()
        until(lambda: (page.evaluate(KEPT) or {}).get("stage") == "after")
        until(lambda: '"current":"stagebook:stagebook-graph"' in page.evaluate(ALL))

        page.reload()
        restored(page)
        expect(page.get_by_role("combobox", name="Pipeline").first).to_have_value("limits", timeout=LONG)
        expect(details).to_be_visible(timeout=LONG)
        expect(line(page, "after")).to_have_attribute("aria-selected", "true")

        # Who closed the graph is not shown it again.
        page.evaluate(CLOSE_GRAPH)
        expect(page.locator(".jp-Launcher")).to_be_visible(timeout=LONG)
        until(lambda: "stagebook-graph" not in page.evaluate(ALL))
        page.reload()
        restored(page)
        expect(page.get_by_role("combobox", name="Pipeline").first).to_have_value("limits", timeout=LONG)
        expect(page.locator(".jp-Launcher")).to_be_visible(timeout=LONG)
        expect(page.locator(".sb-Graph")).to_have_count(0)


# All that JupyterLab keeps of this page.
ALL = """async () => {
    const { data } = await window.jupyterapp.serviceManager.workspaces.fetch('default');
    return JSON.stringify(data);
}"""


def test_the_launcher_and_the_menu_lead_to_everything(page: Page, lab: Lab) -> None:
    page.locator(".jp-LauncherCard").filter(has_text="Stagebook").click()
    expect(page.locator(".sb-Graph")).to_be_visible()
    expect(page.locator(".jp-Launcher")).to_have_count(0)
    page.get_by_role("menuitem", name="Stagebook", exact=True).click()
    menu = page.get_by_role("menu")
    for entry in ("Open the Runs", "Run with Parameters, Stages and Options …", "New Stage …"):
        expect(menu.get_by_role("menuitem", name=entry, exact=True)).to_be_visible()
    menu.get_by_role("menuitem", name="Open the Schedules", exact=True).click()
    expect(page.locator("#stagebook-schedules")).to_be_visible()
    # No entry is there twice.
    page.get_by_role("menuitem", name="View", exact=True).click()
    entries = page.locator(".lm-Menu-item")  # those that open a menu have no role
    expect(entries.filter(has_text="Activate Command Palette")).to_be_visible()
    expect(entries.filter(has_text=re.compile("^Stagebook"))).to_have_count(0)


def test_the_views_are_one_row_of_icons_with_names(page: Page, lab: Lab) -> None:
    bar = panel(page).get_by_role("toolbar", name="Views")
    names = ["Graph", "Runs", "Over time", "Schedules", "Incidents", "Environments", "Figures"]
    buttons = bar.get_by_role("button")
    expect(buttons).to_have_text(names)
    tops = {button.bounding_box()["y"] for button in buttons.all()}  # type: ignore[index]
    assert len(tops) == 1, "nothing wraps"
    edge = panel(page).bounding_box()
    last = buttons.last.bounding_box()
    assert edge is not None
    assert last is not None
    assert edge["width"] <= 260
    assert last["x"] + last["width"] <= edge["x"] + edge["width"]
    # One tab stop, and the arrow keys within.
    bar.get_by_role("button", name="Graph").focus()
    page.keyboard.press("ArrowRight")
    expect(bar.get_by_role("button", name="Runs")).to_be_focused()
    page.keyboard.press("End")
    expect(bar.get_by_role("button", name="Figures")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(bar.get_by_role("button", name="Graph")).to_be_focused()
    assert bar.locator("[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    expect(page.locator(".sb-Graph")).to_be_visible()


@pytest.mark.long
def test_the_status_bar_tells_what_runs_and_what_failed(page: Page, lab: Lab) -> None:
    choose(page, "fails")
    panel(page).get_by_role("button", name="Run all").click()
    expect(status(page)).to_have_text(re.compile(r"^▶ fails \d/3$"))
    expect(status(page)).to_have_text("✗ fails: 1 failed")
    expect(status(page)).to_have_attribute("aria-label", "Stagebook: fails: 1 failed")
    execute(page, "launcher:create")
    expect(page.locator(".sb-Graph")).to_have_count(0)
    status(page).click()
    expect(page.get_by_role("complementary", name="The stage fails")).to_be_visible()
    choose(page, "again")
    expect(status(page)).not_to_have_text(re.compile("fails"))
    panel(page).get_by_role("button", name="Run all").click()
    expect(status(page)).to_have_text("✓ again")


@pytest.mark.long
def test_a_run_that_does_nothing_says_so_and_keeps_what_is_known(page: Page, lab: Lab) -> None:
    choose(page, "again")
    execute(page, "stagebook:run-all-again")
    expect(panel(page).get_by_role("button", name="Cancel")).to_be_visible()
    expect(panel(page).locator(".sb-Run")).to_contain_text("completed")
    expect_state(line(page, "report"), GOOD)
    detail = line(page, "report").locator(".sb-Detail")
    expect(detail).to_have_text(re.compile(r"^completed (just now|\d+ min ago), \d+\.\d s$"))
    took = detail.inner_text().rpartition(", ")[2]
    count = len(lab.ask("runs?pipeline=again")["runs"])
    panel(page).get_by_role("button", name="Run all").click()
    expect(notice(page, "again: nothing to do, all 9 stages are up to date")).to_be_visible()
    expect(panel(page).locator(".sb-Run")).to_contain_text("nothing to do")
    expect(panel(page).locator(".sb-Counts").first).to_contain_text("9 up to date")
    assert len(lab.ask("runs?pipeline=again")["runs"]) == count + 1
    expect(detail).to_have_text(
        re.compile(rf"^completed .* ago, {re.escape(took)}$|^completed just now, {re.escape(took)}$")
    )


@pytest.mark.long
def test_a_cancelled_run_stops_by_itself_and_is_killed_only_when_confirmed(page: Page, lab: Lab) -> None:
    lab.project.notebook("deaf", "import signal, time", DEAF)
    lab.project.pipeline("stages:\n  deaf: {notebook: notebooks/deaf.ipynb}\n", "deaf")
    execute(page, "stagebook:refresh")
    expect(page.get_by_role("combobox", name="Pipeline").first.locator("option[value=deaf]")).to_be_attached()
    choose(page, "deaf")
    panel(page).get_by_role("button", name="Run all").click()
    expect(line(page, "deaf")).to_contain_text("cell 2 of 2", timeout=LONG)
    panel(page).get_by_role("button", name="Cancel").click()
    expect(panel(page).locator(".sb-Run")).to_contain_text("cancelling …")
    kill = panel(page).get_by_role("button", name="Kill now")
    expect(kill).to_be_visible()
    expect(status(page)).to_have_text("■ deaf 0/1")
    assert not is_enabled(page, "stagebook:cancel"), "asked twice it would be killed"
    kill.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("notebooks are not saved")
    dialog.get_by_role("button", name="Let it stop").click()
    expect(kill).to_be_visible()
    kill.click()
    dialog.get_by_role("button", name="Kill now").click()
    expect(panel(page).get_by_role("button", name="Run all")).to_be_enabled(timeout=5_000)
    expect_state(line(page, "deaf"), "cancelled")


# The cell does not stop for an interrupt, so the run waits its grace of some seconds.
DEAF = """signal.signal(signal.SIGINT, signal.SIG_IGN)
for at in range(600):
    time.sleep(0.1)"""
