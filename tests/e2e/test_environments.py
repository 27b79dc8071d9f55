"""Environments from the command line: what readers see, which code runs, and what is taken instead of computed."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import stagebook as public
from building import ProjectBuilder
from commands import environment, looked, stagebook, start
from stagebook.deploying import carry_out, prepare, release_now
from stagebook.errors import StagebookError, UsageError
from stagebook.project import Project
from tracked import tracked_runs
from waiting import until

pytestmark = pytest.mark.e2e

SETTINGS = """\
[tracking]
enabled = false

[environments.prod]
protected = true
params = { factor = 10 }

[environments.ci]
params = { factor = 1 }
"""
PIPELINE = """\
params: {factor: 2}
defaults: {executor: inprocess}
stages:
  make:
    notebook: notebooks/make.ipynb
    inputs: {raw: data/raw.txt}
    outputs: {numbers: data/numbers.csv}
  scale:
    notebook: notebooks/scale.ipynb
    inputs: {numbers: make.numbers}
    params: {factor: "${params.factor}"}
    outputs: {scaled: data/scaled.csv}
"""


def git(root: Path, *words: str) -> str:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    done = subprocess.run(["git", "-C", str(root), *who, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    """A committed project of two stages; what its first stage reads is not under version control."""
    builder.file("stagebook.toml", SETTINGS)
    builder.file(".gitignore", "data/\n.stagebook/\nenvironments/\n")
    builder.file("data/raw.txt", "1 2 3")
    builder.file("helper.py", "def times(number, factor):\n    return number * factor\n")
    builder.notebook(
        "make",
        "open(numbers, 'w').write('n\\n' + '\\n'.join(open(raw).read().split()) + '\\n')",
        params="raw = ''\nnumbers = ''",
    )
    builder.notebook(
        "scale",
        """
        import helper
        rows = open(numbers).read().split()[1:]
        open(scaled, "w").write("n\\n" + "\\n".join(str(helper.times(int(row), factor)) for row in rows) + "\\n")
        """,
        params="numbers = ''\nfactor = 1\nscaled = ''",
    )
    builder.pipeline(PIPELINE)
    git(builder.root, "init", "-q")
    commit(builder, "first")
    return builder


def commit(builder: ProjectBuilder, message: str) -> None:
    git(builder.root, "add", "-A")
    git(builder.root, "commit", "-qm", message)


def shown(builder: ProjectBuilder, name: str = "prod") -> list[int]:
    """The scaled numbers that readers see."""
    text = (builder.root / f"environments/{name}/current/data/scaled.csv").read_text()
    return [int(row) for row in text.split()[1:]]


def deploy(builder: ProjectBuilder, name: str = "prod") -> Any:
    home = builder.project
    return carry_out(prepare(home, name, release_now(home)), by="ada", because="it is time")


def decisions(project: Project) -> dict[str, str]:
    """What a deployment of the working tree to production would do about each stage."""
    found = prepare(project, "prod", release_now(project))
    return {stage.id: str(stage.decision) for one in found.prepared for stage in one.plan.stages}


@pytest.mark.long
def test_a_run_in_an_environment_is_shown_at_once_and_touches_nothing_else(project: ProjectBuilder) -> None:
    done = stagebook(project.root, "run", "--env", "ci", env=environment())
    assert done.returncode == 0, done.stderr
    assert shown(project, "ci") == [1, 2, 3]
    assert not (project.root / "data/scaled.csv").exists()
    assert project.project.history.runs() == []
    manifest = json.loads((project.root / "environments/ci/current/manifest.json").read_text())
    assert manifest["version"] == 1
    assert set(manifest["pipelines"]["p"]["datasets"]) == {"make.numbers", "scale.scaled"}
    assert (project.root / "environments/ci/current/executed/p/scale.ipynb").is_file()
    # A run that changes nothing shows nothing new.
    assert stagebook(project.root, "run", "--env", "ci").returncode == 0
    assert (project.root / "environments/ci/current").readlink() == Path("versions/000001")
    # Nothing that is kept is for git.
    assert git(project.root, "status", "--porcelain") == ""


def test_a_run_that_fails_changes_nothing_that_readers_see(project: ProjectBuilder) -> None:
    assert stagebook(project.root, "run", "--env", "ci").returncode == 0
    project.file("data/raw.txt", "4 5 x")
    assert stagebook(project.root, "run", "--env", "ci").returncode == 1
    assert shown(project, "ci") == [1, 2, 3]
    assert (project.root / "environments/ci/current/data/numbers.csv").read_text() == "n\n1\n2\n3\n"
    # What is asked of the environment is answered by what readers see.
    told = looked(project.root, "data", "sql", "SELECT sum(n) FROM p.make.numbers", "--csv", "--env", "ci")
    assert told.stdout.split()[-1] == "6", told.stderr
    project.file("data/raw.txt", "4 5 6")
    assert stagebook(project.root, "run", "--env", "ci").returncode == 0
    assert shown(project, "ci") == [4, 5, 6]


def test_an_environment_executes_its_release_and_not_the_working_tree(project: ProjectBuilder) -> None:
    deploy(project)
    assert shown(project) == [10, 20, 30]
    project.file("helper.py", "def times(number, factor):\n    return -number\n")
    project.file("data/raw.txt", "7")  # data is no code: a run takes it as it is
    done = stagebook(project.root, "run", "--env", "prod")
    assert done.returncode == 0, done.stdout + done.stderr
    assert shown(project) == [70]
    run = project.project.in_environment("prod").history.find()
    started = project.project.in_environment("prod").history.of(run).started
    assert started is not None
    assert (started.environment, started.release) == ("prod", project.project.environments.releases.find().id)


def test_what_is_not_committed_is_not_released_without_being_noted(project: ProjectBuilder) -> None:
    project.file("helper.py", "def times(number, factor):\n    return 0\n")
    told = looked(project.root, "release")
    assert told.returncode == 2
    assert "helper.py is not as committed" in told.stderr
    told = looked(project.root, "release", "--allow-dirty", "--json")
    made = json.loads(told.stdout)
    assert made["changed"] == ["helper.py"]
    assert set(made["files"]) == {
        "helper.py",
        "notebooks/make.ipynb",
        "notebooks/scale.ipynb",
        "pipelines/p.yaml",
        "stagebook.toml",
    }
    commit(project, "second")
    clean = json.loads(looked(project.root, "release", "--json").stdout)
    assert (clean["id"], clean["changed"]) == (made["id"], [])


@pytest.mark.long
def test_a_deployment_runs_what_changed_takes_the_rest_and_is_rolled_back_with_its_code(
    project: ProjectBuilder,
) -> None:
    first = deploy(project)
    project.edit("scale", "helper.times(int(row), factor)", "1000 + int(row)")
    commit(project, "second")
    assert decisions(project.project) == {"make": "REUSE", "scale": "RUN"}
    plan = looked(project.root, "deploy", "--to", "prod", "--dry-run")
    assert "1 file changed" in plan.stdout
    assert "p.scale.scaled" in plan.stdout
    second = deploy(project)
    assert shown(project) == [1001, 1002, 1003]
    assert (second.version, second.before, second.because) == (2, 1, "it is time")

    told = looked(project.root, "rollback", "--env", "prod", "--because", "wrong numbers")
    assert told.returncode == 0, told.stderr
    assert shown(project) == [10, 20, 30]
    assert project.project.in_environment("prod").placement.release.id == first.release
    # The next run goes on with the earlier code: it has nothing to do.
    assert stagebook(project.root, "run", "--env", "prod").returncode == 0
    assert shown(project) == [10, 20, 30]
    assert looked(project.root, "rollback", "--env", "prod", "--to", "3").returncode == 2
    # A file of an earlier version that somebody wrote to is not shown again.
    spoilt = project.root / "environments/prod/versions/000002/data/scaled.csv"
    spoilt.chmod(0o644)
    spoilt.write_text("n\n0\n")
    assert looked(project.root, "rollback", "--env", "prod", "--to", "2").returncode == 0
    assert shown(project) == [1001, 1002, 1003]


def test_a_deployment_that_fails_leaves_everything_as_it_was(project: ProjectBuilder) -> None:
    first = deploy(project)
    project.edit("scale", "import helper", "import helper; 1/0")
    commit(project, "second")
    with pytest.raises(StagebookError, match="did not complete: failed") as caught:
        deploy(project)
    assert "see version 1, as before" in caught.value.hint
    assert shown(project) == [10, 20, 30]
    again = project.project.in_environment("prod")
    assert again.placement.release.id == first.release
    assert [stage.decision for stage in again.plan("p").stages] == ["REUSE", "REUSE"]


def test_a_promotion_computes_nothing_again(project: ProjectBuilder) -> None:
    assert stagebook(project.root, "run", "-p", "factor=10").returncode == 0
    told = looked(project.root, "promote", "dev", "prod", "--yes", "--because", "checked", "--json")
    assert told.returncode == 0, told.stderr
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    reused = [line for line in lines if line.get("type") == "StageReused"]
    assert {line["source"] for line in reused} == {"dev"}
    assert not any(line.get("type") == "AttemptStarted" for line in lines)
    assert shown(project) == [10, 20, 30]
    assert (project.root / "environments/prod/current/executed/p/scale.ipynb").is_file()
    # What was taken is production's own from then on.
    shutil.rmtree(project.root / ".stagebook/runs")
    (project.root / ".stagebook/journal.db").unlink()
    prod = project.project.in_environment("prod")
    assert [stage.reasons for stage in prod.plan("p").stages] == [("nothing changed",)] * 2


def test_a_protected_environment_asks_who_and_why(project: ProjectBuilder) -> None:
    assert "nothing was deployed to prod yet" in looked(project.root, "run", "--env", "prod").stderr
    for words, told in (
        (("--yes",), "say --yes and --because TEXT, or --propose"),
        ((), "nobody is there to give one"),
    ):
        done = looked(project.root, "deploy", "--to", "prod", *words)
        assert done.returncode == 2
        assert told in done.stderr
    assert not (project.root / "environments").exists()
    assert "say where: --to NAME" in looked(project.root, "deploy").stderr


def test_a_deployment_that_was_proposed_is_carried_out_by_who_approves_it(project: ProjectBuilder) -> None:
    told = looked(project.root, "deploy", "--to", "prod", "--propose", "--because", "better", "--json")
    assert json.loads(told.stdout)["number"] == 1, told.stderr
    assert not (project.root / "environments").exists()
    assert "approve it: stagebook approve prod 1" in looked(project.root, "env", "show", "prod").stdout
    # What was proposed is done, whatever the working tree holds by now.
    project.edit("scale", "helper.times(int(row), factor)", "0")
    assert "there is no such proposal" in looked(project.root, "approve", "prod", "2").stderr
    done = stagebook(project.root, "approve", "prod", "--yes", "--because", "looked at it", "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout.splitlines()[-1])
    assert (made["because"], bool(made["by"]), bool(made["approved_by"])) == (
        "better; looked at it",
        True,
        True,
    )
    assert shown(project) == [10, 20, 30]
    assert "there is no such proposal" in looked(project.root, "approve", "prod").stderr
    commit(project, "second")
    assert looked(project.root, "deploy", "--to", "prod", "--propose").returncode == 0
    assert looked(project.root, "approve", "prod", "--reject").returncode == 0
    assert looked(project.root, "env", "show", "prod", "--json").returncode == 0
    assert shown(project) == [10, 20, 30]


def test_two_deployments_at_once_are_no_two_and_what_was_not_looked_at_is_not_done(
    project: ProjectBuilder,
) -> None:
    home = project.project
    late = prepare(home, "prod", release_now(home))
    deploy(project)
    project.edit("scale", "import helper", "import helper  # more")
    with pytest.raises(UsageError, match="shows version 1 by now"):
        carry_out(late)


def test_a_release_that_needs_what_is_not_there_is_refused_before_anything_runs(
    project: ProjectBuilder,
) -> None:
    project.file(
        "pipelines/p.yaml",
        PIPELINE.replace("make.numbers}", "make.numbers}\n    env: {TOKEN: '${secret.token}'}"),
    )
    commit(project, "a secret")
    home = project.project
    with pytest.raises(UsageError, match="token") as caught:
        prepare(home, "prod", release_now(home))
    assert "p.scale" in caught.value.message
    assert not (project.root / "environments").exists()


def test_libraries_are_held_against_those_of_the_release(project: ProjectBuilder) -> None:
    home = project.project
    made = release_now(home)
    lacking = dataclasses.replace(made, versions={**made.versions, "nosuchlibrary": "1.2"})
    with pytest.raises(UsageError, match="needs nosuchlibrary, which is not installed") as caught:
        prepare(home, "prod", home.environments.releases.keep(lacking))
    assert caught.value.hint == "pip install nosuchlibrary==1.2"
    older = dataclasses.replace(made, versions={**made.versions, "python": "3.1.4"})
    (doubt,) = prepare(home, "prod", home.environments.releases.keep(older)).doubts
    assert doubt.startswith("python 3.1.4 when it was released, 3.")


def test_a_damaged_release_is_told_with_the_way_forward(project: ProjectBuilder) -> None:
    deploy(project)
    release = project.project.environments.releases.find()
    tree = project.root / ".stagebook/environments/prod/trees"
    shutil.rmtree(tree)
    blob = project.project.store.blobs.path(release.files["helper.py"].sha256)
    blob.chmod(0o600)
    blob.write_text("def times(*_): return 'evil'\n")
    done = looked(project.root, "plan", "--env", "prod")
    assert done.returncode == 2
    assert "is not whole any more" in done.stderr
    assert looked(project.root, "release").returncode == 0
    assert looked(project.root, "plan", "--env", "prod").returncode == 0


def test_code_in_the_tree_of_an_environment_is_put_right(project: ProjectBuilder) -> None:
    deploy(project)
    (tree,) = (project.root / ".stagebook/environments/prod/trees").iterdir()
    (tree / "helper.py").write_text("def times(number, factor):\n    return 0\n")
    assert stagebook(project.root, "run", "--env", "prod").returncode == 0
    assert shown(project) == [10, 20, 30]


@pytest.mark.long
def test_an_environment_for_a_branch_takes_the_results_of_its_parent(project: ProjectBuilder) -> None:
    assert stagebook(project.root, "run").returncode == 0
    assert looked(project.root, "env", "create", "branch").returncode == 0
    plan = looked(project.root, "plan", "--env", "branch", "--json")
    assert [stage["decision"] for stage in json.loads(plan.stdout)["stages"]] == ["REUSE", "REUSE"]
    assert stagebook(project.root, "run", "--env", "branch").returncode == 0
    assert shown(project, "branch") == [2, 4, 6]
    assert {
        one["name"]
        for one in json.loads(looked(project.root, "env", "list", "--json").stdout)["environments"]
    } == {
        "branch",
        "ci",
        "prod",
    }
    assert looked(project.root, "env", "remove", "branch").returncode == 0
    assert not (project.root / "environments/branch").exists()
    assert "there is no environment 'branch'" in looked(project.root, "plan", "--env", "branch").stderr


def test_an_environment_in_which_a_run_goes_on_is_not_removed(project: ProjectBuilder) -> None:
    project.edit(
        "make",
        "open(numbers",
        "import os, time\nwhile not os.path.exists('go'): time.sleep(0.05)\nopen(numbers",
    )
    assert looked(project.root, "env", "create", "branch").returncode == 0
    with start(project.root, "run", "--env", "branch", stdout=subprocess.DEVNULL) as running:
        state = project.root / ".stagebook/environments/branch"
        until(lambda: list((state / "state/runs").glob("*/make/1/log.txt")), 60, "the stage runs")
        told = looked(project.root, "env", "remove", "branch")
        assert told.returncode == 2
        assert "goes on in 'branch'" in told.stderr
        (state / "trees" / "work" / "go").touch()
        assert running.wait(60) == 0
    assert looked(project.root, "env", "remove", "branch").returncode == 0
    assert not state.exists()


def test_a_variable_means_the_same_in_all_environments(
    project: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLAVOUR", "vanilla")
    one = "stages: {a: {notebook: notebooks/a.ipynb, executor: inprocess, env: [FLAVOUR], outputs: {o: data/o.txt}}}"
    project.notebook("a", "open(o, 'w').write('1')", params="o = ''")
    project.pipeline(one, "v")
    assert stagebook(project.root, "run", "v", "--env", "ci").returncode == 0
    plan = json.loads(looked(project.root, "plan", "v", "--json").stdout)
    assert [stage["decision"] for stage in plan["stages"]] == ["REUSE"]


def test_readers_get_datasets_that_belong_together(project: ProjectBuilder) -> None:
    deploy(project)
    scaled = public.dataset("p.scale.scaled", env="prod", project=project.root)
    assert scaled.version == 1
    project.edit("scale", "helper.times(int(row), factor)", "1000 + int(row)")
    project.file("data/raw.txt", "4 5 6")
    commit(project, "second")
    deploy(project)
    numbers = public.dataset("make.numbers", env="prod", project=project.root)
    assert (numbers.version, list(numbers.frame()["n"]), list(scaled.frame()["n"])) == (
        1,
        [1, 2, 3],
        [10, 20, 30],
    )
    del scaled, numbers
    assert list(public.dataset("p.scale.scaled", env="prod", project=project.root).frame()["n"]) == [
        1004,
        1005,
        1006,
    ]
    with pytest.raises(UsageError, match="version 2 has no dataset") as caught:
        public.dataset("p.scale.scald", env="prod", project=project.root)
    assert "did you mean 'p.scale.scaled'" in caught.value.hint
    with pytest.raises(UsageError, match="nothing can be read in ci"):
        public.dataset("p.scale.scaled", env="ci", project=project.root)


@pytest.mark.long
def test_a_notebook_reads_what_its_own_environment_shows(project: ProjectBuilder) -> None:
    assert stagebook(project.root, "run").returncode == 0
    deploy(project)
    project.notebook(
        "sum",
        "import stagebook; open(total, 'w').write(str(stagebook.dataset('p.scale.scaled').frame()['n'].sum()))",
        params="total = ''",
    )
    project.pipeline(
        "stages: {sum: {notebook: notebooks/sum.ipynb, outputs: {total: data/total.txt}}}",
        "q",
    )
    assert stagebook(project.root, "run", "q").returncode == 0
    assert (project.root / "data/total.txt").read_text() == "12"
    commit(project, "q")
    deploy(project)
    assert (project.root / "environments/prod/current/data/total.txt").read_text() == "60"


@pytest.mark.long
def test_a_file_that_was_read_undeclared_is_released_and_another_one_is_no_reason_to_take_a_result(
    project: ProjectBuilder,
) -> None:
    project.file("factors.txt", "3")
    project.edit("scale", "import helper", "import helper; factor = int(open('fac' + 'tors.txt').read())")
    commit(project, "second")
    assert stagebook(project.root, "run").returncode == 0
    assert "factors.txt" in json.loads(looked(project.root, "release", "--json").stdout)["files"]
    deploy(project)
    assert shown(project) == [3, 6, 9]
    project.file("factors.txt", "5")
    assert stagebook(project.root, "run", "--force").returncode == 0
    # What dev came to now, with another file, is not what production would.
    assert stagebook(project.root, "run", "--env", "prod", "-p", "factor=2").returncode == 0
    assert shown(project) == [3, 6, 9]


def test_what_others_use_stays_in_the_store(project: ProjectBuilder) -> None:
    deploy(project)
    assert looked(project.root, "store", "gc", "--days", "0").returncode == 0
    shutil.rmtree(project.root / ".stagebook/environments/prod/trees")
    done = stagebook(project.root, "run", "--env", "prod")
    assert done.returncode == 0, done.stderr
    assert "reused" in done.stdout


@pytest.mark.long
def test_stages_may_publish_by_themselves(project: ProjectBuilder) -> None:
    project.file("stagebook.toml", SETTINGS.replace("params = { factor = 1 }", "publish = 'stage'"))
    assert stagebook(project.root, "run", "--env", "ci").returncode == 0
    assert shown(project, "ci") == [2, 4, 6]
    project.file("data/raw.txt", "4 5 x")
    assert stagebook(project.root, "run", "--env", "ci").returncode == 1
    assert (project.root / "environments/ci/current/data/numbers.csv").read_text() == "n\n4\n5\nx\n"
    told = looked(project.root, "rollback", "--env", "ci")
    assert "no versions to go back to" in told.stderr
    assert public.dataset("scale.scaled", env="ci", project=project.root).version == 1


@pytest.mark.long
def test_a_damaged_journal_of_one_environment_harms_no_other_one(project: ProjectBuilder) -> None:
    assert stagebook(project.root, "run", "--env", "ci").returncode == 0
    state = project.root / ".stagebook/environments/ci/state"
    for path in state.glob("journal.db-*"):
        path.unlink()
    (state / "journal.db").write_bytes(b"no database at all, " * 500)
    plan = looked(project.root, "plan", "--json")
    assert [stage["decision"] for stage in json.loads(plan.stdout)["stages"]] == ["RUN", "RUN"], plan.stderr
    assert stagebook(project.root, "run").returncode == 0
    # What that environment refers to is not known, so that nothing is removed.
    told = looked(project.root, "store", "gc", "--days", "0")
    assert told.returncode == 2
    assert "doctor" in told.stderr
    assert looked(project.root, "plan", "--env", "ci").returncode == 2


@pytest.mark.filterwarnings("default::DeprecationWarning")  # of MLflow's use of SQLAlchemy
@pytest.mark.long
def test_each_environment_has_an_experiment_in_the_same_mlflow(project: ProjectBuilder) -> None:
    project.file("stagebook.toml", SETTINGS.replace("[tracking]\nenabled = false\n", ""))
    assert stagebook(project.root, "run").returncode == 0
    assert stagebook(project.root, "run", "--env", "ci").returncode == 0
    (run,) = [
        one
        for one in tracked_runs(project.root, pipeline="p (ci)")
        if "mlflow.parentRunId" not in one.data.tags
    ]
    assert (run.data.tags["stagebook.environment"], run.data.params["factor"]) == ("ci", "1")
    assert run.data.tags["stagebook.release"]
    (stage,) = tracked_runs(project.root, "tags.stagebook.stage = 'scale'", "p (ci)")
    assert Path(stage.info.artifact_uri.removeprefix("file://")).is_relative_to(project.root / "mlruns")
