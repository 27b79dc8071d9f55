"""What a person sees and does about schedules, runs over time, backfills, incidents and figures."""

from __future__ import annotations

import datetime as dt
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from building import ProjectBuilder
from lab.browser.page import LONG, choose, execute, open_page, panel, picture
from lab.browser.test_accessibility import AXE, violations
from lab.server import Lab, running_lab
from measured import DAY, HOUR, History, Repository, lively
from stagebook.events import ScheduleChecked, Status

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

LOAD = """
import pathlib
if pathlib.Path(f"broken/{day}").exists(): raise RuntimeError("no file of that day")
pathlib.Path(out).write_text(day)
"""
COPY = "open(out, 'w').write(open(source).read())"
# It fires half a day from now, so that no test sees it.
FIRED = dt.datetime.now(dt.timezone(dt.timedelta(hours=9))) - dt.timedelta(hours=12)
PIPELINE = """
schedules:
  daily: {cron: "0 HOUR * * *", zone: Asia/Tokyo, interval: day}
stages:
  load:
    notebook: notebooks/load.ipynb
    executor: inprocess
    params: {day: "${interval.start}"}
    outputs: {out: "data/days/${interval.name}.txt"}
  clean:
    notebook: notebooks/copy.ipynb
    executor: inprocess
    inputs: {source: load.out}
    outputs: {out: "data/clean/${interval.name}.txt"}
""".replace("HOUR", str(FIRED.hour))


def day(before: int) -> str:
    """A day in Tokyo; 1 is that of the latest complete interval."""
    return (FIRED.date() - dt.timedelta(days=before)).isoformat()


def make_project(root: Path) -> ProjectBuilder:
    """A pipeline about days; what fails in the working tree opens an incident."""
    builder = ProjectBuilder(root)
    builder.file(
        "stagebook.toml", "[tracking]\nenabled = false\n[incidents]\ndev = true\n[environments.prod]\n"
    )
    builder.notebook("load", LOAD, params="day = ''\nout = ''")
    builder.notebook("copy", COPY, params="source = ''\nout = ''")
    builder.pipeline(PIPELINE, "days")
    builder.file(f"broken/{day(7)}")
    return builder


def say(page: Page, text: str, button: str) -> None:
    """Answer in the dialog that asks."""
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill(text)
    dialog.get_by_role("button", name=button, exact=True).click()


def run(lab: Lab, interval: str) -> int:
    return lab.stagebook("run", "days", "--interval", interval).wait(120)


def square(page: Page, name: str) -> Locator:
    return page.get_by_role("gridcell").get_by_role("button", name=re.compile(name))


@pytest.mark.long
def test_schedules_runs_over_time_backfills_and_incidents(browser: BrowserContext, tmp_path: Path) -> None:
    with running_lab(tmp_path, make_project) as lab, open_page(browser, lab) as (page, errors):
        assert run(lab, day(9)) == 0
        assert run(lab, day(7)) == 1
        assert run(lab, day(9)) == 0
        _schedules(page)
        _grid(page)
        _backfill(page, lab)
        _incidents(page, lab)
        _figures(page, lab)
        _elsewhere(page)
        _narrow(page)
        _keeps_the_rules(page)
        _interval(page)
        assert errors == []


