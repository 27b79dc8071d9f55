"""The table of runs, the page of one run, and its log, as a person uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from building import ProjectBuilder
from lab.browser.page import LONG, choose, drawn, execute, is_enabled, line, panel, restored, wait_until_kept
from lab.server import Lab, running_lab, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

STUDY = """
params: {depth: 2, lr: 0.5, seed: 7}
stages:
  load: {notebook: notebooks/load.ipynb, outputs: {out: data/rows.txt}}
  fit:
    notebook: notebooks/fit.ipynb
    params: {depth: "${params.depth}", lr: "${params.lr}"}
    after: [load]
  judge: {notebook: notebooks/judge.ipynb, params: {depth: "${params.depth}"}, after: [fit], retries: 1}
"""
JUDGE = """import os
if depth == 9 and not os.path.exists('data/second'):
    open('data/second', 'w').close()
    raise OSError('the disk was not there')
if depth == 13:
    raise ValueError('too deep')"""
LINES = 40_000  # of the long log
# What JupyterLab keeps of this page, which it writes a while after a change.
KEPT = """async wanted => {
    const { data } = await window.jupyterapp.serviceManager.workspaces.fetch('default');
    const kept = JSON.stringify(data);
    return wanted.every(text => kept.includes(text));
}"""


def make_study(root: Path) -> ProjectBuilder:
    """A pipeline with parameters and metrics, with runs, a sweep, a retry, a failure, and a long log."""
    builder = ProjectBuilder(root)
    builder.without_tracking()
    glue = "import scrapbook as sb"
    builder.notebook(
        "load", glue, "sb.glue('rows', 1234567)", "_ = open(out, 'w').write('x')", params="out = ''"
    )
    builder.notebook(
        "fit", glue, "sb.glue('loss', lr / depth); sb.glue('auc', depth / 20)", params="depth = 1\nlr = 1.0"
    )
    builder.notebook("judge", glue, JUDGE, "sb.glue('auc', depth / 40)", params="depth = 1")
    builder.pipeline(STUDY, "study")
    shout = "print('INFO:app:begun\\nWARNING:app:slow disk\\nERROR:app:no disk\\n  File x, line 3')"
    builder.notebook("says", shout, f"for at in range({LINES}): print('line', at)", "print('the <b>end</b>')")
    builder.pipeline("stages:\n  says: {notebook: notebooks/says.ipynb}\n", "says")
    return builder


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab of its own, whose project has a history."""
    with running_lab(tmp_path_factory.mktemp("runs"), make_study) as running:
        for words in (
            ("run", "study"),
            ("run", "study"),
            ("sweep", "study", "-p", "depth=[4, 8]"),
            ("run", "study", "-p", "depth=9", "-p", "lr=0.25"),
            ("run", "says"),
        ):
            assert running.stagebook(*words).wait(120) == 0, words
        assert running.stagebook("run", "study", "-p", "depth=13").wait(120) != 0
        yield running


@pytest.fixture
def runs(page: Page) -> Locator:
    """The table of the runs of the study."""
    choose(page, "study")
    execute(page, "stagebook:open-runs")
    table = page.get_by_role("table", name="Runs of study")
    expect(table.locator("tbody tr")).to_have_count(7, timeout=LONG)
    return table


def column(table: Locator, name: str) -> list[str]:
    """The texts of the cells below a head, from the top."""
    heads = [text.strip(" ↑↓") for text in table.locator("thead th").all_inner_texts()]
    at = heads.index(name)
    return [row.locator("td").nth(at).inner_text().strip() for row in table.locator("tbody tr").all()]


def head(table: Locator, name: str) -> Locator:
    return table.get_by_role("columnheader", name=name, exact=True)


def show(page: Page, words: str) -> Locator:
    """Filter the runs, and show the one that is left."""
    page.get_by_label("Filter the runs").fill(words)
    row = page.get_by_role("table", name="Runs of study").locator("tbody tr")
    expect(row).to_have_count(1)
    row.locator(".sb-RunName button").click()
    return page.locator(".sb-RunDetails")


