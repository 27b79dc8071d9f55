"""Which schedules there are: of the working tree, of environments and their settings, of releases."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from building import ProjectBuilder
from commands import looked
from stagebook.deploying import carry_out, prepare, release_now
from stagebook.project import Project
from stagebook.scheduling.places import Place, Places, mistakes_of
from stagebook.scheduling.unit_file import unit_file

PIPELINE = """
schedules:
  {name}: {{every: 1h}}
  nightly: {{cron: "0 2 * * *", zone: UTC, env: prod}}
stages: {{a: {{notebook: notebooks/a.ipynb}}}}
"""
SETTINGS = """
[tracking]
enabled = false
[environments.prod.schedules.extra]
pipeline = "p"
every = "2h"
[environments.test]
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.notebook("a", "1")
    builder.pipeline(PIPELINE.format(name="often"))
    builder.file("stagebook.toml", SETTINGS)
    return builder


def names(place: Place) -> list[str]:
    return sorted(str(one) for one in place.scheduled)


def problems(place: Place) -> list[str]:
    return [str(it) for found in place.problems.values() for it in found]


def test_each_environment_has_its_own(project: ProjectBuilder) -> None:
    dev, prod, test = Places(project.root).all()
    assert (names(dev), names(test)) == (["p/often"], [])
    assert names(prod) == ["p/extra in prod", "p/nightly in prod"]
    assert prod.journal == project.root / ".stagebook/environments/prod/state/journal.db"
    assert not (project.root / ".stagebook").exists(), "looking leaves nothing"


def test_they_are_read_again_only_when_something_changed(project: ProjectBuilder) -> None:
    places = Places(project.root)
    places.all()
    first = places.all()
    assert places.all() is first
    project.pipeline(PIPELINE.format(name="rarely"))
    second = places.all()
    assert names(second[0]) == ["p/rarely"]
    project.pipeline(PIPELINE.format(name="other"), name="q")
    assert names(places.all()[0]) == ["p/rarely", "q/other"]
    os.unlink(project.root / "pipelines/q.yaml")
    project.file("stagebook.toml", "[environments.late]\n")
    assert [place.environment for place in places.all()] == ["dev", "late"]


def test_two_of_one_name_are_told_with_both_places(project: ProjectBuilder) -> None:
    project.file("stagebook.toml", SETTINGS.replace("extra", "nightly"))
    _, prod, _ = Places(project.root).all()
    (told,) = problems(prod)
    assert told == (
        "pipelines/p.yaml:3: the schedule 'nightly' is declared twice, here and in"
        " stagebook.toml [environments.prod.schedules.nightly]\n    give one of them another name"
    )
    assert prod.waits("p")
    assert names(prod) == []


def test_mistakes_hold_up_their_pipeline_alone(project: ProjectBuilder) -> None:
    project.pipeline(PIPELINE.format(name="other"), name="q")
    project.pipeline("schedules: {often: {every: soon}}\nstages: {}")
    dev, prod, _ = Places(project.root).all()
    assert names(dev) == ["q/other"]
    assert dev.waits("p")
    assert not dev.waits("q")
    assert names(prod) == ["q/nightly in prod"]
    os.unlink(project.root / "pipelines/p.yaml")
    _, prod, _ = Places(project.root).all()
    assert problems(prod) == ["stagebook.toml [environments.prod.schedules.extra]: there is no pipeline 'p'"]


def test_what_can_never_fire_is_told_and_holds_up_nobody(project: ProjectBuilder) -> None:
    project.pipeline(
        """
        schedules:
          often: {every: 1h}
          away: {every: 1h, env: prd}
          after: {on: [p.a.out, q.a.out, q.a@1.out]}
        stages: {a: {notebook: notebooks/a.ipynb, outputs: {out: x.csv}}}
        """,
        name="q",
    )
    dev = Places(project.root).all()[0]
    assert names(dev) == ["p/often", "q/after", "q/often"]
    assert not dev.waits("q")
    assert problems(dev) == [
        "pipelines/q.yaml:3: the schedule 'away' is of the environment 'prd', which is not declared\n    did you mean 'prod'?",
        "pipelines/q.yaml:4: the schedule 'after' waits for 'p.a.out', which no pipeline makes\n    did you mean 'q.a.out'?",
    ]


def test_files_behind_a_connection_that_is_none_are_told(project: ProjectBuilder) -> None:
    project.pipeline(
        """
        schedules: {new: {files: "incomming:*.csv"}, mine: {files: "incoming:*.csv"}, his: {files: "other:*.csv", env: prod}}
        stages: {a: {notebook: notebooks/a.ipynb}}
        """
    )
    project.file("connections.toml", '[incoming]\nurl = "in"\n')
    project.file("stagebook.toml", SETTINGS + '[environments.prod.connections.other]\nurl = "out"\n')
    dev, prod, _ = Places(project.root).all()
    assert problems(dev) == [
        "pipelines/p.yaml:1: the schedule 'new' waits for files behind 'incomming', and there is no such connection\n    did you mean 'incoming'?"
    ]
    assert problems(prod) == []


