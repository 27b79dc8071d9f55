"""From a branch to production: two clones of one repository, a bare origin, and a store that both share. What CI computed for a
change is what production shows after the merge, and no stage runs there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from building import ProjectBuilder, notebook_data
from commands import stagebook

pytestmark = [pytest.mark.kernel, pytest.mark.e2e, pytest.mark.long]

MAKE = "open(people, 'w').write('id,speed\\n' + ''.join(f'{at},{at % 7}\\n' for at in range(last)))"
COUNT = "open(total, 'w').write(str(sum(int(line.split(',')[1]) for line in open(people).readlines()[1:])))"
PIPELINE = """
params: {last: 20}
stages:
  make:
    notebook: notebooks/make.ipynb
    executor: inprocess
    params: {last: "${params.last}"}
    outputs: {people: data/people.csv}
  other: {notebook: notebooks/other.ipynb, executor: inprocess, outputs: {out: data/other.txt}}
  count:
    notebook: notebooks/count.ipynb
    executor: inprocess
    inputs: {people: make.people}
    outputs: {total: data/total.txt}
"""


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def asked(folder: Path, *words: str, code: int = 0) -> str:
    done = stagebook(folder, *words)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def clones(tmp_path: Path) -> tuple[Path, Path]:
    """The clone of a developer, or of CI, and that of production. What production shows lies where both see it."""
    return cloned(tmp_path, f"path = '{tmp_path / 'prod'}'\n")


def cloned(tmp_path: Path, more: str) -> tuple[Path, Path]:
    """Two clones; `more` of what the settings say of production, and after it."""
    origin, shared = tmp_path / "origin.git", tmp_path / "shared"
    shared.mkdir()
    origin.mkdir()
    git(origin, "init", "-q", "--bare")
    first = tmp_path / "work"
    git(tmp_path, "clone", "-q", str(origin), str(first))
    builder = ProjectBuilder(first)
    builder.file(
        "stagebook.toml",
        f"[tracking]\nenabled = false\n[store]\nremote = '{shared}'\n"
        f"[environments.prod]\nprotected = true\n{more}",
    )
    builder.file(".gitignore", ".stagebook\ndata\n")
    for name, source, params in (
        ("make", MAKE, "people = ''\nlast = 20"),
        ("count", COUNT, "people = ''\ntotal = ''"),
        ("other", "open(out, 'w').write('same')", "out = ''"),
    ):
        builder.file(f"notebooks/{name}.ipynb", json.dumps(notebook_data(source, params=params), indent=1))
    builder.pipeline(PIPELINE)
    git(first, "add", "-A")
    git(first, "commit", "-qm", "first")
    git(first, "push", "-q", "origin", "HEAD:main")
    second = tmp_path / "production"
    git(tmp_path, "clone", "-q", "-b", "main", str(origin), str(second))
    return first, second


def deploy(clone: Path, because: str) -> dict[str, list[str]]:
    """Deploy to production; what it was going to run, and to take."""
    planned = json.loads(asked(clone, "deploy", "--to", "prod", "--dry-run", "--json"))
    asked(clone, "deploy", "--to", "prod", "--yes", "--because", because)
    return {name: planned[name] for name in ("runs", "takes")}


@pytest.mark.long
def test_what_ci_computed_is_what_production_shows(clones: tuple[Path, Path], tmp_path: Path) -> None:
    work, production = clones
    first = deploy(production, "the first one")
    assert sorted(first["runs"]) == ["p.count", "p.make", "p.other"]

    git(work, "checkout", "-qb", "rule")
    path = work / "notebooks/make.ipynb"
    path.write_text(path.read_text().replace("% 7", "% 5"))
    git(work, "commit", "-qam", "another remainder")
    said = json.loads(asked(work, "ci", "--against", "prod", "--json"))
    stages = {one["name"]: one["message"] for one in said["checks"] if one["group"] == "stage"}
    assert stages["other"].startswith("taken: "), "of what production computed"
    assert stages["make"] == stages["count"] == ""
    changed = {one["name"]: one["what"] for one in said["difference"]["pipelines"][0]["datasets"]}
    assert changed == {"make.people": "changed", "other.out": "same", "count.total": "changed"}
    assert (tmp_path / "prod/current/data/total.txt").read_text() == "57", "readers see what was"

    git(work, "push", "-q", "origin", "rule")
    git(work, "checkout", "-q", "-B", "main", "origin/main")
    git(work, "merge", "-q", "--no-ff", "-m", "merge", "rule")
    git(work, "push", "-q", "origin", "main")
    git(production, "pull", "-q")
    second = deploy(production, "merged")
    assert (second["runs"], sorted(second["takes"])) == ([], ["p.count", "p.make", "p.other"])
    assert (tmp_path / "prod/current/data/total.txt").read_text() == "40"
    status = asked(production, "status", "--env", "prod")
    assert "reused" in status
    asked(production, "rollback", "--env", "prod", "--because", "the rule was wrong")
    assert (tmp_path / "prod/current/data/total.txt").read_text() == "57"


def test_ci_of_a_fork_takes_and_gives_nothing(clones: tuple[Path, Path], tmp_path: Path) -> None:
    work, production = clones
    deploy(production, "the first one")
    before = sorted(path.name for path in (tmp_path / "shared").rglob("*") if path.is_file())
    env = {**os.environ, "STAGEBOOK_STORE_REMOTE_MODE": "read"}
    path = work / "notebooks/make.ipynb"
    path.write_text(path.read_text().replace("% 7", "% 5"))
    words = [sys.executable, "-m", "stagebook", "ci", "--against", "prod"]
    done = subprocess.run(words, cwd=work, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    after = sorted(path.name for path in (tmp_path / "shared").rglob("*") if path.is_file())
    assert after == before


def test_ci_compares_with_what_it_does_not_see(tmp_path: Path) -> None:
    """Production shows its versions in a folder of its own machine; all else comes through the shared store: what it shows,
    and its release, which runs with the parameters of CI."""
    work, production = cloned(tmp_path, "[environments.ci]\nparams = {last = 6}\n")
    deploy(production, "the first one")
    assert not (work / "environments").exists()

    git(work, "checkout", "-qb", "rule")
    path = work / "notebooks/make.ipynb"
    path.write_text(path.read_text().replace("% 7", "% 5"))
    git(work, "commit", "-qam", "another remainder")
    said = json.loads(asked(work, "ci", "--against", "prod", "--json"))
    assert (said["remark"], said["baseline"]) == ("", "prod, version 1, with the same parameters")
    (pipeline,) = said["difference"]["pipelines"]
    changed = {one["name"]: one["what"] for one in pipeline["datasets"]}
    assert changed == {"make.people": "changed", "other.out": "same", "count.total": "changed"}
    assert (work / ".stagebook/environments/ci/state").is_dir()

    (pipeline,) = json.loads(asked(work, "diff", "prod", ".", "--json"))["pipelines"]
    assert {"make", "count"} <= {one["stage"] for one in pipeline["stages"]}
    shown = " ".join(asked(work, "env", "show", "prod").split())
    assert "version 1, by deployment of" in shown
    assert "its folder is elsewhere" in shown
    assert json.loads(asked(work, "env", "list", "--json"))["environments"][0]["version"] == 1

    # A rollback is told as well, and what is damaged there is said, and costs nothing else.
    git(work, "push", "-q", "origin", "HEAD:main")
    git(production, "pull", "-q")
    deploy(production, "merged")
    asked(production, "rollback", "--env", "prod")
    assert json.loads(asked(work, "env", "show", "prod", "--json"))["manifest"]["shows"] == 1
    (told,) = (tmp_path / "shared/shown").rglob("prod.json")
    told.write_bytes(told.read_bytes()[:-9])
    done = " ".join(asked(work, "ci", "--against", "prod").split())
    assert "prod shows nothing yet" in done
    assert "prod.json in it cannot be read: its text is not the one that it was written with" in done