def test_each_parameter_that_differs_and_each_metric_is_a_column(runs: Locator) -> None:
    shown = [text.strip(" ↑↓") for text in runs.locator("thead th").all_inner_texts()][1:]
    assert shown == [
        "Run", "Status", "Took", "depth", "lr", "rows", "loss", "fit.auc", "judge.auc", "Started by",
    ]  # fmt: skip
    assert column(runs, "depth") == ["13", "9", "[4,8]", "4", "8", "2", "2"]
    assert [text.split()[-1] for text in column(runs, "rows") if text] == ["1,234,567"] * 6
    number = runs.locator("tbody td", has_text="1,234,567").first
    assert number.evaluate("node => getComputedStyle(node).textAlign") == "right"
    expect(runs.locator("tbody tr[data-level='1']")).to_have_count(2)


def test_what_was_reused_is_told_apart(runs: Locator) -> None:
    second, first = runs.locator("tbody tr").nth(5), runs.locator("tbody tr").nth(6)
    expect(second).to_contain_text("all 3 reused")
    expect(first).not_to_contain_text("reused")
    expect(second.get_by_role("img", name="reused:")).to_have_count(4)
    expect(runs.locator("tbody tr").nth(1)).to_contain_text("1 of 3 reused")


def test_a_click_on_a_head_sorts_by_numbers_and_the_best_value_is_marked(page: Page, runs: Locator) -> None:
    head(runs, "loss").get_by_role("button").click()
    expect(head(runs, "loss")).to_have_attribute("aria-sort", "descending")
    losses = [float(text.split()[-1]) for text in column(runs, "loss") if text]
    assert losses == sorted(losses, reverse=True)
    assert column(runs, "loss")[-1] == ""  # the sweep itself has none
    head(runs, "loss").get_by_role("button").press("Enter")
    expect(head(runs, "loss")).to_have_attribute("aria-sort", "ascending")
    best = runs.locator("td", has=page.get_by_role("img", name="best:"))
    # The run that failed has the highest area, and does not count.
    assert sorted(text.split()[-1] for text in best.all_inner_texts()) == ["0.027778", "0.225", "0.45"]
    expect(runs.locator("tbody tr").first).to_contain_text("★ 0.027778")


def test_what_is_better_and_which_columns_are_shown_can_be_chosen_and_is_kept(
    page: Page, runs: Locator
) -> None:
    page.get_by_role("button", name=re.compile("^Columns")).click()
    choice = page.get_by_role("group", name=re.compile("^Columns"))
    choice.get_by_label("seed", exact=True).check()
    choice.get_by_label("judge.auc", exact=True).uncheck()
    choice.get_by_label("Best value of fit.auc").select_option("lower is better")
    page.keyboard.press("Escape")
    expect(choice).to_have_count(0)
    expect(page.get_by_role("button", name="Columns (1 hidden)")).to_be_focused()
    assert column(runs, "seed") == ["7"] * 7
    expect(head(runs, "judge.auc")).to_have_count(0)
    until(lambda: page.evaluate(KEPT, ['"param:seed":true', '"metric:fit.auc":"lower"']))
    for _ in range(2):  # what is kept is there after every reload, not after the first one alone
        page.reload()
        page.wait_for_function("window.jupyterapp?.restored.then(() => true)", timeout=LONG)
        execute(page, "stagebook:open-runs")
        expect(head(runs, "seed")).to_be_visible()
        expect(head(runs, "judge.auc")).to_have_count(0)
        expect(page.get_by_role("combobox", name="Pipeline").first).to_have_value("study")
    best = runs.locator("td", has=page.get_by_role("img", name="best:"))
    assert sorted(text.split()[-1] for text in best.all_inner_texts()) == ["0.027778", "0.1"]


