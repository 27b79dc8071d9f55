"""Incidents of whole runs: opened by the first failure, looked after by people, closed by health or by one of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from building import ProjectBuilder
from commands import environment, stagebook
from tracked import tracked_runs

pytestmark = [pytest.mark.e2e, pytest.mark.long]

PIPELINE = """
params: {bad: false}
defaults: {executor: inprocess}
stages:
  clean:
    notebook: notebooks/clean.ipynb
    params: {bad: "${params.bad}"}
    outputs: {rows: data/rows.txt}
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.notebook(
        "clean", "open(rows, 'w').write('x')", "assert not bad, 'NaN'", params="bad = False\nrows = ''"
    )
    builder.pipeline(PIPELINE, "flights")
    builder.file("stagebook.toml", "[tracking]\nenabled = false\n[environments.prod]\n")
    return builder


def do(project: ProjectBuilder, *words: str, by: str = "ada", code: int = 0, env: str = "prod") -> str:
    done = stagebook(project.root, *words, "--env", env, env=environment(LOGNAME=by))
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def incidents(project: ProjectBuilder, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(do(project, "incident", "list", "--json", *words))["incidents"]
    return found


def test_from_the_first_failure_to_health(project: ProjectBuilder) -> None:
    do(project, "run", "-p", "bad=true", code=1)
    do(project, "run", "-p", "bad=true", code=1)
    (one,) = incidents(project)
    assert (one["kind"], one["pipeline"], one["subject"], one["runs"]) == ("failure", "flights", "clean", 2)

    do(project, "incident", "ack", one["id"][:4], "I look into it")
    do(project, "incident", "note", one["id"], "the source sends NaN since today", by="bob")
    do(project, "note", "latest", "clean", "it is the new airport", by="bob")
    shown = do(project, "incident", "show", one["id"])
    for text in ("acknowledged by ada: I look into it", "note by bob: the source sends NaN", "seen again"):
        assert text in shown, shown
    status = do(project, "status")
    assert (
        f"✗ 1 open incident: flights.clean failure ({one['id']}, seen); see: stagebook incident list --env prod"
        in status
    )
    assert "✎ clean: bob notes: it is the new airport" in status
    assert "open incidents elsewhere: prod 1" in do(project, "status", env="dev")

    do(project, "run")
    assert incidents(project) == []
    (one,) = incidents(project, "--all")
    assert one["closed"]
    assert (one["closed_by"], [said["by"] for said in one["acks"]], [said["by"] for said in one["notes"]]) == (
        "", ["ada"], ["bob"],
    )  # fmt: skip
    assert "✎ clean: bob notes: it is the new airport" in do(project, "logs", one["last_run"])
    assert "incident" not in do(project, "status")


def test_a_person_closes_it_and_the_next_failure_is_another(project: ProjectBuilder) -> None:
    do(project, "run", "-p", "bad=true", code=1)
    (first,) = incidents(project)
    do(project, "incident", "close", first["id"], "--because", "we live with it", by="eve")
    assert incidents(project) == []
    again = stagebook(project.root, "incident", "close", first["id"], "--env", "prod")
    assert (again.returncode, again.stderr) == (2, f"✗ the incident {first['id']} was closed by eve\n")
    do(project, "run", "-p", "bad=true", code=1)
    (second,) = incidents(project)
    assert second["id"] != first["id"]


def test_in_the_working_tree_mistakes_are_no_incidents_unless_the_settings_say_so(
    project: ProjectBuilder,
) -> None:
    do(project, "run", "-p", "bad=true", code=1, env="dev")
    assert "runs in the working tree open no incidents" in do(project, "incident", "list", env="dev")
    project.file("stagebook.toml", "[tracking]\nenabled = false\n[incidents]\ndev = true\n")
    assert "flights.clean" in do(project, "incident", "list", env="dev")


def test_what_is_not_there_is_told(project: ProjectBuilder) -> None:
    assert do(project, "incident", "list") == "✓ no incident is open in prod\n"
    missing = stagebook(project.root, "incident", "show", "abc", "--env", "prod")
    assert (missing.returncode, missing.stderr) == (
        2, "✗ there is no incident 'abc'\n  stagebook incident list --all shows them\n",
    )  # fmt: skip
    assert "nothing was run yet" in stagebook(project.root, "note", "latest", "x").stderr


@pytest.mark.filterwarnings("default")  # MLflow's own
def test_notes_are_tags_in_mlflow(project: ProjectBuilder) -> None:
    project.file("stagebook.toml", "")
    do(project, "run", "-p", "bad=true", code=1, env="dev")
    do(project, "note", "latest", "we know", env="dev")
    do(project, "note", "latest", "--ack", env="dev", by="bob")
    do(project, "note", "latest", "clean", "the new airport", env="dev")
    do(project, "sync", env="dev")
    tags = {
        run.data.tags["stagebook.kind"]: run.data.tags
        for run in tracked_runs(project.root, pipeline="flights")
    }
    assert tags["run"]["stagebook.notes"] == "ada: we know\nbob: seen"
    assert tags["stage"]["stagebook.notes"] == "ada: the new airport"
