"""Thirteen journeys of a person through the Lab: each does what a person does, with the mouse and the keys alone,
and asserts what a person sees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from building import ProjectBuilder
from lab.browser.journey_project import GROWING, houses, make_journeys
from lab.browser.page import (
    GOOD,
    LONG,
    choose,
    choose_way,
    drawn,
    expect_state,
    first_opening,
    line,
    node,
    open_form,
    panel,
)  # fmt: skip
from lab.server import Lab, running_lab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for all journeys."""
    with running_lab(tmp_path_factory.mktemp("journeys"), make_journeys) as running:
        yield running


@pytest.fixture
def page(browser: BrowserContext, lab: Lab) -> Iterator[Page]:
    """A page that is opened for the first time. Errors on its console fail the test."""
    with first_opening(browser, lab) as (opened, errors):
        yield opened
        assert errors == []


def by_menu(page: Page, entry: str) -> None:
    """Choose an entry of the menu *Stagebook*."""
    page.get_by_role("menuitem", name="Stagebook", exact=True).click()
    name = re.compile(rf"^{re.escape(entry)}\s*(Ctrl\+.*)?$")  # its keys follow
    page.get_by_role("menu").get_by_role("menuitem", name=name).click()


def by_palette(page: Page, command: str) -> None:
    """Choose a command in the palette, with the keys alone."""
    page.keyboard.press("Control+Shift+KeyC")
    expect(page.locator(".lm-CommandPalette-input:focus")).to_be_visible()
    page.keyboard.type(command)
    active = page.locator(".lm-CommandPalette-item.lm-mod-active .lm-CommandPalette-itemLabel")
    expect(active).to_have_text(command)
    page.keyboard.press("Enter")


def run_all(page: Page) -> None:
    panel(page).get_by_role("button", name="Run all").click()


def details(page: Page, stage: str) -> Locator:
    return page.get_by_role("complementary", name=f"The stage {stage}", exact=True)


def status(page: Page) -> Locator:
    """The item in the status bar."""
    return page.locator(".sb-Status")


def active_cell(page: Page) -> Locator:
    return page.locator(".jp-NotebookPanel:visible .jp-Cell.jp-mod-active")


def save(page: Page) -> None:
    """Save with the keys, and wait until the tab is no longer marked as changed."""
    tab = page.locator("#jp-main-dock-panel .lm-TabBar-tab.jp-mod-current")
    expect(tab).to_have_class(re.compile("jp-mod-dirty"))
    page.keyboard.press("Control+KeyS")
    expect(tab).not_to_have_class(re.compile("jp-mod-dirty"))


def rows(table: Locator) -> Locator:
    return table.locator("tbody tr")


@pytest.mark.long
def test_1_the_graph_is_there_at_once_and_all_is_run(page: Page, lab: Lab) -> None:
    choose(page, "houses")
    expect(page.locator(".sb-Node")).to_have_count(4)
    expect(page.locator(".sb-Edges path")).to_have_count(3)
    expect_state(node(page, "fit"), "new")
    run_all(page)
    expect(status(page)).to_have_text(re.compile(r"^▶ houses \d/4$"))
    expect_state(node(page, "fit"), "running")
    expect_state(node(page, "report"), GOOD)
    expect(node(page, "fit")).to_contain_text("loss 0.45")
    expect(node(page, "load")).to_contain_text("rows 1,200")
    expect(status(page)).to_have_text("✓ houses")
    node(page, "load").click()
    shown = details(page, "load")
    expect(shown.get_by_role("table", name="Metrics of the stage")).to_contain_text("1,200")
    shown.get_by_role("button", name="Preview of data/houses/houses.csv").click()
    preview = shown.get_by_role("region", name="The first rows of data/houses/houses.csv")
    expect(preview.get_by_role("row").nth(1)).to_have_text("03090000")
    run_all(page)
    expect(page.locator(".Toastify__toast")).to_contain_text("nothing to do, all 4 stages are up to date")