def _schedules(page: Page) -> None:
    """One is paused, resumed and triggered."""
    panel(page).get_by_role("button", name="Schedules").click()
    row = page.get_by_role("table", name="Schedules").get_by_role("row", name="days/daily")
    expect(row).to_contain_text(f"0 {FIRED.hour} * * * (Asia/Tokyo)", timeout=LONG)
    expect(row).to_contain_text("never")
    expect(page.get_by_role("toolbar", name="Schedules")).to_contain_text(
        "No scheduler runs, so nothing fires by itself. In a terminal: stagebook scheduler"
    )
    firings = page.get_by_role("table", name="Next runs").get_by_role("row")
    expect(firings.nth(1)).to_contain_text(
        re.compile(rf"\d\d:00 \S+.*in \d+ h.*days/daily.*{FIRED.hour:02}:00 (GMT\+9|JST)")
    )
    row.get_by_role("button", name="Pause days/daily").click()
    say(page, "the source is down", "Pause")
    expect(row).to_contain_text(re.compile(r"paused.*by \S+, just now: the source is down"), timeout=LONG)
    expect(page.get_by_role("status").filter(has_text="days/daily is paused.")).to_be_visible()
    expect(page.get_by_role("table", name="Next runs")).to_have_count(0)
    row.get_by_role("button", name="Resume days/daily").click()
    say(page, "", "Resume")
    expect(row.get_by_role("button", name="Pause days/daily")).to_be_visible(timeout=LONG)
    row.get_by_role("button", name="Trigger days/daily").click()
    say(page, "a look", "Trigger")
    expect(row).to_contain_text("completed", timeout=LONG)
    expect(row).to_contain_text(f"about {day(1)}")
    expect(row).to_contain_text("triggered by")
    picture(page, "lab-schedules")