def test_check_tells_of_rules_that_would_never_tell_anybody(project: ProjectBuilder) -> None:
    project.pipeline("stages: {a: {notebook: notebooks/a.ipynb}}")
    rule = '\n[notify.{name}]\ncommand = "true"\nenvironments = ["{env}"]\npipelines = ["{pipeline}"]\n'
    good = rule.format(name="good", env="dev", pipeline="p*")
    project.file(
        "stagebook.toml", "[environments.prod]" + good + rule.format(name="ops", env="prd", pipeline="q")
    )
    done = looked(project.root, "check")
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "'notify.ops.environments': there is no environment 'prd' did you mean 'prod'?" in said
    assert "'notify.ops.pipelines': there is no pipeline 'q' known: p" in said
    assert "✗ 2 problems" in said
    project.file("stagebook.toml", "[environments.prod]" + good)
    assert looked(project.root, "check").returncode == 0


def test_check_tells_what_is_wrong_with_schedules(project: ProjectBuilder) -> None:
    project.pipeline(
        """
        schedules:
          away: {every: 1h, env: prd}
          after: {on: [p.a.oot], env: prod}
          extra: {every: 1h, env: prod}
        stages: {a: {notebook: notebooks/a.ipynb, outputs: {out: x.csv}}}
        """
    )
    project.pipeline("schedules: {new: {files: 'in:*.csv'}}\nstages: {a: {notebook: notebooks/a.ipynb}}", "q")
    project.pipeline(
        "schedules: {often: {every: soon}}\nstages: {a: {notebook: notebooks/a.ipynb}}", "broken"
    )
    of_p = [
        "pipelines/p.yaml:2: the schedule 'away' is of the environment 'prd', which is not declared\n    did you mean 'prod'?",
        "pipelines/p.yaml:4: the schedule 'extra' is declared twice, here and in stagebook.toml [environments.prod.schedules.extra]\n    give one of them another name",
    ]
    assert [str(it) for it in mistakes_of(project.project, ["p"])] == of_p
    done = looked(project.root, "check")
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    for told in (
        "pipelines/p.yaml:2: the schedule 'away' is of",
        "pipelines/p.yaml:4: the schedule 'extra' is declared twice",
        "pipelines/q.yaml:1: the schedule 'new' waits for files behind 'in'",
    ):
        assert said.count(told) == 1, said
    assert said.count("'every': expected a duration") == 1, "what is wrong with a pipeline is said once"
    project.pipeline("stages: {a: {notebook: notebooks/a.ipynb}}", "q")
    assert looked(project.root, "check", "q").returncode == 0


def test_wrong_settings_hold_up_all(project: ProjectBuilder) -> None:
    project.file("stagebook.toml", SETTINGS.replace('"2h"', '"never"'))
    (dev,) = Places(project.root).all()
    assert dev.waits("p")
    assert "[environments.prod.schedules.extra] every: 'every': expected a duration" in problems(dev)[0]


def test_a_protected_environment_waits_for_a_release(project: ProjectBuilder) -> None:
    project.file("stagebook.toml", SETTINGS + "[environments.prod]\nprotected = true\n")
    _, prod, _ = Places(project.root).all()
    assert (names(prod), prod.waits("p")) == ([], True)
    assert problems(prod)[0].startswith("environment prod: nothing was deployed to prod yet")


@pytest.mark.kernel
@pytest.mark.long
def test_a_release_has_the_schedules_that_it_was_made_with(project: ProjectBuilder) -> None:
    places = Places(project.root)
    assert names(places.all()[1]) == ["p/extra in prod", "p/nightly in prod"]
    with Project.open(project.root) as home:
        release = release_now(home, allow_dirty=True)
        carry_out(prepare(home, "prod", release), because="a test")
    project.pipeline(PIPELINE.format(name="often").replace("nightly", "daily"))
    dev, prod, _ = places.all()
    assert names(dev) == ["p/often"]
    assert names(prod) == ["p/extra in prod", "p/nightly in prod"], "not those of the working tree"


def test_a_unit_file_names_the_project_and_this_interpreter(tmp_path: Path) -> None:
    root = tmp_path / "my 100% project"
    text = unit_file(root, ["--jobs=2"])
    assert f"WorkingDirectory={tmp_path}/my 100%% project\n" in text
    assert f"ExecStart={sys.executable} -P -m stagebook scheduler --jobs=2\n" in text
    assert "stagebook-my-100--project.service" in text
    assert "KillMode=process" in text
