"""States that come and go, by the rules of axe-core in both themes: dialogs, mistakes, what stands below a table, documents."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from lab.browser.page import LONG, choose, execute, open_form, panel
from lab.browser.test_accessibility import AXE, violations
from lab.browser.test_operations import day
from lab.browser.test_pictures import STILL, THEMES, make_project
from lab.server import Lab, running_lab

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.long,
    pytest.mark.timeout(300),
    # test_accessibility.py says so.
    pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed"),
]


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab whose project has runs to compare, a failure, and an incident."""
    with running_lab(tmp_path_factory.mktemp("states"), make_project) as running:
        for words, code in (
            (("sweep", "houses", "-p", "depth=[2, 8]"), 0),
            (("run", "houses", "-p", "rate=-1"), 1),
            (("run", "days", "--interval", day(9)), 0),
            (("run", "days", "--interval", day(7)), 1),
        ):
            assert running.stagebook(*words).wait(120) == code, words
        yield running


def check(page: Page, *views: str, hovers: str = "") -> None:
    """All rules hold in these views, as they are now, in each theme. `hovers`: where the mouse has to be for them to be there."""
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=AXE)
    found = {}
    for theme in THEMES.values():
        execute(page, "apputils:change-theme", theme=theme)
        expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
        page.wait_for_function(STILL)  # colours fade
        if hovers:
            page.mouse.move(2, 2)
            page.locator(hovers).hover()
        for view in views:
            expect(page.locator(view).first).to_be_visible()
            found[f"{view}, {theme}"] = violations(page, view)
    assert {view: problems for view, problems in found.items() if problems} == {}


def test_the_dialogs_of_authoring(page: Page) -> None:
    choose(page, "houses")
    panel(page).get_by_role("button", name="Stage", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name of the stage")).to_be_focused()
    page.keyboard.type("sum")
    dialog.get_by_label("Add an input", exact=True).select_option("load.table")
    dialog.get_by_role("button", name="Add an output").click()
    outputs = dialog.get_by_role("group", name="Outputs")
    outputs.get_by_label("Parameter of the notebook").fill("table")
    expect(outputs.get_by_text("This name is given twice.")).to_be_visible()
    dialog.get_by_label("Add a parameter").select_option(label="a value")
    check(page, ".jp-Dialog-content")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    execute(page, "stagebook:connect-stages", stage="report")
    expect(dialog.get_by_label("Output")).to_be_visible()
    check(page, ".jp-Dialog-content")
    page.keyboard.press("Escape")


def test_the_editor_with_a_mistake_and_the_stages_in_grey(page: Page, lab: Lab) -> None:
    choose(page, "growing")
    execute(page, "stagebook:open-graph")
    expect(page.locator(".sb-Node")).to_have_count(1)
    execute(page, "stagebook:open-pipeline-file")
    editor = page.locator(".jp-FileEditor .cm-content")
    expect(editor).to_contain_text("The prices", timeout=LONG)
    editor.click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("    retires: 2\n")
    mistakes = page.get_by_role("status", name="Mistakes in the pipeline")
    expect(mistakes.get_by_role("button")).to_be_visible(timeout=LONG)
    check(page, ".jp-FileEditor .sb-Mistakes", ".sb-Meaning", hovers=".sb-Mistake")
    page.mouse.move(2, 2)
    editor.click()
    page.keyboard.press("Control+End")
    page.keyboard.type("    inp")
    expect(page.locator(".cm-completionInfo")).to_be_visible()
    check(page, ".cm-tooltip-autocomplete")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+KeyS")
    execute(page, "stagebook:open-graph")
    expect(page.locator(".sb-Graph").get_by_role("alert")).to_be_visible(timeout=LONG)
    check(page, ".sb-Graph", ".sb-Panel")


def test_the_form_of_a_sweep(page: Page) -> None:
    choose(page, "houses")
    form = open_form(page)
    form.get_by_label("A run for each of several values").check()
    form.get_by_label("depth", exact=True).fill("[4, 16, 32]")
    expect(form.locator(".sb-Workload")).to_contain_text("3 points")
    check(page, ".sb-RunForm")
    form.get_by_label("rate", exact=True).fill("fast")
    expect(form.get_by_role("alert")).to_be_visible()
    check(page, ".sb-RunForm")
    form.get_by_role("button", name="Set all back").click()


def test_a_backfill_and_the_dialogs_that_ask_for_a_text(page: Page) -> None:
    choose(page, "days")
    execute(page, "stagebook:backfill")
    form = page.get_by_role("form", name="Backfill")
    form.get_by_role("button", name="Plan").click()
    expect(form.get_by_role("alert").first).to_be_visible()
    check(page, "#stagebook-runs-over-time")
    form.get_by_label("From", exact=True).fill(day(6))
    form.get_by_label("To", exact=True).fill(day(4))
    form.get_by_role("button", name="Plan").click()
    expect(form.get_by_role("table", name="The plan of the backfill")).to_be_visible(timeout=LONG)
    check(page, "#stagebook-runs-over-time")
    execute(page, "stagebook:open-incidents")
    for button in ("Acknowledge", "Note", "Close"):
        one = page.get_by_role("article", name="days.load: failure")
        one.get_by_role("button", name=button).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        check(page, ".jp-Dialog-content")
        page.keyboard.press("Escape")
    execute(page, "stagebook:open-schedules")
    page.get_by_role("button", name="Pause days/daily").click()
    check(page, ".jp-Dialog-content")
    page.keyboard.press("Escape")


def test_what_stands_below_the_table_of_runs(page: Page) -> None:
    choose(page, "houses")
    execute(page, "stagebook:open-runs")
    runs = page.get_by_role("table", name="Runs of houses")
    expect(page.get_by_role("region", name=re.compile("^fit in the run"))).to_be_visible(timeout=LONG)
    check(page, ".sb-TableView")
    for at in (0, 1, 2):
        runs.get_by_role("checkbox").nth(at).check()
    expect(page.get_by_role("table", name="Comparison")).to_be_visible()
    check(page, ".sb-TableView")
    page.get_by_role("button", name="Plot").click()
    page.get_by_label("Vertical axis").select_option("loss")
    page.get_by_label("Horizontal axis").select_option("depth")
    expect(page.locator(".sb-Scatter")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Columns")).click()
    check(page, ".sb-TableView")


def test_a_log_that_is_searched_and_an_executed_notebook(page: Page) -> None:
    choose(page, "houses")
    execute(page, "stagebook:open-log", stage="load")
    expect(page.get_by_role("log")).to_contain_text("row 199", timeout=LONG)
    page.get_by_label("Search the log").fill("row 17")
    expect(page.locator(".sb-LogLine[data-found='true']")).to_be_visible()
    check(page, ".sb-Log")
    page.get_by_label("Level").select_option("info")
    page.get_by_label("Search the log").fill("rows")
    check(page, ".sb-Log")
    execute(page, "stagebook:open-failing-cell", stage="fit")
    active = page.locator(".jp-NotebookPanel:visible .jp-mod-active")
    expect(active).to_contain_text("ValueError", timeout=LONG)
    # JupyterLab's own toolbar and editors do not keep all rules.
    check(page, ".jp-NotebookPanel .sb-BadgePlace", ".jp-NotebookPanel .jp-OutputArea-output")