@pytest.mark.long
def test_2_a_failure_is_found_mended_and_resumed(page: Page, lab: Lab) -> None:
    choose(page, "breaks")
    run_all(page)
    expect_state(line(page, "prices"), "failed")
    expect(line(page, "prices")).to_contain_text("at cell 4 of 4: KeyError: 'cost'")
    expect_state(line(page, "after"), "blocked")
    status(page).click()  # ✗ breaks: 1 failed
    shown = details(page, "prices")
    expect(shown.locator(".sb-Traceback")).to_contain_text("offer['cost']")
    shown.get_by_role("button", name="Failing cell").click()
    expect(active_cell(page)).to_contain_text("KeyError", timeout=LONG)
    page.get_by_role("button", name="Edit this cell").click()
    source = page.locator(".jp-NotebookPanel:visible .jp-Cell.jp-mod-active:not(.jp-mod-readOnly)")
    expect(source).to_contain_text("offer['cost']", timeout=LONG)
    source.locator(".cm-content").click()
    page.keyboard.press("Control+KeyA")
    page.keyboard.type("offer['price']")
    expect(source.locator(".cm-content")).to_have_text("offer['price']")
    save(page)
    expect(line(page, "prices")).to_contain_text("next run: ", timeout=LONG)
    choose_way(page, "Resume the Last Run")
    expect_state(line(page, "after"), GOOD)
    expect_state(line(page, "prices"), GOOD)
    expect(status(page)).to_have_text("✓ breaks")


@pytest.mark.long
def test_3_parameters_are_given_in_the_form(page: Page, lab: Lab) -> None:
    choose(page, "asked")
    run_all(page)
    expect_state(line(page, "report"), GOOD)
    by_palette(page, "Run with Parameters, Stages and Options …")
    form = page.get_by_role("form", name="What to run")
    depth = form.get_by_label("depth", exact=True)
    depth.fill("2.5")
    expect(form.get_by_role("alert")).to_contain_text("expected int")
    expect(form.get_by_role("button", name="Start")).to_be_disabled()
    depth.fill("8")
    expect(form.get_by_role("alert")).to_have_count(0)
    expect(form.locator(".sb-Workload")).to_have_text(re.compile(r"^up to 2 stages, about \d+ s$"))
    expect(form.get_by_role("status").first).to_contain_text("2 up to date")
    form.get_by_role("button", name="Start").click()
    expect(panel(page).locator(".sb-Run")).to_contain_text("completed")
    by_menu(page, "Open the Runs")
    runs = page.get_by_role("table", name="Runs of asked")
    expect(runs.get_by_role("columnheader", name="depth", exact=True)).to_be_visible()
    expect(rows(runs)).to_have_count(2)
    expect(rows(runs).first.get_by_role("cell", name="8", exact=True)).to_be_visible()
    # What was given holds on, is in sight, and is taken back by a click.
    expect_state(line(page, "fit"), "up to date")
    panel(page).get_by_role("button", name="depth=8").click()
    expect_state(line(page, "fit"), "restores")


