"""What a person sees of data: contracts, what they came to, and figures over the runs."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from lab.browser.page import LONG, choose, execute, expect_state, line, node
from stagebook.events import Status

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

MAKE = "open(people, 'w').write('id,speed\\n' + ''.join(f'{at},{at % 50}\\n' for at in range(rows)))"
PIPELINE = """
params: {rows: 100}
stages:
  make:
    notebook: notebooks/people.ipynb
    params: {rows: "${params.rows}"}
    outputs: {people: data/people.csv}
"""


def run(lab, *arguments: str) -> None:
    assert lab.stagebook("run", "people", *arguments).wait(120) == 0


@pytest.mark.long
def test_a_contract_is_drafted_beside_the_notebook_and_what_it_came_to_is_shown(page: Page, lab) -> None:
    lab.project.notebook("people", MAKE, params="rows = 0\npeople = ''")
    lab.project.pipeline(PIPELINE, "people")
    run(lab)
    page.reload()
    page.wait_for_function("window.jupyterapp?.restored.then(() => true)", timeout=LONG)
    execute(page, "stagebook:open-panel")
    choose(page, "people")
    expect_state(line(page, "make"), "up to date")
    execute(page, "stagebook:open-graph")
    node(page, "make").click()
    details = page.get_by_role("complementary", name="The stage make")
    figures = details.get_by_role("table", name="Figures over the runs")
    rows = figures.get_by_role("row", name=re.compile("^people: rows"))
    expect(rows).to_contain_text("100", timeout=LONG)
    details.get_by_role("button", name="draft a contract").click()
    expect(page.locator(".jp-FileEditor")).to_contain_text("id: people.make.people", timeout=LONG)
    path = lab.project.root / "contracts/people.make.people.yaml"
    severity = "customProperties: [{property: severity, value: quarantine}]\n        logicalTypeOptions:"
    text = re.sub("maximum: .*", "maximum: 48", path.read_text())
    path.write_text(text.replace("logicalTypeOptions:", severity))
    run(lab)
    execute(page, "stagebook:open-graph")
    node(page, "make").click()
    checks = details.get_by_role("list", name="Checks that do not hold")
    expect(checks).to_contain_text("kept in quarantine", timeout=LONG)
    broken = checks.get_by_role("list", name="Rows that break it").get_by_role("listitem")
    expect(broken).to_have_count(2)
    expect(broken.first).to_contain_text("speed=49")
    for shown in (line(page, "make"), node(page, "make")):
        expect(shown).to_contain_text("2 rows in quarantine")
        expect(shown).to_have_accessible_name(re.compile("2 rows in quarantine$"))
    expect(details.get_by_role("button", name="contract", exact=True)).to_be_visible(timeout=LONG)
    path.write_text(path.read_text().replace("maximum: 48", "maximum: 60"))
    run(lab)
    expect(details).to_contain_text("All checks hold.", timeout=LONG)
    expect(checks).to_have_count(0)


@pytest.mark.long
def test_a_figure_that_is_out_of_the_usual_is_seen_at_once(page: Page, lab) -> None:
    lab.project.notebook("counts", MAKE, params="rows = 0\npeople = ''")
    lab.project.pipeline(
        PIPELINE.replace("people.ipynb", "counts.ipynb").replace("people.csv", "counts.csv"), "counts"
    )
    for rows in (100, 101, 102, 103, 104, 105, 106, 107, 9):
        assert lab.project.project.run("counts", {"rows": rows}).status is Status.COMPLETED
    page.reload()
    page.wait_for_function("window.jupyterapp?.restored.then(() => true)", timeout=LONG)
    execute(page, "stagebook:open-panel")
    choose(page, "counts")
    execute(page, "stagebook:open-graph")
    node(page, "make").click()
    details = page.get_by_role("complementary", name="The stage make")
    rows = details.get_by_role("row", name=re.compile("^people: rows"))
    expect(rows).to_contain_text("! 9", timeout=LONG)
    expect(rows).to_contain_text("usually")
    expect(rows.get_by_role("img", name="9 runs, from 100 to 9")).to_be_visible()
    first = details.get_by_role("table", name="Figures over the runs").get_by_role("row").first
    expect(first).to_have_class(re.compile("sb-mod-unusual"))
