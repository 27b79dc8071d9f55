"""What a person is told of a stage is so: a failure is seen, and what lies on disk is what is named."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from lab.browser.page import LONG, choose, execute, expect_state, line, node, panel

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def run_in_terminal(lab, *arguments: str, code: int) -> None:
    assert lab.stagebook("run", *arguments).wait(120) == code


@pytest.mark.long
def test_a_failure_with_other_parameters_is_not_hidden_by_a_result_for_these(page: Page, lab) -> None:
    choose(page, "limits")
    run_in_terminal(lab, "limits", code=0)
    expect_state(line(page, "limits"), "up to date")
    run_in_terminal(lab, "limits", "-p", "limit=-1", code=1)
    expect_state(line(page, "limits"), "failed")
    expect(line(page, "limits")).to_contain_text("ValueError: a limit from 0 on")
    expect(line(page, "limits")).to_contain_text(
        "next run: up to date: it has a result for these parameters", timeout=LONG
    )
    expect_state(line(page, "after"), "blocked")
    expect(line(page, "after")).to_contain_text("needs limits, which failed")
    expect(panel(page).locator(".sb-Counts")).to_contain_text("1 failed")
    execute(page, "stagebook:open-graph")
    node(page, "limits").click()
    details = page.get_by_role("complementary", name="The stage limits")
    expect(details.locator(".sb-Traceback")).to_contain_text("a limit from 0 on")
    expect(details).to_contain_text("Next runup to date: it has a result for these parameters")
    expect(details.get_by_text("✓")).to_have_count(0)


@pytest.mark.long
def test_what_lies_on_disk_of_other_parameters_is_told(page: Page, lab) -> None:
    choose(page, "limits")
    run_in_terminal(lab, "limits", code=0)
    expect_state(line(page, "limits"), "up to date")
    run_in_terminal(lab, "limits", "-p", "limit=6", code=0)
    expect_state(line(page, "limits"), "restores")
    expect(line(page, "limits")).to_contain_text("data/limit.txt on disk is of limit=6", timeout=LONG)
    panel(page).get_by_role("button", name="Run all").click()
    expect_state(line(page, "limits"), "up to date")
    assert (lab.project.root / "data/limit.txt").read_text() == "1"


@pytest.mark.long
def test_a_run_that_reuses_all_keeps_times_and_memory_in_sight(page: Page, lab) -> None:
    choose(page, "limits")
    for _ in range(2):  # from the second on there is a usual time
        run_in_terminal(lab, "limits", "--force", code=0)
    execute(page, "stagebook:open-graph")
    node(page, "limits").click()
    details = page.get_by_role("complementary", name="The stage limits")
    expect(details).to_contain_text("Memory", timeout=LONG)
    took = details.locator("dt:text('Took') + dd").inner_text()
    run_in_terminal(lab, "limits", code=0)
    expect(panel(page)).to_contain_text(re.compile("reused|up to date"))
    newest = lab.ask("runs?pipeline=limits")["runs"][0]["id"].rpartition("-")[2]
    expect(details.locator("dt:text-is('Run') + dd")).to_have_text(re.compile(f"^{newest} · "), timeout=LONG)
    expect(details.locator("dt:text('Took') + dd")).to_have_text(took)
    expect(details.locator("dt:text('Memory') + dd")).to_have_text(re.compile("MB"))


@pytest.mark.long
def test_what_another_program_changes_makes_stages_stale_in_sight(page: Page, lab) -> None:
    lab.project.file("helpers/rates.py", "RATE = 1\n")
    lab.project.file("raw/rates.csv", "1\n")
    lab.project.notebook("rated", "from helpers.rates import RATE", "print(RATE)")
    lab.project.notebook("priced", "print(open(rates).read())", params="rates = ''")
    lab.project.pipeline(
        """
        stages:
          rated: {notebook: notebooks/rated.ipynb}
          priced: {notebook: notebooks/priced.ipynb, inputs: {rates: raw/rates.csv}}
        """,
        "rates",
    )
    run_in_terminal(lab, "rates", code=0)
    listed = page.get_by_role("combobox", name="Pipeline").first.locator("option[value=rates]")
    expect(listed).to_be_attached()  # it is seen by itself
    choose(page, "rates")
    expect_state(line(page, "rated"), "up to date")
    expect_state(line(page, "priced"), "up to date")
    lab.project.file("helpers/rates.py", "RATE = 2\n")
    expect(line(page, "rated")).to_have_attribute("data-state", "stale", timeout=10_000)
    expect(line(page, "rated")).to_contain_text("helpers/rates.py")
    expect(line(page, "priced")).to_have_attribute("data-state", "up to date")
    lab.project.file("raw/rates.csv", "2\n")
    expect(line(page, "priced")).to_have_attribute("data-state", "stale", timeout=10_000)
    expect(line(page, "priced")).to_contain_text("raw/rates.csv")
    lab.project.file("helpers/rates.py", "RATE = 1\n")
    expect(line(page, "rated")).to_have_attribute("data-state", "up to date", timeout=10_000)