@pytest.mark.long
def test_4_a_stage_is_added_wired_and_run(page: Page, lab: Lab) -> None:
    choose(page, "growing")
    panel(page).get_by_role("button", name="Stage", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name of the stage")).to_be_focused()
    page.keyboard.type("prices")
    dialog.get_by_role("button", name="Add an output").click()
    outputs = dialog.get_by_role("group", name="Outputs")
    outputs.get_by_label("Parameter of the notebook").fill("mean")
    outputs.get_by_label("What mean is").fill("data/growing/mean.txt")
    dialog.get_by_label("Notebook", exact=True).select_option(label="notebooks/mean.ipynb")
    expect(outputs.get_by_label("What mean is")).to_have_value("data/growing/mean.txt")  # it is not lost
    expect(dialog.get_by_label("Lines that are added")).to_contain_text("mean: data/growing/mean.txt")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect_state(line(page, "prices"), "new")
    by_menu(page, "Open the Pipeline Graph")
    expect(node(page, "prices")).to_be_visible()
    expect(page.locator(".sb-Edges path")).to_have_count(0)
    node(page, "prices").click(button="right")
    page.get_by_role("menuitem", name="Use an Output of Another Stage as an Input …").click()
    expect(dialog.get_by_label("Output", exact=True)).to_have_value("load.table")
    dialog.get_by_label("Parameter of its notebook").select_option("offers")
    dialog.get_by_role("button", name="Add", exact=True).click()
    by_menu(page, "Open the Pipeline Graph")
    expect(page.locator(".sb-Edges path")).to_have_count(1)
    run_all(page)
    expect_state(node(page, "prices"), GOOD)
    assert (lab.project.root / "data/growing/mean.txt").read_text().startswith("199")
    assert (lab.project.root / "pipelines/growing.yaml").read_text().startswith(GROWING)


@pytest.mark.long
def test_5_a_run_is_cancelled_and_killed_only_when_confirmed(page: Page, lab: Lab) -> None:
    choose(page, "stops")
    run_all(page)
    expect(line(page, "waits")).to_contain_text(re.compile(r"cell [2-9] of 61"), timeout=LONG)
    panel(page).get_by_role("button", name="Cancel").click()
    expect_state(line(page, "waits"), "cancelled")
    expect(panel(page).locator(".sb-Run")).to_contain_text("cancelled")
    choose(page, "deaf")  # its cell does not listen
    run_all(page)
    expect(line(page, "waits")).to_contain_text("cell 1 of 1", timeout=LONG)
    panel(page).get_by_role("button", name="Cancel").click()
    expect(panel(page).locator(".sb-Run")).to_contain_text("cancelling …")
    panel(page).get_by_role("button", name="Kill now").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("notebooks are not saved")
    dialog.get_by_role("button", name="Kill now").click()
    expect_state(line(page, "waits"), "cancelled")
    expect(panel(page).get_by_role("button", name="Run all")).to_be_enabled()


@pytest.mark.long
def test_6_earlier_runs_are_listed_and_shown_over_time(page: Page, lab: Lab) -> None:
    for words, code in (((), 0), (("-p", "depth=8"), 0), (("-p", "rate=-1"), 1)):
        assert lab.stagebook("run", "past", *words).wait(120) == code
    choose(page, "past")
    by_menu(page, "Open the Runs")
    runs = page.get_by_role("table", name="Runs of past")
    expect(rows(runs)).to_have_count(3)
    page.get_by_label("Status", exact=True).select_option("failed")
    expect(rows(runs)).to_have_count(1)
    rows(runs).locator(".sb-RunName button").click()
    run = page.locator(".sb-RunDetails")
    expect(run.get_by_role("region", name=re.compile("^fit in the run"))).to_contain_text(
        "ValueError: the learning rate is below 0"
    )
    run.get_by_label("A note on this run").fill("a slip of the pen")
    run.get_by_role("button", name="Add").click()
    expect(run.get_by_role("region", name="Notes")).to_contain_text("a slip of the pen")

    panel(page).get_by_role("button", name="Over time").click()
    grid = page.get_by_role("grid", name="Runs by stages")
    failed = grid.get_by_role("button", name=re.compile("^fit, failed"))
    expect(grid.get_by_role("button", name=re.compile("^load, reused"))).to_have_count(2)
    failed.click()
    expect(page.get_by_role("region", name=re.compile("^fit in the run"))).to_contain_text("below 0")
    today = page.get_by_role("table", name="Calendar").get_by_role(
        "button", name=re.compile("runs: 1 failed, 2 completed")
    )
    today.click()
    expect(page.get_by_role("heading", name="Runs that began in")).to_be_visible()


@pytest.mark.long
def test_7_a_sweep_is_asked_for_and_its_points_are_weighed(page: Page, lab: Lab) -> None:
    choose(page, "swept")
    form = open_form(page)
    form.get_by_label("A run for each of several values").check()
    form.get_by_label("depth", exact=True).fill("[2, 4, 8]")
    form.get_by_label("rate", exact=True).fill("[0.1, 0.5]")
    expect(form.locator(".sb-Workload")).to_have_text(re.compile(r"^6 points, (up to )?\d+ stages, "))
    form.get_by_role("button", name="Start the sweep").click()
    form.get_by_role("button", name="Set all back").click()
    form.get_by_role("button", name="Close").click()
    expect(form).to_have_count(0)

    by_menu(page, "Open the Runs")
    runs = page.get_by_role("table", name="Runs of swept")
    expect(runs.locator("tbody tr[data-level='1']")).to_have_count(6, timeout=LONG)
    expect(rows(runs).first).to_contain_text("completed", timeout=LONG)
    loss = runs.get_by_role("columnheader", name="loss", exact=True)
    loss.get_by_role("button").click()
    loss.get_by_role("button").click()
    expect(loss).to_have_attribute("aria-sort", "ascending")
    expect(rows(runs).first).to_contain_text("★ 0.325")
    page.get_by_role("button", name="Plot").click()
    page.get_by_label("Vertical axis").select_option("loss")
    page.get_by_label("Horizontal axis").select_option("depth")
    expect(page.get_by_role("img", name=re.compile("^loss by depth: 6 points"))).to_be_visible()
    for at in (0, 1):
        runs.get_by_role("checkbox").nth(at).check()
    comparison = page.get_by_role("table", name="Comparison")
    expect(comparison.get_by_role("row", name=re.compile(r"differs: fit\.loss"))).to_contain_text("0.325")

    # The form is closed: the pipeline is as before.
    by_menu(page, "Open the Pipeline Graph")
    expect(page.locator(".sb-Edges path")).to_have_count(3)
    expect(panel(page).get_by_role("group", name="Parameters of the next run")).to_have_count(0)
    run_all(page)
    expect_state(node(page, "report"), GOOD)


@pytest.mark.long
def test_8_two_hundred_stages_are_folded_searched_and_listed(page: Page, lab: Lab) -> None:
    choose(page, "large")
    nodes = page.locator(".sb-Node")
    expect(nodes).to_have_count(40)
    node(page, "shop07/*").dblclick()
    expect(nodes).to_have_count(44)
    graph = page.locator(".sb-Graph")
    search = graph.get_by_role("searchbox", name="Search stages")
    search.fill("shop33 report")
    expect(node(page, "shop33/*").locator(".sb-Box")).to_be_in_viewport(ratio=0.99)
    search.fill("")
    minimap = page.locator(".sb-Minimap")
    box = minimap.bounding_box()
    assert box is not None
    expect(node(page, "shop00/*").locator(".sb-Box")).not_to_be_in_viewport()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 3)
    expect(node(page, "shop00/*").locator(".sb-Box")).to_be_in_viewport()
    graph.get_by_role("button", name="List").click()
    stages = page.get_by_role("table", name="Stages of large")
    expect(rows(stages)).to_have_count(200)
    stages.get_by_role("columnheader", name="Stage").get_by_role("button").click()
    stages.get_by_role("columnheader", name="Stage").get_by_role("button").click()
    expect(rows(stages).first).to_contain_text("shop39_report")
    search.fill("shop12_join")
    expect(rows(stages)).to_have_count(1)
    stages.get_by_role("button", name="shop12_join").click()
    shown = details(page, "shop12_join")
    expect(shown.get_by_role("button", name="Run to here")).to_be_enabled()
    shown.get_by_role("button", name="Run to here").click()
    expect_state(rows(stages).first, GOOD)


