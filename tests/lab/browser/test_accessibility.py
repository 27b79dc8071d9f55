"""Every view by the rules of axe-core (WCAG 2.1, A and AA), in the light and in the dark theme."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lab.browser.page import LONG, choose, execute, line, node, open_form, panel, picture

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

AXE = Path(__file__).parents[3] / "jupyter_extension/node_modules/axe-core/axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


def violations(page: Page, view: str) -> list[str]:
    """What is wrong with a view, by rule and place."""
    found = page.evaluate(
        "async ([view, tags]) => (await axe.run(view, {runOnly: {type: 'tag', values: tags}})).violations",
        [view, TAGS],
    )
    return [
        f"{rule['id']}: {place['html'][:160]} {place['failureSummary'][:300]}"
        for rule in found
        for place in rule["nodes"]
    ]


@pytest.mark.long
def test_every_view_keeps_the_rules_in_both_themes(page: Page, lab) -> None:
    if not AXE.is_file():
        message = "axe-core is not installed: python jupyter_extension/tools/front_end.py check"
        if os.environ.get("STAGEBOOK_NEED_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    page.add_script_tag(path=AXE)
    choose(page, "again")
    for command in ("run-only-this-again", "run-all-again"):
        execute(page, f"stagebook:{command}", stage="load")
        expect(panel(page).get_by_role("button", name="Cancel")).to_be_visible(timeout=LONG)
        expect(panel(page).get_by_role("button", name="Run all")).to_be_enabled(timeout=LONG)
    open_form(page)
    page.get_by_label("pause", exact=True).fill("")
    expect(page.get_by_role("form").get_by_role("alert")).to_be_visible()
    line(page, "clean").click(modifiers=["Control"])
    views = {
        "stagebook:run-with": (".sb-RunForm", ".sb-RunForm [aria-invalid='true']"),
        "stagebook:open-graph": (".sb-Graph", ".sb-Node"),
        "stagebook:open-runs": (".sb-RunsView", ".sb-Gantt"),
        "stagebook:open-changes": (".sb-Page", ".sb-Page h2"),
        "stagebook:open-log": (".sb-Log", ".sb-Log .sb-LogLine"),
        "stagebook:open-notebook": (".sb-BadgePlace", ".sb-Badge"),
        "stagebook:open-schedules": ("#stagebook-schedules", "#stagebook-schedules .sb-None"),
        "stagebook:open-incidents": ("#stagebook-incidents", "#stagebook-incidents h1"),
        "stagebook:open-figures": ("#stagebook-figures", "#stagebook-figures .sb-Figures"),
        "stagebook:backfill": ("#stagebook-runs-over-time", "#stagebook-runs-over-time .sb-Square"),
    }
    found: dict[str, list[str]] = {}
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        execute(page, "apputils:change-theme", theme=theme)
        expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
        page.wait_for_function("document.getAnimations().length === 0")  # colours fade
        found[f"panel, {theme}"] = violations(page, ".sb-Panel")
        for command, (view, shown) in views.items():
            execute(page, command, stage="compare")
            expect(page.locator(shown).first).to_be_visible(timeout=LONG)
            found[f"{view}, {theme}"] = violations(page, view)
            if view == ".sb-RunsView" and theme.endswith("Dark"):
                picture(page, "lab-runs-dark")
    execute(page, "stagebook:open-runs")
    for at in (0, 1):
        page.locator(".sb-Runs").get_by_role("checkbox").nth(at).check()
    expect(page.get_by_role("table", name="Comparison")).to_be_visible(timeout=LONG)
    found["comparison"] = violations(page, ".sb-TableView")
    page.get_by_role("button", name="Plot").click()
    page.get_by_role("button", name=re.compile("^Columns")).click()
    expect(page.locator(".sb-Scatter")).to_be_visible()
    found["plot"] = violations(page, ".sb-TableView")
    assert {view: problems for view, problems in found.items() if problems} == {}


@pytest.mark.long
def test_details_previews_and_the_list_keep_the_rules_in_both_themes(page: Page, lab) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: python jupyter_extension/tools/front_end.py check")
    page.add_script_tag(path=AXE)
    lab.stagebook("run", "cards").wait(120)
    choose(page, "cards")
    execute(page, "stagebook:open-graph")
    found: dict[str, list[str]] = {}
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        execute(page, "apputils:change-theme", theme=theme)
        expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
        page.wait_for_function("document.getAnimations().length === 0")  # colours fade
        node(page, "leaves").click()
        outputs = page.get_by_role("list", name="Outputs")
        for name in ("csv", "json", "svg"):
            button = outputs.get_by_role("button", name=f"Preview of data/cards.{name}")
            if button.get_attribute("aria-expanded") == "false":
                button.click()
        expect(outputs.get_by_role("table")).to_be_visible()
        expect(outputs.get_by_role("img")).to_be_visible()
        found[f"details, {theme}"] = violations(page, ".sb-Graph")
        modes = page.get_by_role("group", name="Show as")
        modes.get_by_role("button", name="List").click()
        expect(page.get_by_role("table", name="Stages of cards")).to_be_visible()
        found[f"list, {theme}"] = violations(page, ".sb-Graph")
        modes.get_by_role("button", name="Graph").click()
        expect(node(page, "leaves")).to_be_visible()
    assert {view: problems for view, problems in found.items() if problems} == {}