def test_a_filter_leaves_runs_by_words_and_by_status(page: Page, runs: Locator) -> None:
    page.get_by_label("Filter the runs").fill("depth=8")
    expect(runs.locator("tbody tr")).to_have_count(1)
    expect(runs.locator("tbody tr")).to_contain_text("point of")
    expect(page.get_by_text("6 of 7 runs are filtered out.")).to_be_visible()
    page.get_by_label("Filter the runs").fill("")
    page.get_by_label("Status", exact=True).select_option("failed")
    expect(runs.locator("tbody tr")).to_have_count(1)
    assert column(runs, "depth") == ["13"]


def test_runs_are_compared_in_one_table_with_what_differs(page: Page, runs: Locator) -> None:
    for at in (1, 6):
        runs.get_by_role("checkbox").nth(at).check()
    table = page.get_by_role("table", name="Comparison")
    params = table.get_by_role("rowgroup", name="Parameters")
    expect(params.get_by_role("row", name=re.compile("^differs: depth"))).to_contain_text("9")
    expect(params.get_by_role("row", name=re.compile("seed"))).to_have_count(0)
    loss = table.get_by_role("row", name=re.compile(r"fit\.loss"))
    assert loss.get_by_role("cell").all_inner_texts() == ["0.027778", "+0.22222 0.25"]
    stages = table.get_by_role("rowgroup", name="Stages")
    assert re.findall("reused|completed", stages.inner_text()) == ["reused", "completed"]
    expect(table.get_by_role("row", name=re.compile("the whole run"))).to_be_visible()
    page.get_by_label("Also what is the same").check()
    expect(params.get_by_role("row", name=re.compile("seed"))).to_be_visible()
    page.get_by_role("button", name="Untick all").click()
    expect(page.locator(".sb-Gantt")).to_be_visible()


def test_a_metric_is_plotted_against_a_parameter(page: Page, runs: Locator) -> None:
    page.get_by_role("button", name="Plot").click()
    page.get_by_label("Vertical axis").select_option("fit.auc")
    page.get_by_label("Horizontal axis").select_option("depth")
    plot = page.get_by_role("img", name=re.compile("^fit.auc by depth: 6 points"))
    expect(plot.locator("circle")).to_have_count(6)
    places = plot.locator("circle").evaluate_all("all => all.map(one => one.cx.baseVal.value)")
    assert places == sorted(places)
    plot.locator("circle").last.click()
    expect(runs.locator("tr[data-current='true']")).to_contain_text("13")
    page.get_by_text("As a table").click()
    rows = page.get_by_role("table", name="fit.auc by depth").locator("tbody tr")
    assert [row.locator("td").last.inner_text() for row in rows.all()] == [
        "0.1", "0.1", "0.2", "0.4", "0.45", "0.65",
    ]  # fmt: skip


def test_a_run_that_failed_shows_where_and_its_log(page: Page, runs: Locator) -> None:
    details = show(page, "depth=13")
    stage = details.get_by_role("region", name=re.compile("^judge in the run"))
    expect(stage).to_contain_text("ValueError: too deep")
    expect(stage.locator(".sb-Traceback")).to_contain_text("raise ValueError")
    expect(details.get_by_role("button", name="Retry what failed")).to_be_visible()
    details.get_by_role("list", name="Stages that did not run").get_by_role("button", name="load").click()
    stage = details.get_by_role("region", name=re.compile("^load in the run"))
    expect(stage).to_contain_text("Result of")
    expect(stage).to_contain_text("1,234,567")
    stage.get_by_role("button", name="Close the stage").click()
    expect(details.get_by_role("region", name=re.compile("in the run"))).to_have_count(0)


