"""A day with the reference project, on real data: run, watch, fail, mend, cancel, resume, compare."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from lab.browser.page import (
    GOOD,
    LONG,
    choose,
    choose_way,
    execute,
    expect_state,
    line,
    node,
    open_form,
    panel,
    picture,
)
from lab.server import Lab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]


def test_a_day_with_flights(page: Page, lab: Lab) -> None:
    run_and_watch_it_fail(page)
    change_a_parameter_cancel_and_resume(page)
    compare_with_a_run_in_a_terminal(page, lab)


def run_and_watch_it_fail(page: Page) -> None:
    choose(page, "flights")
    form = open_form(page)
    form.get_by_label("months", exact=True).fill("[1]")
    form.get_by_label("learning_rate", exact=True).fill("-1.0")
    expect(form.get_by_role("status").first).to_contain_text("8 would run", timeout=LONG)
    form.get_by_role("button", name="Start").click()
    expect_state(line(page, "sources"), "running")
    form.get_by_role("button", name="Close").click()
    execute(page, "stagebook:open-graph")
    expect_state(node(page, "sources"), re.compile("running|completed"))
    expect_state(line(page, "train"), "failed")
    expect(line(page, "train")).to_contain_text(re.compile(r"at cell \d+ of \d+"))
    expect(panel(page).get_by_role("button", name="Run all")).to_be_enabled(timeout=LONG)
    node(page, "train").click()
    details = page.get_by_role("complementary", name="The stage train", exact=True)
    expect(details.locator(".sb-Traceback")).to_contain_text("Error")
    page.set_viewport_size({"width": 1440, "height": 810})
    picture(page, "lab-graph")
    page.set_viewport_size({"width": 1280, "height": 760})
    execute(page, "stagebook:open-failing-cell", stage="train")
    active = page.locator(".jp-NotebookPanel:visible .jp-Cell.jp-mod-active")
    expect(active).to_contain_text("learning_rate", timeout=LONG)
    expect(active.locator(".jp-OutputArea")).to_contain_text("Error")
    picture(page, "lab-failing-cell")


def change_a_parameter_cancel_and_resume(page: Page) -> None:
    panel(page).get_by_role("button", name="learning_rate=-1.0").click()
    expect_state(line(page, "clean"), "up to date")
    panel(page).get_by_role("button", name="Run all").click()
    expect_state(line(page, "train"), "running")
    panel(page).get_by_role("button", name="Cancel").click()
    expect_state(line(page, "train"), "cancelled")
    choose_way(page, "Resume the Last Run")
    expect_state(line(page, "report"), GOOD)
    expect(panel(page)).to_contain_text("completed", timeout=LONG)


def compare_with_a_run_in_a_terminal(page: Page, lab: Lab) -> None:
    process = lab.stagebook("run", "flights", "-p", "months=[1]", "-p", "max_depth=3")
    execute(page, "stagebook:open-graph")
    expect_state(node(page, "train"), "running")
    assert process.wait(120) == 0
    execute(page, "stagebook:open-runs")
    runs = page.get_by_role("table", name="Runs of flights")
    expect(runs.get_by_role("columnheader", name="max_depth")).to_be_visible(timeout=LONG)
    expect(runs.locator("tbody tr").first.get_by_role("cell", name="3", exact=True)).to_be_visible()
    for at in (0, 1):
        runs.get_by_role("checkbox").nth(at).check()
    table = page.get_by_role("table", name="Comparison")
    expect(table.get_by_role("row", name=re.compile("^differs: max_depth"))).to_contain_text("3")
    metrics = table.get_by_role("rowgroup", name="Metrics")
    expect(metrics.get_by_role("row", name=re.compile("^differs: train.")).first).to_be_visible()
    picture(page, "lab-runs-flights")
