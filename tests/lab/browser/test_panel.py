"""What a user does in the panel and in the graph, in a real browser.

With `STAGEBOOK_PICTURES=1` the pictures of docs/jupyterlab.md are made anew.
"""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from building import notebook_data
from lab.browser.page import (
    GOOD,
    LONG,
    choose,
    choose_way,
    execute,
    expect_state,
    is_enabled,
    line,
    node,
    picture,
    seen,
    watch,
)
from lab.server import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_run_all_and_watch_the_stages_turn(page: Page, lab) -> None:
    choose(page, "demo")
    expect_state(line(page, "load"), "new")
    expect(line(page, "fit")).to_have_attribute("aria-label", "fit, 4 instances, new")
    execute(page, "stagebook:open-graph")
    watch(page, "report")
    page.get_by_role("button", name="Run all").first.click()
    expect_state(line(page, "load"), "running")
    expect_state(node(page, "load"), "running")
    expect(page.get_by_role("button", name="Cancel").first).to_be_visible()
    expect_state(node(page, "fit"), "running")
    picture(page, "lab-running")
    expect_state(line(page, "report"), "up to date")
    states = seen(page)
    assert states[-2:] == ["completed", "up to date"], (states, "it is never said to be stale")
    expect_state(node(page, "fit"), GOOD)
    expect(page.locator(".sb-Run").first).to_contain_text("completed")
    page.get_by_role("button", name="Unfold all").click()
    expect(page.locator(".sb-Node")).to_have_count(9)
    node(page, "compare").click()
    expect(page.get_by_role("complementary", name="The stage compare")).to_contain_text("Took")


@pytest.mark.long
def test_a_failure_is_shown_where_it_is_and_resumed(page: Page, lab) -> None:
    execute(page, "apputils:change-theme", theme="JupyterLab Dark")
    choose(page, "fails")
    page.get_by_role("button", name="Run all").first.click()
    expect_state(line(page, "fails"), "failed")
    expect(line(page, "fails")).to_contain_text("at cell 2 of 3: KeyError: 'b'")
    expect_state(line(page, "follows"), "blocked")
    execute(page, "stagebook:open-graph")
    node(page, "fails").click()
    details = page.get_by_role("complementary", name="The stage fails")
    expect(details.locator(".sb-Traceback")).to_contain_text("----> 1 x['b']")
    picture(page, "lab-failed-dark")

    details.get_by_role("button", name="Executed notebook").click()
    executed = page.locator(".jp-NotebookPanel")
    expect(executed).to_contain_text("KeyError", timeout=20_000)
    expect(executed).to_contain_text("notebook is read-only")
    trusted = "window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model.trusted)"
    assert page.evaluate(trusted) == [False, False, False]

    mended = notebook_data("x = {'b': 1}", "x['b']", "print('now')")
    lab.project.file("notebooks/bad.ipynb", json.dumps(mended))
    until(lambda: is_enabled(page, "stagebook:resume"))
    choose_way(page, "Resume the Last Run")
    expect_state(line(page, "follows"), GOOD)
    expect_state(line(page, "fails"), GOOD)


@pytest.mark.long
def test_a_run_is_cancelled(page: Page, lab) -> None:
    choose(page, "slow")
    page.get_by_role("button", name="Run all").first.click()
    expect_state(line(page, "wait"), "running")
    expect(line(page, "wait")).to_contain_text(re.compile(r"cell [3-9] of 41"), timeout=LONG)
    expect(line(page, "wait").get_by_role("progressbar")).to_be_visible()
    page.get_by_role("button", name="Cancel").first.click()
    expect_state(line(page, "wait"), "cancelled")
    expect(line(page, "wait")).to_contain_text(re.compile(r"at cell \d+ of 41"))
    expect(page.get_by_role("button", name="Run all").first).to_be_enabled()


@pytest.mark.long
def test_a_run_in_a_terminal_is_seen_and_fills_its_executed_notebook(page: Page, lab) -> None:
    choose(page, "slow")
    process = lab.stagebook("run", "slow", "--force")
    try:
        expect_state(line(page, "wait"), "running")
        expect(line(page, "wait")).to_contain_text(re.compile(r"cell [2-9] of 41"), timeout=LONG)
        execute(page, "stagebook:open-executed-notebook", stage="wait")
        prompts = page.locator(".jp-NotebookPanel .jp-InputPrompt")
        expect(prompts.filter(has_text="[2]:")).to_have_count(1, timeout=LONG)
        expect(prompts.filter(has_text="[5]:")).to_have_count(1, timeout=LONG)
    finally:
        process.terminate()
        process.wait(timeout=30)
    expect_state(line(page, "wait"), "cancelled")


def test_mistakes_are_listed_and_lead_to_their_place(page: Page, lab) -> None:
    choose(page, "mistaken")
    problems = page.get_by_role("alert")
    expect(problems).to_contain_text("2 problems, nothing was started")
    expect(problems).to_contain_text("did you mean 'timeout'?")
    expect(page.get_by_role("button", name="Run all").first).to_be_disabled()
    problems.get_by_role("button", name="pipelines/mistaken.yaml:2:41").click()
    cursor = "window.jupyterapp.shell.currentWidget?.content?.editor?.getCursorPosition()"
    page.wait_for_function(f"{cursor}?.line === 1 && {cursor}?.column === 40", timeout=20_000)
    lab.project.pipeline("stages:\n  one: {notebook: notebooks/work.ipynb}\n", "mistaken")
    expect_state(line(page, "one"), "new")
    expect(problems).to_have_count(0)
    # The list goes while it has the focus.
    line(page, "one").focus()
    lab.project.pipeline("stages: {one: }\n", "mistaken")
    expect(problems).to_contain_text("problem", timeout=LONG)
    expect(problems).to_contain_text("The stages are shown as they were before")
    expect(line(page, "one")).to_be_focused()  # it stays, in grey
    expect(page.get_by_role("combobox", name="Pipeline").first).to_have_value("mistaken")


def test_keys_reach_everything(page: Page, lab) -> None:
    choose(page, "demo")
    line(page, "load").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(line(page, "fit")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(line(page, "fit")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    expect(line(page, "fit@2")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(line(page, "fit")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(line(page, "fit@2")).to_have_count(0)
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator(".jp-NotebookPanel")).to_be_visible(timeout=20_000)
    page.get_by_role("searchbox", name="Search stages").fill("fit 16")
    expect(page.get_by_role("treeitem")).to_have_count(1)