@pytest.mark.long
def test_9_a_broken_file_keeps_the_graph_and_leads_to_its_mistake(page: Page, lab: Lab) -> None:
    choose(page, "mistaken")
    expect(node(page, "report")).to_be_visible()
    by_menu(page, "Open the Pipeline File")
    editor = page.locator(".jp-FileEditor:visible .cm-content")
    expect(editor).to_contain_text("From offers", timeout=LONG)
    editor.click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("    retires: 2\n")
    below = page.get_by_role("status", name="Mistakes in the pipeline")
    expect(below).to_contain_text("did you mean 'retries'?")
    save(page)
    by_menu(page, "Open the Pipeline Graph")
    problems = page.locator(".sb-Graph").get_by_role("alert")
    expect(problems).to_contain_text("did you mean 'retries'?", timeout=LONG)
    expect(problems).to_contain_text("The stages are shown as they were before, in grey.")
    expect(page.locator(".sb-Node")).to_have_count(4)
    expect(page.locator(".sb-Scroll")).to_have_css("filter", "grayscale(1)")
    expect(panel(page).get_by_role("button", name="Run all")).to_be_disabled()
    problems.get_by_role("button", name=re.compile(r"mistaken\.yaml:\d+:\d+")).click()
    expect(editor).to_be_focused(timeout=LONG)
    page.keyboard.press("Home")
    page.keyboard.press("Shift+End")
    page.keyboard.insert_text("    retries: 2")
    save(page)
    by_menu(page, "Open the Pipeline Graph")
    expect(problems).to_have_count(0, timeout=LONG)
    expect(page.locator(".sb-Scroll")).to_have_css("filter", "none")
    expect(panel(page).get_by_role("button", name="Run all")).to_be_enabled()
    assert (lab.project.root / "pipelines/mistaken.yaml").read_text() == houses("mistaken").lstrip(
        "\n"
    ) + "    retries: 2\n"


