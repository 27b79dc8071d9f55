"""`stagebook metrics` as a person sees it, with a frozen clock, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed

from building import ProjectBuilder
from commands import looked
from golden import Golden
from measured import NOW, History, Repository, lively
from stagebook.evidence import figures_of
from stagebook.views import metric_lines

from .test_screens import screen


@pytest.fixture
def history(builder: ProjectBuilder) -> Iterator[History]:
    builder.without_tracking()
    builder.pipeline("stages: {}", "p")
    made = History(builder.root, environment="dev")
    lively(made, Repository(builder.root))
    yield made
    made.close()


def shown(history: History, *, explain: bool = False, width: int = 80) -> str:
    (one,) = figures_of(history.place, pipeline="p", days=7, until=NOW)
    return screen(*metric_lines.metrics(one, explain=explain), width=width)


def test_figures_on_a_narrow_terminal(history: History, golden: Golden) -> None:
    text = shown(history)
    assert max(map(len, text.splitlines())) <= 80
    golden(text)


def test_figures_with_formulas_and_sources(history: History, golden: Golden) -> None:
    golden(shown(history, explain=True, width=100))


def test_figures_of_a_pipeline_that_has_none(history: History, golden: Golden) -> None:
    (one,) = figures_of(history.place, pipeline="q", days=7, until=NOW)
    golden(screen(*metric_lines.metrics(one), width=80))
    assert one.is_empty
    (before,) = figures_of(history.place, pipeline="q", days=15, until=NOW)
    assert not before.is_empty  # it ran 20 days ago


def test_all_three_shapes_say_the_same(history: History) -> None:
    """The command has a window up to now: of what was 2026-01-05 nothing is left in 30 days, and all of it in ten years."""
    words = ("metrics", "--days", "3650", "--pipeline", "p")
    told = json.loads(looked(history.root, *words, "--json", "--weeks", "2").stdout)
    assert told == json.loads(looked(history.root, *words, "--format", "json", "--weeks", "2").stdout) | {
        name: told[name] for name in ("since", "until", "pipelines")
    }
    (one,) = told["pipelines"]
    values = {found["name"]: found for found in one["indicators"]}
    assert (told["environment"], one["pipeline"]) == ("dev", "p")
    assert values["errors"]["value"] == pytest.approx(1 / 20)
    assert values["change_failures"]["value"] == pytest.approx(1 / 3)
    assert len(values["errors"]["trend"]["points"]) == 2
    assert values["lead_time_median"]["left_out"] == 1
    assert one["datasets"][0]["columns"] == {"x": 0.95, "y": 1.0}
    families = {
        found.name: found for found in parsed(looked(history.root, *words, "--format", "openmetrics").stdout)
    }
    assert families["stagebook_errors_ratio"].samples[0].value == pytest.approx(1 / 20)
    text = looked(history.root, *words).stdout
    assert "error rate" in text
    assert "5.0 %" in text


def test_each_pipeline_is_shown_apart(history: History) -> None:
    done = looked(history.root, "metrics", "--explain")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if " in the working tree, 30 days" in line][
        1
    ].startswith("q ")


def test_what_is_refused(history: History) -> None:
    done = looked(history.root, "metrics", "--pipeline", "pp")
    assert (done.returncode, "no run of a pipeline 'pp' is known here" in done.stderr) == (2, True), (
        done.stderr
    )
    for words in (("--days", "0"), ("--format", "xml"), ("--env", "nowhere"), ("--weeks", "-1")):
        assert looked(history.root, "metrics", *words).returncode == 2, words


def test_a_project_in_which_nothing_was_run(builder: ProjectBuilder) -> None:
    builder.pipeline("stages: {}", "p")
    done = looked(builder.root, "metrics")
    assert (done.returncode, done.stdout) == (
        0,
        "there are no figures yet: nothing was run; start with: stagebook run\n",
    )
    assert looked(builder.root, "metrics", "--format", "openmetrics").stdout == "# EOF\n"
    assert json.loads(looked(builder.root, "metrics", "--json").stdout)["pipelines"] == []
    assert not Path(builder.root, ".stagebook", "journal.db").exists()
