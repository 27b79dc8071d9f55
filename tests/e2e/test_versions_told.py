"""The journal and MLflow are told of each version that an environment shows; a rollback moves tables back where that is
asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from building import ProjectBuilder
from commands import looked
from stagebook.deploying import carry_out, prepare, release_now, roll_back
from stagebook.events import VersionPublished
from stagebook.project import Project
from stagebook.published.models import models_of
from stagebook.published.versions import Versions
from stagebook.tables import delta
from tracked import client

from .test_bookmarks import Inbox

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]

TRAIN = """
import mlflow
mlflow.log_metric("auc", auc)
client = mlflow.MlflowClient()
with __import__("contextlib").suppress(mlflow.MlflowException):
    client.create_registered_model("planes")
run = mlflow.active_run().info
client.create_model_version("planes", f"{run.artifact_uri}/model", run.run_id)
open(model, "w").write(str(auc))
"""
PIPELINE = """
params: {auc: 0.5}
stages:
  train:
    notebook: notebooks/train.ipynb
    params: {auc: "${params.auc}"}
    outputs: {model: data/model.txt}
"""


@contextlib.contextmanager
def prod(builder: ProjectBuilder) -> Iterator[Project]:
    project = Project.open(builder.root, environment="prod")
    try:
        yield project
    finally:
        project.close()


def told(builder: ProjectBuilder) -> list[VersionPublished]:
    with prod(builder) as project:
        return [one for _, one in project.journal.events.after(0) if isinstance(one, VersionPublished)]


def deploy(builder: ProjectBuilder, because: str = "") -> None:
    home = builder.project
    carry_out(prepare(home, "prod", release_now(home, allow_dirty=True)), because=because)


def plain(builder: ProjectBuilder) -> None:
    builder.file("stagebook.toml", "[tracking]\nenabled = false\n[environments.prod]\n")
    builder.notebook("a", "open(out, 'w').write(str(n))", params="n = 1\nout = ''")
    builder.pipeline(
        "params: {n: 1}\nstages:\n  a: {notebook: notebooks/a.ipynb, executor: inprocess, params: {n: '${params.n}'},"
        " outputs: {out: data/out.txt}}"
    )


def test_runs_deployments_and_rollbacks_are_in_the_journal(builder: ProjectBuilder) -> None:
    plain(builder)
    deploy(builder, "first")
    with prod(builder) as project:
        run = project.run("p", {"n": 2}).run
    roll_back(builder.project, "prod", because="no good")
    found = told(builder)
    assert [(one.version, one.kind, one.because, one.shows) for one in found] == [
        (1, "deployment", "first", 0), (2, "run", "", 0), (3, "rollback", "no good", 1),
    ]  # fmt: skip
    assert found[1].run == run
    assert list(found[1].stages) == ["a"]
    shown = looked(builder.root, "runs", "--env", "prod").stdout
    assert "(rollback)" in shown
    assert (
        "✓ prod shows version 3, what version 1 had"
        in looked(builder.root, "logs", found[2].run, "--env", "prod").stdout
    )


def test_what_was_killed_before_it_was_told_is_told_next(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain(builder)
    deploy(builder)
    with prod(builder) as project:
        project.run("p", {"n": 2})
    point, home = Versions.point_to, builder.project

    def killed(self: Versions, version: int) -> None:
        point(self, version)
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Versions, "point_to", killed)
        with pytest.raises(KeyboardInterrupt):
            roll_back(home, "prod")
    assert [one.version for one in told(builder)] == [1, 2]
    with prod(builder) as project:
        assert project.run("p").version is None, "it shows that already"
    assert [(one.version, one.kind) for one in told(builder)] == [
        (1, "deployment"),
        (2, "run"),
        (3, "rollback"),
    ]


@pytest.mark.long
@pytest.mark.usefixtures("with_store")
@pytest.mark.filterwarnings("default")  # of MLflow's use of SQLAlchemy
def test_models_get_the_alias_of_the_environment_and_back(builder: ProjectBuilder) -> None:
    builder.file("stagebook.toml", "[environments.prod]\nprotected = true\n")
    builder.notebook("train", TRAIN, params="auc = 0.0\nmodel = ''")
    builder.pipeline(PIPELINE)
    builder.project.run("p")  # what stands in the working tree is taken
    deploy(builder)
    store = client(builder.root)

    def alias() -> str | None:
        with prod(builder) as project:
            assert project.sync() == 0
        return store.get_registered_model("planes").aliases.get("champion")

    first = alias()
    with prod(builder) as project:
        report = project.run("p", {"auc": 0.9})
    second = alias()
    assert (str(first), str(second)) == ("1", "2")
    roll_back(builder.project, "prod")
    assert str(alias()) == "1"
    places = [builder.root / "environments/prod/versions" / f"{number:06}" for number in (1, 2, 3)]
    assert [models_of(place) for place in places] == [{"p": {"planes": number}} for number in (1, 2, 1)]
    shown = looked(builder.root, "env", "show", "prod")
    assert "models in MLflow, called champion: planes version 1" in " ".join(shown.stdout.split())
    run = store.search_runs(
        [one.experiment_id for one in store.search_experiments()], f"tags.`stagebook.key` = '{report.run}'"
    )
    assert run[0].data.tags["stagebook.version"] == "2"


@pytest.mark.long
def test_tables_and_bookmarks_go_back_where_that_is_asked_for(builder: ProjectBuilder) -> None:
    inbox = Inbox(builder)
    builder.file("stagebook.toml", "[tracking]\nenabled = false\n[environments.prod]\n")

    def shown() -> list[int]:
        table = builder.root / "environments/prod/current/data/bronze"
        return sorted(delta.dataset(table).to_table()["n"].to_pylist())

    def run() -> list[int]:
        with prod(builder) as project:
            project.run("p")
        return shown()

    inbox.put("01", 1, 2)
    deploy(builder)
    inbox.put("02", 3)
    assert run() == [1, 2, 3]
    inbox.put("02", 30)  # what was delivered was wrong, and is delivered again
    roll_back(builder.project, "prod", tables=True)
    assert shown() == [1, 2]
    assert run() == [1, 2, 30], "the table and the bookmark went back, and what came after is read again"