def test_attempts_are_bars_of_their_own_and_each_has_its_log(page: Page, runs: Locator) -> None:
    details = show(page, "depth=9")
    bar = details.get_by_role("listitem", name=re.compile("^judge, completed, .*, 2 attempts"))
    expect(bar.locator(".sb-GanttBar")).to_have_count(2)
    expect(bar.locator(".sb-GanttBar").first).to_have_attribute("data-state", "failed")
    expect(bar.locator(".sb-GanttBar").first).to_have_attribute("title", re.compile("attempt 1 of 2: failed"))
    bar.locator(".sb-GanttBar").first.click()
    stage = details.get_by_role("region", name=re.compile("^judge in the run"))
    expect(stage.get_by_role("list")).to_contain_text("the disk was not there")
    stage.get_by_role("button", name="log of attempt 1").click()
    expect(page.get_by_role("log", name=re.compile("^judge, attempt 1, "))).to_be_visible()


@pytest.mark.parametrize("width", [900, 1280])
def test_all_is_in_sight_where_there_is_little_room(page: Page, runs: Locator, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 720})
    drawn(page)
    expect(runs.locator("tbody tr").first).to_be_in_viewport()
    expect(page.locator(".sb-Gantt").first).to_be_in_viewport()
    for one in page.locator(".sb-Axis .sb-Tick").all():
        box = one.bounding_box()
        assert box is not None
        assert box["height"] < 30  # the marks of the axis are on one line
    view = page.locator(".sb-TableView")
    assert view.evaluate("node => node.scrollWidth <= node.clientWidth")


def test_what_is_below_the_table_is_made_higher_and_stays_so(page: Page, runs: Locator) -> None:
    splitter = page.get_by_role("separator", name="Height of what is below the table")
    pane = page.locator(".sb-BelowTable")

    def height() -> float:
        box = pane.bounding_box()
        assert box is not None
        return box["height"]

    usual = height()
    assert int(splitter.get_attribute("aria-valuenow") or 0) == pytest.approx(usual, abs=2)
    splitter.focus()
    page.keyboard.press("ArrowDown")
    lower = int(usual) - 24
    expect(splitter).to_have_attribute("aria-valuenow", re.compile(f"^({lower}|{lower + 1})$"))
    assert height() == pytest.approx(lower, abs=2)
    box = splitter.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 50, steps=3)
    page.mouse.up()
    higher = height()
    assert higher == pytest.approx(lower + 50, abs=6)
    for _ in range(30):
        page.keyboard.press("ArrowUp")
    expect(runs.locator("tbody tr").first).to_be_in_viewport()  # the table does not vanish
    page.keyboard.press("ArrowDown")
    drawn(page)
    most = height()
    page.get_by_role("button", name="Plot").click()
    assert height() == most, "whatever is shown there"
    wait_until_kept(page, '"stagebook-views:runs-below":')
    page.reload()
    restored(page)
    expect(page.locator(".sb-Gantt").first).to_be_visible(timeout=LONG)
    assert height() == most
    splitter.dblclick()
    drawn(page)
    assert height() == pytest.approx(usual, abs=2)


def test_a_run_has_the_same_name_and_time_everywhere(page: Page, runs: Locator) -> None:
    name = runs.locator("tbody tr").first.locator(".sb-RunId")
    text, title = name.inner_text(), name.get_attribute("title")
    assert re.fullmatch(r"[0-9a-f]{4} · (just now|\d+ min ago)", text)
    assert re.fullmatch(
        rf"\d{{8}}-\d{{6}}-{text[:4]}\n\w{{3}}, \d+ \w{{3}} \d{{4}}, \d\d:\d\d .+", title or ""
    )
    for other in (page.locator(".sb-RunDetails h1 .sb-RunId"), panel(page).locator(".sb-Run .sb-RunId")):
        expect(other).to_have_text(text)
        expect(other).to_have_attribute("title", title or "")


# -- the log --------------------------------------------------------------------------------------


