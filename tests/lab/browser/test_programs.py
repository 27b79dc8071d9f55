"""Stages that run no notebook, in JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from lab.browser.page import LONG, choose, execute, expect_state, is_enabled, line, node

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PIPELINE = """
stages:
  get:
    command: "echo n > ${outputs.raw}; echo 1 >> ${outputs.raw}"
    outputs: {raw: data/programs/raw.csv}
  total:
    sql: queries/total.sql
    inputs: {raw: get.raw}
    outputs: {total: data/programs/total.csv}
  train:
    script: scripts/train.py
    after: [total]
"""


@pytest.mark.long
def test_a_stage_says_what_it_runs_and_opens_it(page: Page, lab) -> None:
    lab.project.file("queries/total.sql", "SELECT sum(n) AS total FROM raw\n")
    lab.project.file("scripts/train.py", "print('training')\nraise ValueError('no rows')\n")
    lab.project.pipeline(PIPELINE, "programs")
    assert lab.stagebook("run", "programs").wait(120) == 1
    page.reload()
    page.wait_for_function("window.jupyterapp?.restored.then(() => true)", timeout=LONG)
    execute(page, "stagebook:open-panel")
    choose(page, "programs")
    expect_state(line(page, "train"), "failed")
    execute(page, "stagebook:open-graph")
    expect(node(page, "total")).to_contain_text("SQL queries/total.sql")

    node(page, "train").click()
    details = page.get_by_role("complementary", name="The stage train")
    expect(details).to_contain_text("script scripts/train.py")
    expect(details).to_contain_text("scripts/train.py: ValueError: no rows")
    expect(details).not_to_contain_text("at cell")
    expect(details.get_by_role("button", name="Edit this cell")).to_have_count(0)
    assert not is_enabled(page, "stagebook:edit-failing-cell", stage="train")
    assert not is_enabled(page, "stagebook:prepare-kernel", stage="train")
    details.get_by_role("button", name="Script").click()
    expect(page.locator(".jp-FileEditor:visible")).to_contain_text("print('training')", timeout=LONG)

    execute(page, "stagebook:open-graph")
    node(page, "get").click()
    details = page.get_by_role("complementary", name="The stage get")
    details.get_by_role("button", name="Command").click()
    expect(page.locator(".jp-FileEditor:visible")).to_contain_text("sql: queries/total.sql", timeout=LONG)
