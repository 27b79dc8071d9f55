"""The text for Prometheus, read by its own parser."""

from __future__ import annotations

import re

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed

from measured import DAY, NOW, Did, History, audit, check
from stagebook.audits import Outcome, Severity
from stagebook.events import Status
from stagebook.evidence import figures_of
from stagebook.indicators.facts import Facts, Window
from stagebook.indicators.openmetrics import openmetrics
from stagebook.indicators.report import FIGURES, report


@pytest.fixture
def text(history: History) -> str:
    """That of a pipeline with a failed run of three, and of one with a name that has to be escaped."""
    audited = {"rows": audit(check(Severity.WARN, Outcome.BROKEN, 10))}
    history.run("r1", NOW - DAY, {"clean": Did(audits=audited)})
    history.run("r2", NOW - DAY)
    history.run("r3", NOW - DAY, status=Status.FAILED)
    history.run("q1", NOW - DAY, pipeline='q"\\\n')
    return openmetrics(figures_of(history.place, days=7, until=NOW))


def test_it_is_valid_and_says_what_the_figures_are(text: str) -> None:
    families = {one.name: one for one in parsed(text)}
    errors = families["stagebook_errors_ratio"]
    assert (errors.type, errors.unit) == ("gauge", "ratio")
    assert errors.documentation.startswith("Error rate: runs that failed ÷ runs that finished")
    by_pipeline = {one.labels["pipeline"]: one.value for one in errors.samples}
    assert by_pipeline == {"p": pytest.approx(1 / 3), 'q"\\\n': 0.0}
    assert {one.labels["environment"] for one in errors.samples} == {"prod"}
    assert families["stagebook_window_seconds"].samples[0].value == 7 * DAY
    assert families["stagebook_runs_per_week"].samples[0].value == 3.0


def test_what_it_is_made_of_has_a_label(text: str) -> None:
    families = {one.name: one for one in parsed(text)}
    (dataset,) = families["stagebook_quality_by_dataset_ratio"].samples
    assert (dataset.labels["dataset"], dataset.value) == ("clean.rows", pytest.approx(0.95))
    trigger = families["stagebook_runs_by_trigger_per_week"].samples[0]
    assert (trigger.labels["trigger"], trigger.value) == ("hand", 3.0)


def test_what_stands_on_nothing_is_not_there(text: str) -> None:
    assert "stagebook_lead_time_median_seconds" not in text
    nothing = openmetrics([])
    assert nothing == "# EOF\n"
    assert list(parsed(nothing)) == []


def test_names_and_lines_are_as_the_standard_has_them(text: str) -> None:
    *lines, end, last = text.split("\n")
    assert (end, last) == ("# EOF", "")
    for line in lines:
        if line.startswith("#"):
            assert re.fullmatch(r"# (TYPE|UNIT|HELP) stagebook_[a-z0-9_]+ \S.*", line), line
        else:
            assert re.fullmatch(r'stagebook_[a-z0-9_]+\{([a-z]+="([^"\\]|\\.)*",?)+\} -?[0-9.e+-]+', line), (
                line
            )
    assert len({line for line in lines if line.startswith("# TYPE")}) == text.count("# TYPE")
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)


def test_pipelines_without_any_facts_have_their_window_alone() -> None:
    found = [report("p", "dev", Facts(), Window(start=0.0, end=DAY))]
    assert [one.name for one in parsed(openmetrics(found))] == ["stagebook_window_seconds"]
