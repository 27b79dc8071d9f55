"""What a person sees of executed notebooks: their outputs, what a running stage adds, and the cell that failed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from lab.browser.page import LONG, choose, execute, expect_state, line, panel

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def cells(page: Page) -> Locator:
    return page.locator(".jp-NotebookPanel:visible .jp-Cell")


def open_executed(page: Page, stage: str, count: int) -> Locator:
    execute(page, "stagebook:open-executed-notebook", stage=stage)
    found = cells(page)
    expect(found).to_have_count(count, timeout=LONG)
    return found


@pytest.mark.long
def test_texts_of_several_lines_are_shown_as_they_were_printed(page: Page, lab) -> None:
    choose(page, "shows")
    panel(page).get_by_role("button", name="Run all").click()
    expect_state(line(page, "shows"), "failed")
    found = open_executed(page, "shows", 9)
    expect(found.nth(0)).to_contain_text(re.compile(r"Two lines.*of text"))
    wanted = {
        1: "one\ntwo\nthree", 2: "four\nfive", 4: "six\tseven", 6: "['ten', 'eleven']", 7: "twelve\nthirteen",
    }  # fmt: skip
    for at, text in wanted.items():
        output = found.nth(at).locator(".jp-OutputArea-output")
        output.scroll_into_view_if_needed()
        expect(output).to_have_count(1)
        assert output.inner_text().strip() == text, at
    assert found.nth(5).locator(".jp-OutputArea-output").inner_text().split() == ["eight", "nine"]
    traceback = found.nth(8).locator(".jp-OutputArea-output")
    traceback.scroll_into_view_if_needed()
    shown = traceback.inner_text().splitlines()
    assert shown[-2:] == ["ValueError: fourteen", "fifteen"]
    assert [text for text in shown if text.startswith(",")] == []


@pytest.mark.long
def test_a_running_notebook_grows_and_what_is_shown_stays(page: Page, lab) -> None:
    choose(page, "grows")
    panel(page).get_by_role("button", name="Run all").click()
    expect(line(page, "grows")).to_contain_text("cell 2 of 5", timeout=LONG)
    found = open_executed(page, "grows", 5)
    begun = found.nth(0).locator(".jp-OutputArea-output")
    expect(begun).to_contain_text("begun", timeout=LONG)
    # An output that is built anew is another element, without the mark.
    found.evaluate_all("all => all.forEach(one => { one.dataset.mark = 'kept'; })")
    begun.evaluate("one => { one.dataset.mark = 'kept'; }")
    grown = found.nth(1).locator(".jp-OutputArea-output")
    expect(grown).to_contain_text("line 12", timeout=LONG)
    grown.evaluate("one => { one.dataset.mark = 'too'; }")
    expect(line(page, "grows")).to_contain_text("cell 2 of 5")  # one cell that still runs
    expect(grown).to_contain_text("line 59", timeout=LONG)
    expect(found.nth(2)).to_contain_text("nearly\n", timeout=LONG, use_inner_text=True)
    expect(found.nth(4).locator(".jp-OutputArea-output")).to_contain_text("done", timeout=LONG)
    assert grown.inner_text().strip().split("\n") == [f"line {at}" for at in range(60)]
    expect(begun).to_have_attribute("data-mark", "kept")
    expect(grown).to_have_attribute("data-mark", "too")
    assert found.evaluate_all("all => all.map(one => one.dataset.mark)") == ["kept"] * 5
    expect(found.nth(4).locator(".jp-InputPrompt")).to_have_text("[5]:")
    assert page.evaluate("window.jupyterapp.shell.currentWidget.context.model.dirty") is False


@pytest.mark.long
def test_the_failing_cell_of_a_long_notebook_is_in_sight_at_once(page: Page, lab) -> None:
    choose(page, "long")
    panel(page).get_by_role("button", name="Run all").click()
    expect_state(line(page, "long"), "failed")
    execute(page, "stagebook:open-failing-cell", stage="long")
    active = page.locator(".jp-NotebookPanel:visible .jp-Cell.jp-mod-active")
    expect(active).to_contain_text("raise RuntimeError('deep down')", timeout=LONG)
    expect(active.locator(".jp-InputArea")).to_be_in_viewport(timeout=20_000)
    expect(active.locator(".jp-OutputArea-output").first).to_be_in_viewport()
    page.wait_for_timeout(1_500)  # it stays there
    expect(active.locator(".jp-InputArea")).to_be_in_viewport()
