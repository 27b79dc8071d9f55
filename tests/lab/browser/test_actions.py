"""Asking for runs, what a notebook's toolbar knows, the log, the runs, and new stages, in a real browser."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Response, expect

from building import notebook_data
from lab.browser.page import (
    GOOD,
    LONG,
    choose,
    drawn,
    execute,
    expect_state,
    is_enabled,
    line,
    node,
    open_form,
    panel,
    picture,
)  # fmt: skip
from lab.server import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@contextlib.contextmanager
def planned(page: Page, *, sweep: bool) -> Iterator[None]:
    """Wait until a plan that the block asks for is there: of a sweep, or of a run with the defaults."""

    def is_it(response: Response) -> bool:
        is_sweep = "sweep=1" in response.url and "count" in response.url
        return response.ok and "stagebook/plan?" in response.url and is_sweep == sweep

    with page.expect_response(is_it, timeout=LONG):
        yield
    drawn(page)


@pytest.mark.long
def test_a_form_is_made_of_types_and_checked_before_anything_starts(page: Page, lab) -> None:
    choose(page, "form")
    form = open_form(page)
    count = form.get_by_label("count", exact=True)
    expect(count).to_have_value("3")
    expect(form.get_by_label("size", exact=True)).to_have_value("small")
    expect(form.get_by_label("until", exact=True)).to_have_value("")
    expect(form.get_by_role("status").first).to_contain_text("3 would run")
    count.fill("2.5")
    error = form.get_by_role("alert")
    expect(error).to_contain_text("expected int, got")
    expect(count).to_have_attribute("aria-invalid", "true")
    expect(count).to_have_attribute("aria-describedby", re.compile("error"))
    expect(form.get_by_role("button", name="Start")).to_be_disabled()
    expect(panel(page).get_by_role("button", name="Run all")).to_be_disabled()
    expect(form).to_contain_text("1 parameter to correct")
    form.get_by_label("until", exact=True).fill("2013-02-28")
    expect(panel(page).get_by_role("button", name="until=2013-02-28")).to_be_visible()
    form.get_by_role("button", name="Set until back to its default").click()
    count.fill("5")
    form.get_by_label("size", exact=True).select_option("large")
    expect(error).to_have_count(0)
    line(page, "middle").click(modifiers=["Control"])
    expect(line(page, "middle")).to_have_attribute("aria-checked", "true")
    expect(form.get_by_role("status").first).to_contain_text("2 would run, 1 skipped")
    picture(page, "lab-form")
    form.get_by_role("button", name="Start").click()
    expect_state(line(page, "middle"), GOOD)
    expect_state(line(page, "last"), "new")
    run = lab.ask("runs?pipeline=form")["runs"][0]
    assert run["params"] == {"count": 5, "size": "large", "loud": False, "until": None}
    assert run["command"] == "stagebook run --param=count=5 --param=size=large form middle"

    # A stage that is up to date runs only where it is forced.
    expect(form.get_by_role("status").first).to_contain_text("2 up to date", timeout=LONG)
    form.get_by_label("Which stages").select_option("only")
    form.get_by_label("Although nothing changed").check()
    expect(form.get_by_role("status").first).to_contain_text("1 would run, 2 skipped")
    expect(form.get_by_role("status").first).to_contain_text(re.compile(r"would run\s+middle"))
    form.get_by_role("button", name="Close").click()
    expect(panel(page).get_by_role("button", name="count=5")).to_be_visible()


@pytest.mark.long
def test_the_form_says_how_much_there_is_to_do_and_keeps_the_start_in_sight(page: Page, lab) -> None:
    choose(page, "form")
    execute(page, "stagebook:run-all")
    expect_state(line(page, "last"), GOOD)
    form = open_form(page)
    work = form.locator(".sb-Workload")
    expect(work).to_have_text("nothing to do: all is up to date")
    form.get_by_label("loud", exact=True).check()
    expect(work).to_have_text(re.compile(r"^1 stage, about \d+ s$"))
    form.get_by_label("A run for each of several values").check()
    form.get_by_label("count", exact=True).fill("[5, 6, 7]")
    expect(work).to_have_text(re.compile(r"^3 points, 3 stages, about \d+ s$"))
    form.get_by_label("size", exact=True).fill("[small, large]")
    expect(work).to_have_text(re.compile(r"^6 points, 6 stages, about \d+ s$"))
    page.set_viewport_size({"width": 900, "height": 420})
    form.get_by_label("Keep the kernel").scroll_into_view_if_needed()
    form.locator(".sb-RunPreview").evaluate("node => node.scrollIntoView({block: 'end'})")
    expect(form.get_by_role("button", name="Start the sweep")).to_be_in_viewport()
    page.set_viewport_size({"width": 1280, "height": 760})
    form.get_by_role("button", name="Set all back").click()
    expect(form.get_by_role("button", name="Set all back")).to_be_disabled()
    expect(form.get_by_label("loud", exact=True)).not_to_be_checked()
    expect(form.get_by_label("count", exact=True)).to_have_attribute("type", "number")
    expect(work).to_have_text("nothing to do: all is up to date")
    expect(panel(page).get_by_role("group", name="Parameters of the next run")).to_have_count(0)


@pytest.mark.long
def test_stages_are_chosen_in_the_graph_and_in_the_list_and_the_form_has_them(page: Page, lab) -> None:
    choose(page, "form")
    execute(page, "stagebook:open-graph")
    node(page, "middle").click(modifiers=["Control"])
    expect(node(page, "middle")).to_have_attribute("data-chosen", "true")
    expect(line(page, "middle")).to_have_attribute("aria-checked", "true")
    line(page, "begin").focus()
    page.keyboard.press(" ")
    chosen = panel(page).get_by_role("button", name="2 stages chosen")
    chosen.click()
    form = page.get_by_role("form", name="What to run")
    expect(form.get_by_label("Which stages")).to_have_value("to")
    expect(form.get_by_role("button", name="begin", exact=True)).to_be_visible()
    # The graph beside the form goes on choosing.
    execute(page, "stagebook:open-graph")
    node(page, "begin").click(modifiers=["Control"])
    node(page, "middle").click(modifiers=["Control"])
    expect(chosen).to_have_count(0)
    execute(page, "stagebook:run-with")
    expect(form.get_by_label("Which stages")).to_have_value("all")
    expect(line(page, "middle")).to_have_attribute("aria-checked", "false")
    form.get_by_role("button", name="Close").click()
    expect(form).to_have_count(0)
    expect(line(page, "middle")).not_to_have_attribute("aria-checked", re.compile("true|false"))


@pytest.mark.long
def test_a_sweep_is_asked_for_and_its_points_are_compared(page: Page, lab) -> None:
    choose(page, "form")
    form = open_form(page)
    form.get_by_label("A run for each of several values").check()
    form.get_by_label("count", exact=True).fill("[1, 2]")
    line(page, "begin").click(modifiers=["Control"])
    expect(form.get_by_role("status").first).to_contain_text("1 would run")
    form.get_by_role("button", name="Start the sweep").click()
    execute(page, "stagebook:open-runs")
    runs = page.get_by_role("table", name="Runs of form")
    expect(runs.locator("tbody tr[data-level='1']")).to_have_count(2, timeout=LONG)
    expect(runs.locator("tbody tr").first).to_contain_text("completed", timeout=LONG)
    expect(runs.locator("tbody tr").first).to_contain_text("sweep")
    for at in (1, 2):
        runs.get_by_role("checkbox").nth(at).check()
    params = page.get_by_role("table", name="Comparison").get_by_role("rowgroup", name="Parameters")
    expect(params.get_by_role("row", name=re.compile("^differs: count"))).to_contain_text("1")
    expect(params.get_by_role("row")).to_have_count(2)
    page.get_by_label("Also what is the same").check()
    expect(params.get_by_role("row")).to_have_count(5)


@pytest.mark.long
def test_after_a_sweep_its_values_are_taken_back_and_all_is_as_before(page: Page, lab) -> None:
    choose(page, "form")
    form = open_form(page)
    form.get_by_label("A run for each of several values").check()
    form.get_by_label("count", exact=True).fill("[1, 2]")
    expect(form.get_by_role("button", name="Start the sweep")).to_be_enabled(timeout=LONG)
    form.get_by_role("button", name="Close").click()
    execute(page, "stagebook:open-graph")
    chip = panel(page).get_by_role("button", name="count=[1, 2]")
    expect(chip).to_be_visible()
    expect(panel(page).get_by_role("button", name="Run all")).to_be_enabled()
    with planned(page, sweep=False):
        chip.click()
    expect(chip).to_have_count(0)
    expect(panel(page).get_by_role("button", name="Run all")).to_be_enabled()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator(".sb-Edges path")).to_have_count(2)
    expect_state(line(page, "last"), re.compile("new|completed|up to date|stale|reused"))
    panel(page).get_by_role("button", name="Run all").click()
    expect_state(line(page, "last"), GOOD)
    assert lab.ask("runs?pipeline=form")["runs"][0]["kind"] == "run"


@pytest.mark.long
def test_values_of_a_sweep_that_stand_are_swept_by_run_all(page: Page, lab) -> None:
    choose(page, "form")
    form = open_form(page)
    form.get_by_label("A run for each of several values").check()
    with planned(page, sweep=True):
        form.get_by_label("count", exact=True).fill("[1, 2]")
    form.get_by_role("button", name="Close").click()
    expect(panel(page).get_by_role("button", name="count=[1, 2]")).to_be_visible()
    expect(panel(page).get_by_role("button", name="Run all")).to_be_enabled(timeout=LONG)
    execute(page, "stagebook:run-to-here", stage="begin")
    expect(panel(page).locator(".sb-Run")).to_contain_text("running", timeout=LONG)
    expect(panel(page).locator(".sb-Run")).to_contain_text("completed", timeout=LONG)
    (sweep,) = [run for run in lab.ask("runs?pipeline=form&limit=1")["runs"] if run["kind"] == "sweep"]
    assert sweep["params"]["count"] == [1, 2]


@pytest.mark.long
def test_the_toolbar_of_a_notebook_knows_its_stage(page: Page, lab) -> None:
    choose(page, "breaks")
    panel(page).get_by_role("button", name="Run all").click()
    expect_state(line(page, "breaks"), "failed")
    execute(page, "stagebook:open-notebook", stage="breaks")
    badge = page.locator(".sb-Badge")
    expect(badge).to_have_attribute("aria-label", re.compile("^Stage breaks, failed, KeyError"), timeout=LONG)
    expect(badge).to_contain_text("at cell 2 of 3")
    badge.click()
    menu = page.get_by_role("menu")
    picture(page, "lab-badge")
    menu.get_by_text("Open at the Failing Cell").click()
    active = page.locator(".jp-NotebookPanel:visible .jp-Cell.jp-mod-active")
    expect(active).to_contain_text("x['b']", timeout=LONG)
    expect(active).to_contain_text("KeyError")
    page.get_by_role("button", name="Back to the notebook").click()

    mended = notebook_data("x = {'b': 1}", "x['b']", "print('never')")
    lab.project.file("notebooks/broken.ipynb", json.dumps(mended))
    execute(page, "stagebook:open-changes", stage="breaks")
    changes = page.locator(".sb-Page")
    expect(changes).to_contain_text("1 of 3 cells differ", timeout=LONG)
    expect(changes.locator("[data-line='-']")).to_have_text("-x = {'a': 1}\n")
    expect(changes.locator("[data-line='+']")).to_have_text("+x = {'b': 1}\n")
    picture(page, "lab-changes")
    execute(page, "stagebook:retry")
    expect_state(line(page, "follows"), GOOD)
    execute(page, "stagebook:open-stage-in-pipeline-file", stage="breaks")
    cursor = "window.jupyterapp.shell.currentWidget?.content?.editor?.getCursorPosition()"
    page.wait_for_function(f"{cursor}?.line === 2", timeout=20_000)


@pytest.mark.long
def test_a_log_streams_as_text(page: Page, lab) -> None:
    choose(page, "talks")
    panel(page).get_by_role("button", name="Run all").click()
    expect_state(line(page, "talk"), "running")
    expect(line(page, "talk")).to_contain_text(re.compile(r"cell [2-9]"), timeout=LONG)
    line(page, "talk").click(button="right")
    page.get_by_role("menu").get_by_text("Open the Log of the Stage").click()
    log = page.get_by_role("log")
    expect(log).to_contain_text("line 2", timeout=LONG)
    expect(page.locator(".sb-Log")).to_contain_text("follows the stage")
    # A tab that is moved goes on, once.
    page.evaluate(
        "(({ shell }) => shell.add(shell.currentWidget, 'main', { mode: 'split-right' }))(window.jupyterapp)"
    )
    expect(log).to_contain_text("line 11", timeout=LONG)
    expect(page.locator(".sb-Log")).not_to_contain_text("follows the stage", timeout=LONG)
    assert log.inner_text().split() == [word for at in range(12) for word in ("line", str(at))]


@pytest.mark.long
def test_runs_have_their_stages_over_time_and_take_notes(page: Page, lab) -> None:
    choose(page, "again")
    panel(page).get_by_role("button", name="Run all").click()
    expect_state(line(page, "report"), GOOD)
    process = lab.stagebook("run", "again", "--force")
    execute(page, "stagebook:open-runs")
    runs = page.get_by_role("table", name="Runs of again")
    assert process.wait(90) == 0
    expect(runs.locator("tbody tr").first).to_contain_text("completed", timeout=LONG)
    view = page.locator(".sb-RunsView")
    expect(view).to_contain_text("stagebook run again --force")
    bars = view.get_by_role("listitem", name=re.compile(r"^load, completed, .*, on the critical path"))
    expect(bars).to_have_count(1, timeout=LONG)
    view.get_by_label("A note on this run").fill("the one for the paper")
    view.get_by_role("button", name="Add").click()
    expect(view.get_by_role("region", name="Notes")).to_contain_text("the one for the paper")


@pytest.mark.long
def test_a_kernel_is_prepared_and_the_notebook_is_left_alone(page: Page, lab) -> None:
    choose(page, "form")
    form = open_form(page)
    form.get_by_label("count", exact=True).fill("8")
    before = (lab.project.root / "notebooks/typed.ipynb").read_bytes()
    execute(page, "stagebook:prepare-kernel", stage="begin")
    expect(page.get_by_text("form/begin, in").first).to_be_visible(timeout=LONG)
    execute(page, "notebook:run-all-cells")
    expect(page.locator(".jp-NotebookPanel:visible .jp-OutputArea").last).to_contain_text(
        "count is 8", timeout=LONG
    )
    assert (lab.project.root / "notebooks/typed.ipynb").read_bytes() == before


@pytest.mark.long
def test_the_kernel_of_a_failed_stage_is_taken_over(page: Page, lab) -> None:
    choose(page, "kept")
    form = open_form(page)
    form.get_by_label("Keep the kernel").check()
    form.get_by_role("button", name="Start").click()
    expect_state(line(page, "kept"), "failed")
    assert is_enabled(page, "stagebook:use-kept-kernel", stage="kept")
    execute(page, "stagebook:use-kept-kernel", stage="kept")
    page.get_by_role("button", name="Use it").click()
    alive = "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.connectionStatus"
    page.wait_for_function(f"{alive} === 'connected'", timeout=LONG)
    asked = """async () => {
      const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
      let said = '';
      const future = kernel.requestExecute({ code: 'print(answer)' });
      future.onIOPub = message => { said += message.content.text ?? ''; };
      await future.done;
      return said;
    }"""
    assert page.evaluate(asked) == "42\n"
    run = lab.ask("runs?pipeline=kept")["runs"][0]["id"]
    lab.ask(f"runs/{run}/kernel", {"stage": "kept", "end": True})


EDITOR = "window.jupyterapp.shell.currentWidget?.content?.editor"


@pytest.mark.long
def test_a_stage_is_added_while_the_pipeline_file_is_open(page: Page, lab) -> None:
    """Its editor has the new stage, and saving it takes nothing back; edits in it are not lost."""
    lab.project.pipeline("stages:\n  one: {notebook: notebooks/work.ipynb}\n", "grown")
    path = lab.project.root / "pipelines/grown.yaml"
    execute(page, "stagebook:refresh")
    expect(
        page.get_by_role("combobox", name="Pipeline").first.locator("option[value=grown]")
    ).to_be_attached()
    choose(page, "grown")
    execute(page, "stagebook:open-pipeline-file")
    page.wait_for_function(f"{EDITOR}?.lineCount === 3", timeout=LONG)
    lab.project.notebook("extra", "1", params="count = 0")
    for stage in ("extra", "more"):
        page.evaluate(
            "window.jupyterapp.commands.execute('docmanager:open', {path: 'notebooks/extra.ipynb'}).then(() => null)"
        )
        expect(page.locator(".jp-NotebookPanel:visible")).to_contain_text("count", timeout=LONG)
        execute(page, "stagebook:add-notebook-as-stage")
        page.get_by_label("Name of the stage").fill(stage)
        page.get_by_role("button", name="Add", exact=True).click()
        expect_state(line(page, stage), "new")
        at = path.read_text().splitlines().index(f"  {stage}:") + (stage == "more")
        page.wait_for_function(f"{EDITOR}?.getCursorPosition().line === {at}", timeout=LONG)
        source = page.evaluate(f"{EDITOR}.model.sharedModel.getSource()")
        assert source == ("# edited\n" if stage == "more" else "") + path.read_text()
        if stage == "extra":  # an edit that is not saved, when the next stage is added
            page.evaluate(f"{EDITOR}.model.sharedModel.updateSource(0, 0, '# edited\\n')")
    execute(page, "docmanager:save")
    until(lambda: path.read_text().startswith("# edited\nstages:"))
    expect(page.get_by_text("Overwrite")).to_have_count(0)
    assert "  extra:\n" in path.read_text()
    assert "  more:\n" in path.read_text()


@pytest.mark.long
def test_changes_are_told_by_the_number_that_the_notebook_shows(page: Page, lab) -> None:
    lab.project.notebook("numbers", "#md # A text", "a = 1", "", "b = 2", "1 / c", params="c = 1\nout = ''")
    lab.project.pipeline("stages:\n  n: {notebook: notebooks/numbers.ipynb, params: {c: 1}}\n", "numbers")
    assert lab.stagebook("run", "numbers").wait(90) == 0
    execute(page, "stagebook:refresh")
    expect(
        page.get_by_role("combobox", name="Pipeline").first.locator("option[value=numbers]")
    ).to_be_attached()
    choose(page, "numbers")
    assert lab.stagebook("run", "numbers").wait(90) == 0  # all is reused
    execute(page, "stagebook:open-changes", stage="n")
    changes = page.locator(".sb-Page")
    expect(changes).to_contain_text("0 of 6 cells differ; the notebook is as it ran", timeout=LONG)
    lab.project.edit("numbers", "b = 2", "b = 3")
    lab.project.edit("numbers", "1 / c", "1 / 0")
    assert lab.stagebook("run", "numbers").wait(90) == 1
    expect_state(line(page, "n"), "failed")
    expect(line(page, "n")).to_contain_text("at cell 5 of 5")
    # The failed attempt ran what the notebook is now; the difference is that to the result, as `why` prints it.
    expect(changes).to_contain_text("0 of 6 cells differ", timeout=LONG)
    expect(changes).to_contain_text("cell 3 changed")
    code = changes.get_by_label("code")
    expect(code).to_contain_text("cell 3\n-b = 2\n+b = 3")
    lab.project.edit("numbers", "1 / 0", "1 / 1")
    lab.project.edit("numbers", "# A text", "# Another text")  # both are seen by themselves
    expect(
        changes.get_by_role("heading", name="cell 4 changed ([5] in the executed notebook)")
    ).to_be_visible(timeout=LONG)
    expect(changes.get_by_role("heading", name="a markdown cell changed")).to_be_visible()
    execute(page, "stagebook:open-failing-cell", stage="n")
    active = page.locator(".jp-NotebookPanel:visible .jp-Cell.jp-mod-active")
    expect(active.locator(".jp-InputPrompt")).to_have_text("[5]:", timeout=LONG)


@pytest.mark.long
def test_a_notebook_is_added_as_a_stage(page: Page, lab) -> None:
    lab.project.notebook("extra", "1", params="count = 0")
    choose(page, "form")
    page.evaluate(
        "window.jupyterapp.commands.execute('docmanager:open', {path: 'notebooks/extra.ipynb'}).then(() => null)"
    )
    expect(page.locator(".jp-NotebookPanel:visible")).to_contain_text("count", timeout=LONG)
    assert is_enabled(page, "stagebook:add-notebook-as-stage")
    execute(page, "stagebook:add-notebook-as-stage")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name of the stage")).to_have_value("extra")
    dialog.get_by_label("Name of the stage").fill("extra stage")
    expect(dialog.get_by_text("'extra stage' is not a name of a stage")).to_be_visible()
    expect(dialog.get_by_role("button", name="Add", exact=True)).to_be_disabled()
    dialog.get_by_label("Name of the stage").fill("extra")
    expect(dialog.get_by_label("Lines that are added")).to_contain_text('count: "${params.count}"')
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect_state(line(page, "extra"), "new")
    text = (lab.project.root / "pipelines/form.yaml").read_text()
    assert "# The form is made from this." in text
    assert "  # The first one.\n  begin:" in text
    assert text.endswith(
        '  extra:\n    notebook: notebooks/extra.ipynb\n    params:\n      count: "${params.count}"\n'
    )
