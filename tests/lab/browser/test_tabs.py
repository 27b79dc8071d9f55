"""The tabs of the main area, and what is left of them after a reload."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from lab.browser.page import LONG, choose, execute, expect_state, line, wait_until_kept

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CURRENT = "window.jupyterapp.shell.currentWidget?.id"
TABS = "[...window.jupyterapp.shell.widgets('main')].map(one => one.id).filter(id => id.startsWith('stagebook-'))"


@pytest.mark.long
def test_tabs_and_the_pipeline_come_back_after_a_reload(page: Page, lab) -> None:
    choose(page, "limits")
    assert lab.stagebook("run", "limits").wait(90) == 0
    expect_state(line(page, "limits"), "up to date")
    operations = ("open-schedules", "open-incidents", "open-runs-over-time")
    for command in ("open-graph", "open-changes", "open-log", *operations, "open-runs"):
        execute(page, f"stagebook:{command}", stage="limits")
        tab = "stagebook-" + command.removeprefix("open-")
        is_of_stage = command in {"open-changes", "open-log"}  # its name is longer
        shown = f"{CURRENT}?.startsWith('{tab}')" if is_of_stage else f"{CURRENT} === '{tab}'"
        page.wait_for_function(shown, timeout=LONG)
    before = page.evaluate(TABS)
    assert len(before) == 7
    wanted = [*before, '"limits"', '"current":"stagebook:stagebook-runs"']
    wait_until_kept(page, *wanted)

    page.reload()
    page.wait_for_function("window.jupyterapp?.restored.then(() => true)", timeout=LONG)
    assert page.evaluate(TABS) == before
    page.wait_for_function(f"{CURRENT} === 'stagebook-runs'", timeout=LONG)
    expect(page.get_by_role("combobox", name="Pipeline").first).to_have_value("limits", timeout=LONG)
    expect(page.locator(".sb-Tree")).to_contain_text("limits", timeout=LONG)
    expect(page.get_by_role("table", name="Runs of limits")).to_contain_text("completed", timeout=LONG)
    execute(page, "stagebook:open-changes", stage="limits")
    expect(page.locator(".sb-Page")).to_contain_text("0 of 3 cells differ", timeout=LONG)
    execute(page, "stagebook:open-log", stage="limits")
    expect(page.locator(".sb-Log")).to_have_count(1)
    expect(page.locator(".sb-Log")).to_contain_text("it printed nothing", timeout=LONG)
