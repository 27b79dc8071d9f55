"""Pictures of every view, in both themes and two sizes, for somebody who looks at them one by one.

They are made only with `STAGEBOOK_PICTURES`: in the folder that it names, or with `1` in one of the tests' own.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from building import ProjectBuilder
from lab.browser.journey_project import make_journeys
from lab.browser.page import LONG, choose, drawn, execute, expect_state, line, node, open_form, panel
from lab.browser.test_operations import COPY, LOAD, PIPELINE, day, live
from lab.server import Lab, running_lab

WANTED = os.environ.get("STAGEBOOK_PICTURES", "")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not WANTED, reason="pictures are made with STAGEBOOK_PICTURES alone"),
]

THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
STILL = """document.getAnimations().every(
    one => one.playState !== 'running' || one.effect.getTiming().iterations === Infinity
)"""
SIZES = ((1400, 900), (900, 760))


def make_project(root: Path) -> ProjectBuilder:
    """The pipelines of the journeys, and one about days with a schedule and a long history."""
    builder = make_journeys(root)
    settings = "[tracking]\nenabled = false\n[incidents]\ndev = true\n[environments.prod]\n"
    builder.file("stagebook.toml", settings)
    builder.notebook("day_load", LOAD, params="day = ''\nout = ''")
    builder.notebook("copy", COPY, params="source = ''\nout = ''")
    builder.pipeline(PIPELINE.replace("load.ipynb", "day_load.ipynb"), "days")
    builder.file(f"broken/{day(7)}")
    return builder


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab whose project has a history."""
    with running_lab(tmp_path_factory.mktemp("pictures"), make_project) as running:
        for words, code in (
            (("run", "houses"), 0),
            (("sweep", "houses", "-p", "depth=[2, 8]", "-p", "rate=[0.1, 0.3]"), 0),
            (("run", "houses", "-p", "rate=-1"), 1),
            (("run", "breaks"), 1),
            (("run", "days", "--interval", day(9)), 0),
            (("run", "days", "--interval", day(7)), 1),
            (("run", "days", "--interval", day(3)), 0),
            (("run", "days", "--interval", day(9)), 0),
        ):
            assert running.stagebook(*words).wait(120) == code, words
        live(running.project.root, time.time() - 7_200)
        yield running


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pictures go."""
    made = tmp_path_factory.mktemp("pictures") if WANTED == "1" else Path(WANTED)
    made.mkdir(parents=True, exist_ok=True)
    return made


def take(page: Page, folder: Path, name: str) -> None:
    """Pictures of what is there, in both themes and sizes. A caret that blinks is not waited for."""
    for theme, full in THEMES.items():
        execute(page, "apputils:change-theme", theme=full)
        expect(page.locator("body")).to_have_attribute("data-jp-theme-name", full)
        page.wait_for_function(STILL)
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            drawn(page)
            page.screenshot(path=folder / f"{name}-{theme}-{width}.png", animations="disabled")
    page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})


def test_the_graph_its_details_and_the_list(page: Page, lab: Lab, folder: Path) -> None:
    take(page, folder, "launcher")
    choose(page, "houses")
    execute(page, "stagebook:open-graph")
    expect_state(node(page, "fit"), "failed")
    take(page, folder, "graph")
    node(page, "fit").click()
    take(page, folder, "details-failed")
    node(page, "load").click()
    details = page.get_by_role("complementary", name="The stage load", exact=True)
    details.get_by_role("button", name=re.compile("^Preview of .*csv")).click()
    expect(details.get_by_role("region", name=re.compile("^The first rows"))).to_be_visible()
    take(page, folder, "details-preview")
    node(page, "report").click()
    details = page.get_by_role("complementary", name="The stage report", exact=True)
    details.get_by_role("button", name=re.compile("^Preview of .*svg")).click()
    expect(details.get_by_role("img", name=re.compile("^The picture"))).to_be_visible()
    take(page, folder, "details-picture")
    page.get_by_role("group", name="Show as").get_by_role("button", name="List").click()
    expect(page.get_by_role("table", name="Stages of houses")).to_be_visible()
    take(page, folder, "list")
    page.get_by_role("group", name="Show as").get_by_role("button", name="Graph").click()
    choose(page, "large")
    expect(page.locator(".sb-Node")).to_have_count(40)
    take(page, folder, "graph-large")
    page.get_by_role("menuitem", name="Stagebook", exact=True).click()
    take(page, folder, "menu")
    page.keyboard.press("Escape")


def test_a_run_that_goes_and_a_form(page: Page, lab: Lab, folder: Path) -> None:
    choose(page, "stops")
    execute(page, "stagebook:open-graph")
    panel(page).get_by_role("button", name="Run all").click()
    expect(line(page, "waits")).to_contain_text(re.compile(r"cell [4-9] of 61"), timeout=LONG)
    node(page, "waits").click()
    take(page, folder, "running")
    panel(page).get_by_role("button", name="Cancel").click()
    expect_state(line(page, "waits"), "cancelled")
    choose(page, "houses")
    form = open_form(page)
    take(page, folder, "form")
    form.get_by_label("A run for each of several values").check()
    form.get_by_label("depth", exact=True).fill("[4, 16, 32]")
    expect(form.locator(".sb-Workload")).to_contain_text("3 points")
    form.get_by_label("rate", exact=True).fill("fast")
    expect(form.get_by_role("alert")).to_be_visible()
    take(page, folder, "form-sweep")
    form.get_by_role("button", name="Set all back").click()


def test_the_runs(page: Page, lab: Lab, folder: Path) -> None:
    choose(page, "houses")
    execute(page, "stagebook:open-runs")
    runs = page.get_by_role("table", name="Runs of houses")
    expect(page.locator(".sb-Gantt")).to_be_visible()
    take(page, folder, "runs")
    runs.locator("tbody tr").last.locator(".sb-RunName button").click()
    page.get_by_role("listitem", name=re.compile("^fit, ")).locator(".sb-GanttBar").first.click()
    expect(page.get_by_role("region", name=re.compile("^fit in the run"))).to_be_visible()
    take(page, folder, "run-stage")
    for at in (1, 2, 5):
        runs.get_by_role("checkbox").nth(at).check()
    expect(page.get_by_role("table", name="Comparison")).to_be_visible()
    take(page, folder, "comparison")
    page.get_by_role("button", name="Plot").click()
    page.get_by_label("Vertical axis").select_option("loss")
    page.get_by_label("Horizontal axis").select_option("depth")
    expect(page.locator(".sb-Scatter")).to_be_visible()
    take(page, folder, "plot")
    page.get_by_role("button", name=re.compile("^Columns")).click()
    take(page, folder, "columns")


def test_documents(page: Page, lab: Lab, folder: Path) -> None:
    choose(page, "houses")
    execute(page, "stagebook:open-log", stage="load")
    expect(page.get_by_role("log")).to_contain_text("row 199", timeout=LONG)
    page.get_by_label("Search the log").fill("row 17")
    expect(page.locator(".sb-LogLine[data-found='true']")).to_be_visible()
    take(page, folder, "log")
    execute(page, "stagebook:open-failing-cell", stage="fit")
    expect(page.locator(".jp-NotebookPanel:visible .jp-mod-active")).to_contain_text(
        "ValueError", timeout=LONG
    )
    take(page, folder, "failing-cell")
    execute(page, "stagebook:open-notebook", stage="fit")
    badge = page.locator(".sb-Badge:visible")
    expect(badge).to_contain_text("failed", timeout=LONG)
    badge.click()
    take(page, folder, "badge")
    page.keyboard.press("Escape")
    lab.project.edit("fit", "1 - loss / 4", "1 - loss / 5")
    execute(page, "stagebook:open-changes", stage="fit")
    expect(page.locator(".sb-Page [data-line='+']").first).to_be_visible(timeout=LONG)
    take(page, folder, "changes")


def test_authoring(page: Page, lab: Lab, folder: Path) -> None:
    choose(page, "growing")
    execute(page, "stagebook:open-pipeline-file")
    editor = page.locator(".jp-FileEditor .cm-content")
    expect(editor).to_contain_text("The prices", timeout=LONG)
    editor.click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("    retires: 2\n")
    expect(page.get_by_role("status", name="Mistakes in the pipeline")).to_be_visible()
    page.keyboard.type("    inp")
    expect(page.locator(".cm-tooltip-autocomplete li").first).to_be_visible()
    take(page, folder, "yaml")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+KeyS")
    execute(page, "stagebook:open-graph")
    expect(page.locator(".sb-Graph").get_by_role("alert")).to_be_visible(timeout=LONG)
    take(page, folder, "broken")
    choose(page, "houses")
    panel(page).get_by_role("button", name="Stage", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name of the stage")).to_be_focused()
    page.keyboard.type("sum")
    dialog.get_by_label("Add an input", exact=True).select_option("load.table")
    dialog.get_by_role("button", name="Add an output").click()
    take(page, folder, "new-stage")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    execute(page, "stagebook:connect-stages", stage="report")
    expect(dialog).to_be_visible()
    take(page, folder, "connect")
    page.keyboard.press("Escape")


def test_operations(page: Page, lab: Lab, folder: Path) -> None:
    choose(page, "days")
    execute(page, "stagebook:open-runs-over-time")
    expect(page.locator(".sb-Square").first).to_be_visible(timeout=LONG)
    take(page, folder, "over-time")
    page.get_by_role("gridcell").get_by_role("button", name=re.compile("^load, failed")).click()
    expect(page.get_by_role("region", name=re.compile("^load in the run"))).to_be_visible()
    take(page, folder, "over-time-stage")
    for name, shown in (
        ("schedules", "#stagebook-schedules table"),
        ("incidents", "#stagebook-incidents h1"),
        ("figures", "#stagebook-figures .sb-Figures"),
        ("environments", "#stagebook-environments table"),
    ):
        execute(page, f"stagebook:open-{name}")
        expect(page.locator(shown).first).to_be_visible(timeout=LONG)
        take(page, folder, name)