@pytest.fixture
def log(page: Page) -> Locator:
    """The long log."""
    choose(page, "says")
    expect(line(page, "says")).to_be_visible(timeout=LONG)
    until(lambda: is_enabled(page, "stagebook:open-log", stage="says"))
    execute(page, "stagebook:open-log", stage="says")
    opened = page.get_by_role("log", name=re.compile("^says, attempt 1, "))
    expect(opened).to_contain_text("the <b>end</b>", timeout=LONG)
    return opened


def test_a_log_is_followed_to_its_end_and_holds_few_lines_of_many(page: Page, log: Locator) -> None:
    expect(page.get_by_role("button", name="Follow the end")).to_have_attribute("aria-pressed", "true")
    assert log.locator(".sb-LogLine").count() < 200
    bar, lines = page.get_by_role("toolbar", name="Log").bounding_box(), log.bounding_box()
    assert bar is not None
    assert lines is not None
    assert lines["y"] == pytest.approx(bar["y"] + bar["height"], abs=1), (
        "there is no empty strip between them"
    )
    expect(page.get_by_label("Level", exact=True)).to_contain_text(f"all lines ({LINES + 5:,})")
    log.hover()
    page.mouse.wheel(0, -4000)
    expect(page.get_by_role("button", name="Follow the end")).to_have_attribute("aria-pressed", "false")
    expect(log).not_to_contain_text("the <b>end</b>")
    page.get_by_role("button", name="Follow the end").click()
    expect(log).to_contain_text("the <b>end</b>")


def test_a_log_is_searched(page: Page, log: Locator) -> None:
    expect(log).to_be_focused()  # it was opened: the keys scroll it
    page.keyboard.press("Control+f")
    field = page.get_by_label("Search the log")
    expect(field).to_be_focused()
    field.fill("LINE 777")
    status = page.get_by_role("status").filter(has_text="of 11 lines")
    expect(status).to_have_text("1 of 11 lines")
    found = log.locator(".sb-LogLine[data-found='true']")
    expect(found).to_have_text("line 777")
    expect(found).to_be_in_viewport()
    assert found.locator("mark").inner_text() == "line 777"
    field.press("Enter")
    expect(status).to_have_text("2 of 11 lines")
    expect(found).to_have_text("line 7770")
    field.press("Shift+Enter")
    page.get_by_role("button", name="Previous match").click()
    expect(status).to_have_text("11 of 11 lines")
    field.fill("nowhere")
    expect(page.get_by_text("no match")).to_be_visible()


def test_a_log_shows_the_lines_of_a_level(page: Page, log: Locator) -> None:
    level = page.get_by_label("Level", exact=True)
    level.select_option("errors (2)")
    expect(log.locator(".sb-LogLine")).to_have_text(["ERROR:app:no disk", "  File x, line 3"])
    level.select_option("warnings, errors (3)")
    expect(log.locator(".sb-LogLine").first).to_have_text("WARNING:app:slow disk")
    level.select_option("info, warnings, errors (4)")
    expect(log.locator(".sb-LogLine")).to_have_count(4)


def test_of_a_very_long_log_the_end_is_shown_and_the_rest_is_told(page: Page, lab: Lab) -> None:
    choose(page, "says")
    (path,) = lab.project.root.glob(".stagebook/runs/*/says/1/log.txt")
    kept = path.read_text()
    path.write_text("ä line of what a stage printed, of some length\n" * 1_100_000 + "the last\n")
    try:
        execute(page, "stagebook:open-log", stage="says")
        opened = page.get_by_role("log", name=re.compile("^says, attempt 1, "))
        expect(opened).to_contain_text("the last", timeout=LONG)
        expect(page.locator(".sb-Log")).to_contain_text(re.compile(r"The first \d\d\.\d MB are not shown"))
        page.get_by_label("Search the log").fill("the last")
        expect(page.get_by_text("1 of 1 lines")).to_be_visible()
        assert "�" not in opened.inner_text()
    finally:
        path.write_text(kept)
