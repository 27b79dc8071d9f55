"""The plugin of pytest: the fixture `run_stage`, coverage of cells, replays.

pytest loads it in every run where Stagebook is installed. So it imports nothing until a test asks for the fixture, or an
option of it is given.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stagebook import testing
from stagebook.testing.cells import CellCoverage, table

_COVERAGE = pytest.StashKey[CellCoverage]()
_PROJECTS = pytest.StashKey[dict[Path, Any]]()
REMARK = "replay"  # a property of a report
_CELLS = "stagebook_cells"  # what a worker of pytest-xdist sends


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options that `stagebook test` gives."""
    group = parser.getgroup("stagebook", "tests of notebooks")
    text = "replay the last recorded inputs of stages: collect the pipeline files that are named"
    group.addoption("--stagebook-replay", action="store_true", help=text)
    text = "replay this stage, by its name or as PIPELINE.STAGE; may be given several times"
    group.addoption("--stagebook-stage", action="append", default=[], metavar="STAGE", help=text)
    text = "accept what replays come to"
    group.addoption("--stagebook-update", action="store_true", help=text)
    text = "write outcomes and coverage of cells to a file, as JSON"
    group.addoption("--stagebook-report", metavar="FILE", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Make room for what is found out."""
    config.stash[_COVERAGE] = CellCoverage()
    config.stash[_PROJECTS] = {}
    if (path := config.getoption("--stagebook-report")) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Report(config, Path(path)), "stagebook-report")


@pytest.fixture
def run_stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Run one stage of the project by itself: `run_stage("clean", inputs={…}, params={…})`; see `testing.RunStage`."""
    near = request.path.parent

    def trees() -> Iterator[Path]:
        while True:
            yield tmp_path_factory.mktemp("stage")

    return testing.RunStage(tests_of(request.config, near, tmp_path_factory), trees(), near)


def tests_of(config: pytest.Config, start: Path, factory: pytest.TempPathFactory) -> Any:
    """The tests of the project that a folder is in. Raises `ProjectNotFound`."""
    known = config.stash[_PROJECTS]
    if start not in known:
        made = testing.StageTests(start, factory.mktemp("stagebook"), config.stash[_COVERAGE])
        same = next((one for one in known.values() if one.root == made.root), None)
        known[start] = same or made
    return known[start]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A pipeline file holds a replay of each stage, where replays are asked for."""
    if not parent.config.getoption("--stagebook-replay"):
        return None
    found: pytest.Collector | None = testing.replays(file_path, parent)
    return found


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the fork servers; a worker of pytest-xdist sends what it found out."""
    config = session.config
    for tests in {id(one): one for one in config.stash[_PROJECTS].values()}.values():
        tests.close()
    output = getattr(config, "workeroutput", None)
    if output is not None:
        output[_CELLS] = json.dumps(config.stash[_COVERAGE].to_json())


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ARG001 - a hook of pytest-xdist
    """A worker of pytest-xdist ended: take over what it found out."""
    sent = getattr(node, "workeroutput", {}).get(_CELLS)
    if sent:
        node.config.stash[_COVERAGE].add(json.loads(sent))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Show what was accepted, and which cells were executed."""
    passed = terminalreporter.stats.get("passed", ())
    for report in passed:
        for name, text in report.user_properties:
            if name == REMARK:
                terminalreporter.write_line(f"{report.nodeid}: {text}")
    notebooks = config.stash[_COVERAGE].notebooks
    if notebooks:
        terminalreporter.section("cells of notebooks", sep="-")
        for line in table(notebooks, _others(config, [one.notebook for one in notebooks])):
            terminalreporter.write_line(line)


def _others(config: pytest.Config, tested: Iterable[str]) -> list[str]:
    """The notebooks that no test executes, of the project that is tested."""
    projects = {one.root: one for one in config.stash[_PROJECTS].values()}
    found = [testing.untested(one.project, dict.fromkeys(tested)) for one in projects.values()]
    return found[0] if len(found) == 1 else []


class _Report:
    """Writes outcomes and coverage to a file at the end: `stagebook test --json`."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        self._config = config
        self._path = path
        self._outcomes: list[dict[str, str]] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take note of a file whose tests cannot be collected: none of them runs."""
        if report.failed:
            self._outcomes.append(
                {"test": report.nodeid, "outcome": "failed", "message": report.longreprtext}
            )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of what became of a test."""
        if report.when == "call" or report.outcome != "passed":
            message = report.longreprtext
            if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
                message = report.longrepr[2].removeprefix("Skipped: ")
            remark = next((str(text) for name, text in report.user_properties if name == REMARK), "")
            self._outcomes.append(
                {"test": report.nodeid, "outcome": report.outcome, "message": message or remark}
            )

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write the report."""
        notebooks = [one.to_json() for one in self._config.stash[_COVERAGE].notebooks]
        self._path.write_text(json.dumps({"tests": self._outcomes, "notebooks": notebooks}), encoding="utf-8")