@pytest.mark.long
def test_10_the_keyboard_alone_runs_a_pipeline_and_shows_its_details(page: Page, lab: Lab) -> None:
    page.keyboard.press("Control+Alt+KeyG")
    graph = page.locator(".sb-Graph")
    expect(page.locator(".sb-Graph:focus, .sb-Graph :focus")).to_be_visible()
    tab_to(page, graph.get_by_role("combobox", name="Pipeline"))
    page.keyboard.type("keys")
    expect(graph.get_by_role("combobox", name="Pipeline")).to_have_value("keys")
    page.keyboard.press("Control+Shift+Enter")
    tab_to(page, node(page, "load"))
    for name in ("clean", "fit", "report"):
        page.keyboard.press("ArrowRight")
        expect(node(page, name)).to_be_focused()
    expect_state(node(page, "report"), GOOD)
    expect(status(page)).to_have_text("✓ keys")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    shown = details(page, "fit")
    expect(shown.get_by_role("table", name="Metrics of the stage")).to_contain_text("0.45")
    tab_to(page, shown.get_by_role("button", name="Preview of data/keys/model.json"))
    page.keyboard.press("Enter")
    expect(shown.get_by_label("The beginning of data/keys/model.json")).to_contain_text('"depth": 4')
    page.keyboard.press("Escape")
    expect(shown).to_have_count(0)
    expect(node(page, "fit")).to_be_focused()
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-NotebookPanel:visible")).to_contain_text("sb.glue('loss', loss)", timeout=LONG)
    by_palette(page, "Open the Runs")
    expect(rows(page.get_by_role("table", name="Runs of keys")).first).to_contain_text("completed")


def tab_to(page: Page, where: Locator) -> None:
    """Press Tab until something has the focus."""
    drawn(page)
    for _ in range(60):
        if where.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    expect(where).to_be_focused(timeout=1)