def _grid(page: Page) -> None:
    """A run that failed, one that reused, and what is known of a square."""
    panel(page).get_by_role("button", name="Over time").click()
    grid = page.get_by_role("grid", name="Runs by stages")
    expect(grid.get_by_role("columnheader", name=day(9))).to_have_count(2, timeout=LONG)
    expect(square(page, rf"^clean, reused, run \S+, about {day(9)}")).to_have_count(1)
    expect(square(page, rf"^clean, blocked, run \S+, about {day(7)}")).to_have_text("⊘")
    failed = square(page, rf"^load, failed, run \S+, about {day(7)}")
    expect(failed).to_have_text("✗")
    failed.click()
    expect(failed).to_have_attribute("aria-pressed", "true")
    details = page.get_by_role("region", name=re.compile("^load in the run"))
    expect(details).to_contain_text("no file of that day", timeout=LONG)
    times = page.get_by_role("region", name="Times of the chosen run")
    expect(times.get_by_role("heading")).to_contain_text(f"about {day(7)}")
    expect(times.get_by_role("listitem", name=re.compile(r"^load, failed, \d+"))).to_have_attribute(
        "data-chosen", "true"
    )
    square(page, rf"^load, completed, run \S+, about {day(9)}").click()
    expect(times.get_by_role("heading")).to_contain_text(f"about {day(9)}")
    bar = times.get_by_role("listitem", name=re.compile(r"^clean, completed, \d+"))
    bar.get_by_role("button").click()
    expect(square(page, rf"^clean, completed, run \S+, about {day(9)}")).to_have_attribute(
        "aria-pressed", "true"
    )
    failed.click()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Stages over time")).to_have_count(0)
    expect(page.locator(".sb-Gantt")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Close", exact=True).click()
    calendar = page.get_by_role("table", name="Calendar")
    broken = calendar.get_by_role(
        "button", name=re.compile(f"^{day(7)}: no runs; 1 interval failed: {day(7)}$")
    )
    expect(broken).to_contain_text("⊗")
    expect(calendar.get_by_role("button", name=re.compile(f"1 interval missing: {day(8)}"))).to_be_visible()
    today = calendar.get_by_role("button", name=re.compile("runs: 1 failed, 3 completed"))
    today.click()
    expect(page.get_by_role("heading", name="Runs that began in")).to_be_visible(timeout=LONG)
    today.click()


def _backfill(page: Page, lab: Lab) -> None:
    """Three intervals are missing, and are there in the end."""
    (lab.project.root / f"broken/{day(7)}").unlink()
    page.get_by_role("button", name="Backfill …").click()
    form = page.get_by_role("form", name="Backfill")
    form.get_by_role("button", name="Plan").click()
    expect(form.get_by_role("alert").first).to_contain_text("say when", timeout=LONG)
    expect(form.get_by_label("From", exact=True)).to_have_attribute("aria-invalid", "true")
    form.get_by_label("From", exact=True).fill(day(6))
    form.get_by_label("To", exact=True).fill(day(4))
    form.get_by_role("button", name="Plan").click()
    plan = form.get_by_role("table", name="The plan of the backfill")
    expect(plan.get_by_role("row").nth(1)).to_have_text(
        re.compile(rf"{day(6)} … {day(4)}3missing2 of 2.*no run of it yet"), timeout=LONG
    )
    expect(form).to_contain_text("3 of 3 intervals to run, the oldest first")
    picture(page, "lab-backfill")
    form.get_by_role("button", name="Start: 3 intervals").click()
    now = page.get_by_role("region", name="Backfill")
    expect(now).to_contain_text("3 of 3 intervals completed", timeout=LONG)
    expect(now.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "3")
    expect(square(page, rf"^clean, completed, run \S+, about {day(5)}.*of a backfill")).to_have_count(
        1, timeout=LONG
    )
    calendar = page.get_by_role("table", name="Calendar")
    expect(calendar.get_by_role("button", name=re.compile(f"^{day(5)}: .*1 interval done"))).to_be_visible(
        timeout=LONG
    )
    picture(page, "lab-over-time")


def _incidents(page: Page, lab: Lab) -> None:
    """One is acknowledged, noted on and closed. The one of the first failure is closed: what failed has completed since."""
    expect(panel(page).get_by_role("button", name="Incidents")).to_have_text("Incidents", timeout=LONG)
    lab.project.file(f"broken/{day(3)}")
    assert run(lab, day(3)) == 1
    badge = panel(page).get_by_role("button", name="1 open incident")
    expect(badge).to_have_text("Incidents✗ 1", timeout=LONG)
    badge.click()
    view = page.locator("#stagebook-incidents")
    expect(view.get_by_role("button", name="open incident in")).to_have_count(0)  # there is none elsewhere
    one = page.get_by_role("article", name="days.load: failure")
    expect(one).to_contain_text("no file of that day", timeout=LONG)
    expect(one).to_contain_text("Nobody has acknowledged it yet.")
    one.get_by_role("button", name="Acknowledge").click()
    say(page, "I look into it", "Acknowledge")
    expect(one).to_contain_text("✓ acknowledged by", timeout=LONG)
    one.get_by_role("button", name="Note").click()
    say(page, "the source is late on Mondays", "Note")
    expect(one.get_by_role("list", name="Notes")).to_contain_text(
        "the source is late on Mondays", timeout=LONG
    )
    picture(page, "lab-incidents")
    one.get_by_role("button", name="Close").click()
    say(page, "it came later", "Close the incident")
    expect(page.get_by_role("heading", name="✓ No incident is open in dev")).to_be_visible(timeout=LONG)
    lab.project.project.journal.append(
        [
            ScheduleChecked(
                run="", at=time.time() - 3_600, pipeline="days", schedule="daily", paused=True, by="ada"
            )
        ]
    )
    paused = page.get_by_role("article", name="days/daily: paused")
    expect(paused).to_contain_text("! days/daily: paused", timeout=LONG)
    expect(paused).to_contain_text("1 h ago")
    expect(paused).not_to_contain_text("seen in")
    lab.project.project.journal.append(
        [ScheduleChecked(run="", at=time.time(), pipeline="days", schedule="daily", by="ada", because="back")]
    )
    expect(page.get_by_role("heading", name="✓ No incident is open in dev")).to_be_visible(timeout=LONG)
    page.get_by_text("3 closed").click()
    expect(page.get_by_role("article", name="days/daily: paused, closed")).to_contain_text(
        "after 1 h 00 min it was resumed by ada: back"
    )
    expect(page.get_by_role("article", name="days.load: failure, closed").first).to_contain_text(
        re.compile(r"closed by \S+ after .*: it came later")
    )
    expect(panel(page).get_by_role("button", name="Incidents")).to_have_text("Incidents", timeout=LONG)


def live(root: Path, now: float) -> None:
    """Twelve weeks of a pipeline in production, of which the last two are those of `lively`."""
    history = History(
        root, pipeline="days", state=root / ".stagebook" / "environments" / "prod" / "state"
    )  # fmt: skip
    repository = Repository(root)
    for day in range(84, 14, -1):
        due = now - day * DAY
        history.scheduled(f"e{day}", due, took=600 + 37 * day % 900)
        if day % 9 == 0:
            history.run(f"broken{day}", due + HOUR, status=Status.FAILED)
        if day % 12 == 0:
            history.deploy(due + 4 * HOUR, repository.commit(due - day * HOUR))
    lively(history, repository, now)
    history.close()


def _figures(page: Page, lab: Lab) -> None:
    """Those of production, over a window that is chosen, with what they stand on; and those of the working tree."""
    live(lab.project.root, time.time() - 2 * HOUR)
    panel(page).get_by_role("button", name="Figures").click()
    view = page.locator("#stagebook-figures")
    expect(view.get_by_role("heading", name="days in prod, 30 days")).to_be_visible(timeout=LONG)
    environment = view.get_by_role("combobox", name="Environment")
    expect(environment).to_have_value("prod")
    picture(page, "lab-figures")
    view.get_by_role("combobox", name="Days").select_option("7 days")
    expect(view.get_by_role("heading", name="days in prod, 7 days")).to_be_visible()
    table = view.get_by_role("table", name="Figures")
    for question in ("How much work", "How often it breaks", "How fast to production"):
        expect(table.get_by_role("rowheader", name=question)).to_be_visible()
    row = table.get_by_role("row", name=re.compile("^error rate"))
    expect(row).to_have_text(re.compile(r"error rate9\.1 %0\.0 %↑up worse.*11$"))
    plot = row.get_by_role("img")
    expect(plot).to_have_attribute(
        "aria-label", re.compile(r"^12 weeks: lowest 0\.0 %, highest \d+\.\d %, last 9\.1 %$")
    )
    expect(plot.locator("title").last).to_have_text(re.compile(r"^\d+ \w+ to \d+ \w+: 9\.1 %$"))
    runs = table.get_by_role("row", name=re.compile("runs a week"))
    expect(runs).to_contain_text(re.compile(r"by hand \d\.\d, by schedule \d\.\d"))
    expect(table.get_by_role("row", name=re.compile("time to first use"))).to_have_text(
        re.compile("-no value-no valuenot read yet, 2 left out$")
    )
    _unfolded(page, view, table)
    _computed_again(page, view)
    environment.select_option("dev")
    expect(view.get_by_role("heading", name="days in the working tree, 7 days")).to_be_visible()
    expect(table.get_by_role("row", name=re.compile("deployments a week"))).to_contain_text("no deployments")
    execute(page, "stagebook:open-schedules")
    expect(view).to_be_hidden()
    page.get_by_role("menuitem", name="Stagebook", exact=True).click()
    page.get_by_role("menu").get_by_role("menuitem", name="Open the Figures", exact=True).click()
    expect(view).to_be_visible()
    environment.select_option("prod")
    expect(view.get_by_role("heading", name="days in prod, 7 days")).to_be_visible()


def _unfolded(page: Page, view: Locator, table: Locator) -> None:
    """By the keyboard: by which formula, from what, and what was left out; and the columns of a dataset."""
    lead = table.get_by_role("button", name="change lead time, median")
    expect(lead).to_have_attribute("aria-expanded", "false")
    lead.focus()
    page.keyboard.press("Enter")
    expect(lead).to_have_attribute("aria-expanded", "true")
    explained = table.locator(".sb-Explained")
    for text in ("first deployment of a commit", "releases; git", "git does not know the commit", "by week"):
        expect(explained).to_contain_text(text)
    page.keyboard.press("Enter")
    expect(explained).to_have_count(0)
    view.get_by_role("button", name="Explain all").click()
    expect(explained).to_have_count(24)
    view.get_by_role("button", name="Explain all").click()
    scores = view.get_by_role("table", name="Quality scores of datasets")
    expect(scores.get_by_role("row", name=re.compile("clean.rows"))).to_contain_text("x 95.0 %")
    scores.get_by_role("button", name="clean.rows").click()
    expect(scores.locator(".sb-Explained")).to_have_text("x 95.0 % · 1 column without a finding")


def _computed_again(page: Page, view: Locator) -> None:
    """It is said while it goes on, and what was there stays; of another window nothing is shown meanwhile."""
    seen: list[tuple[str, int]] = []

    def look(route: Route) -> None:
        said = view.get_by_role("status").first.inner_text()
        seen.append((said, view.get_by_role("heading", name="days in prod").count()))
        route.continue_()

    page.route(re.compile("/stagebook/figures"), look)
    again = view.get_by_role("button", name="Compute again")
    again.click()
    expect(again).to_be_enabled()
    for days in ("90 days", "7 days"):
        view.get_by_role("combobox", name="Days").select_option(days)
        expect(view.get_by_role("heading", name=f"days in prod, {days}")).to_be_visible()
    page.unroute_all()
    assert seen == [("Computing …", 1), ("Computing …", 0), ("Computing …", 0)]


def _elsewhere(page: Page) -> None:
    """What the button in the panel counts in other environments is told in the view, and leads there."""
    execute(page, "stagebook:open-incidents")
    view = page.locator("#stagebook-incidents")
    other = view.get_by_role("button", name=re.compile(r"^✗ \d+ open incidents? in prod$"))
    text = other.inner_text()
    other.click()
    expect(view.get_by_role("heading", name=text)).to_be_visible(timeout=LONG)
    expect(other).to_have_count(0)
    view.get_by_role("combobox", name="Environment").select_option("dev")
    expect(other).to_be_visible()


def _narrow(page: Page) -> None:
    """In a narrow window a week, a date and the name of a figure are whole."""
    size = page.viewport_size
    page.set_viewport_size({"width": 900, "height": 760})
    execute(page, "stagebook:open-runs-over-time")
    view = page.locator("#stagebook-runs-over-time .sb-Whole")
    sunday = view.get_by_role("columnheader", name="Sun")
    expect(sunday).to_be_visible(timeout=LONG)
    assert view.evaluate("node => node.scrollWidth <= node.clientWidth")
    execute(page, "stagebook:open-schedules")
    first = page.get_by_role("table", name="Next runs").get_by_role("cell").first
    expect(first).to_be_visible(timeout=LONG)
    assert first.evaluate("node => node.clientHeight") < 30, "on one line"
    page.set_viewport_size(size or {"width": 1280, "height": 760})


def _keeps_the_rules(page: Page) -> None:
    """With all that there is to be seen, by the rules of axe-core, in both themes."""
    if not AXE.is_file():
        return  # test_accessibility.py says so
    page.add_script_tag(path=AXE)
    execute(page, "stagebook:backfill")
    found = {}
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        execute(page, "apputils:change-theme", theme=theme)
        expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
        for view in ("schedules", "incidents", "figures", "runs-over-time"):
            execute(page, f"stagebook:open-{view}")
            shown = page.locator(f"#stagebook-{view}")
            expect(shown).to_be_visible(timeout=LONG)
            page.wait_for_function("document.getAnimations().length === 0")  # colours fade
            found[f"{view}, {theme}"] = violations(page, f"#{shown.get_attribute('id')}")
    assert {view: problems for view, problems in found.items() if problems} == {}
    page.get_by_role("form", name="Backfill").get_by_role("button", name="Close").click()


def _interval(page: Page) -> None:
    """The form of a run asks what it is about, and says what is wrong with that."""
    choose(page, "days")
    execute(page, "stagebook:run-with")
    field = page.get_by_label("about", exact=True)
    expect(field).to_have_value(day(1), timeout=LONG)
    form = page.get_by_role("form", name="What to run")
    field.fill("yesterday")
    expect(form.get_by_role("alert").first).to_contain_text("'yesterday' names no interval", timeout=LONG)
    expect(form.get_by_role("button", name="Start")).to_be_disabled()
    field.fill(day(2))
    expect(form.get_by_role("alert")).to_have_count(0, timeout=LONG)
    expect(form.get_by_role("button", name="Start")).to_be_enabled(timeout=LONG)
    form.get_by_role("button", name="Start").click()
    execute(page, "stagebook:open-runs-over-time")
    expect(square(page, rf"^the run, completed, run \S+, about {day(2)}")).to_have_count(1, timeout=LONG)