@pytest.mark.long
def test_11_a_run_in_a_terminal_is_seen_as_it_goes(page: Page, lab: Lab) -> None:
    choose(page, "terminal")
    expect_state(node(page, "walks"), "new")
    process = lab.stagebook("run", "terminal")
    expect_state(node(page, "walks"), "running")
    expect(status(page)).to_have_text(re.compile(r"^▶ terminal \d/2$"))
    expect(node(page, "walks")).to_contain_text(re.compile(r"cell [2-9] of 13"))
    node(page, "walks").click(button="right")
    page.get_by_role("menuitem", name="Open the Executed Notebook of the Stage").click()
    outputs = page.locator(".jp-NotebookPanel:visible .jp-OutputArea-output")
    expect(outputs.filter(has_text="step 5")).to_be_visible(timeout=LONG)
    expect(outputs.filter(has_text="step 11")).to_be_visible(timeout=LONG)
    assert process.wait(90) == 0
    expect_state(line(page, "after"), GOOD)
    by_menu(page, "Open the Runs")
    expect(page.locator(".sb-RunDetails")).to_contain_text("stagebook run terminal")


@pytest.mark.long
def test_12_a_notebook_that_is_edited_elsewhere_is_stale_and_says_why(page: Page, lab: Lab) -> None:
    choose(page, "changes")
    run_all(page)
    expect_state(node(page, "says"), GOOD)
    lab.project.edit("count", "second = 2", "second = 3")
    expect(node(page, "count")).to_have_attribute("data-state", "stale", timeout=10_000)
    expect(line(page, "count")).to_contain_text("cell 2 changed")
    node(page, "count").click()
    details(page, "count").get_by_role("button", name="Changes").click()
    changes = page.locator(".sb-Page")
    expect(changes.locator("[data-line='-']")).to_have_text("-second = 2\n")
    expect(changes.locator("[data-line='+']")).to_have_text("+second = 3\n")
    run_all(page)
    expect_state(line(page, "count"), "up to date")
    by_menu(page, "Open the Pipeline Graph")
    expect_state(node(page, "says"), "up to date")


def make_tracked(root: Path) -> ProjectBuilder:
    builder = make_journeys(root)
    builder.file("stagebook.toml")
    return builder


@pytest.mark.long
def test_13_what_failed_is_read_in_notebook_log_and_mlflow(browser: BrowserContext, tmp_path: Path) -> None:
    with running_lab(tmp_path, make_tracked) as lab, first_opening(browser, lab) as (page, errors):
        assert lab.stagebook("run", "houses", "-p", "rate=-1").wait(120) == 1
        choose(page, "houses")
        expect_state(line(page, "fit"), "failed")
        line(page, "fit").click(button="right")
        page.get_by_role("menuitem", name="Open at the Failing Cell").click()
        expect(active_cell(page)).to_contain_text("ValueError: the learning rate is below 0", timeout=LONG)
        expect(active_cell(page).locator(".jp-InputArea")).to_be_in_viewport()

        line(page, "load").click(button="right")
        page.get_by_role("menuitem", name="Open the Log of the Stage").click()
        log = page.get_by_role("log", name=re.compile("^load, attempt 1, "))
        expect(log).to_contain_text("row 199", timeout=LONG)
        page.keyboard.press("Control+KeyF")
        page.keyboard.type("row 77")
        expect(page.get_by_role("status").filter(has_text="1 of 1 lines")).to_be_visible()
        expect(log.locator(".sb-LogLine[data-found='true']")).to_have_text("row 77")
        page.get_by_label("Level", exact=True).select_option("warnings, errors (1)")
        page.get_by_label("Search the log").fill("")
        expect(log.locator(".sb-LogLine")).to_have_text(["WARNING:load:3 rows have no size"])

        by_menu(page, "Open the Pipeline Graph")
        node(page, "fit").click()
        with page.expect_popup() as popup:
            details(page, "fit").get_by_role("button", name="MLflow").click()
        mlflow = popup.value
        expect(mlflow.get_by_role("heading", name="MLflow is starting …")).to_be_visible()
        mlflow.wait_for_url(re.compile(r"/runs/\w+\?workflowType=machine_learning$"), timeout=LONG)
        expect(mlflow.get_by_text("rate", exact=True).first).to_be_visible(timeout=LONG)
        mlflow.close()
        assert errors == []
