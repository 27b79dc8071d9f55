"""Figures of a real project: released, deployed, run, broken, rolled back and mended, as one command tells them afterwards."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed

from building import ProjectBuilder
from commands import looked, stagebook
from measured import Repository
from stagebook.deploying import carry_out, prepare, release_now, roll_back
from stagebook.project import Project
from waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.long]

PIPELINE = """\
params: {bad: false}
defaults: {executor: inprocess}
stages:
  make:
    notebook: notebooks/make.ipynb
    params: {bad: "${params.bad}"}
    outputs: {numbers: data/numbers.csv}
  report:
    notebook: notebooks/report.ipynb
    inputs: {numbers: make.numbers}
    outputs: {text: data/report.txt}
"""
CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: p.make.numbers
version: 1.0.0
schema:
  - name: numbers
    properties:
      - {name: n, logicalType: integer, logicalTypeOptions: {maximum: 2}, customProperties: [{property: severity, value: quarantine}]}
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    """Of the four numbers that `make` writes one is too large; it fails when it is told to."""
    builder.file("stagebook.toml", "[tracking]\nenabled = false\n[environments.prod]\nprotected = true\n")
    builder.file(".gitignore", ".stagebook/\ndata/\nenvironments/\n")
    make = "assert not bad, 'NaN'\nopen(numbers, 'w').write('n\\n1\\n2\\n1\\n9\\n')"
    builder.notebook("make", make, params="bad = False\nnumbers = ''")
    builder.notebook(
        "report", "open(text, 'w').write(open(numbers).read())", params="numbers = ''\ntext = ''"
    )
    builder.pipeline(PIPELINE)
    builder.file("contracts/p.make.numbers.yaml", CONTRACT)
    return builder


def commit(repository: Repository, at: float) -> None:
    repository._git("add", "-A")
    repository.commit(at)


def deploy(root: Path) -> None:
    with Project.open(root) as home:
        made = prepare(home, "prod", release_now(home))
        carry_out(made, by="ada", because="it is better")
        made.project.close()


def test_the_figures_of_production(project: ProjectBuilder) -> None:
    root, begun = project.root, time.time()
    repository = Repository(root)
    assert stagebook(root, "run", "p").returncode == 0
    commit(repository, begun - 7_200)
    assert (
        json.loads(looked(root, "metrics", "--json").stdout)["environment"] == "dev"
    )  # nothing is in prod yet

    deploy(root)
    project.edit("make", "n\\n1", "n\\n2")
    commit(repository, begun - 3_600)
    deploy(root)
    failed = stagebook(root, "run", "p", "--env", "prod", "-p", "bad=true")
    assert failed.returncode == 1, failed.stdout
    with Project.open(root) as home:
        roll_back(home, "prod", because="NaN")
    noted = looked(root, "note", "latest", "the source sends NaN", "--env", "prod")
    assert noted.returncode == 0, noted.stderr

    told = json.loads(looked(root, "metrics", "--json").stdout)
    (one,) = told["pipelines"]
    found: dict[str, Any] = {item["name"]: item for item in one["indicators"]}
    took = time.time() - begun
    assert told["environment"] == "prod"
    value = {name: item["value"] for name, item in found.items()}
    assert value["errors"] == pytest.approx(1 / 3)  # two deployments, and the run that failed
    assert (value["automation"], value["changes_delivered"]) == (0.0, 2.0)
    assert found["runs"]["parts"].keys() == {"hand"}
    assert value["change_failures"] == pytest.approx(1 / 2)
    assert value["rework"] == pytest.approx(1 / 3)
    assert 0 < value["deployment_recovery_time"] < took
    assert 3_600 + 1_800 <= value["lead_time_median"] <= 5_400 + took  # of 2 h and 1 h, and what it took
    assert found["lead_time_median"]["count"] == 2
    assert value["contract_coverage"] == pytest.approx(1 / 2)
    assert value["rejected_rows"] == pytest.approx(1 / 4)
    assert value["quality"] == pytest.approx(1 - 0.5 * 1 / 4)
    assert one["datasets"][0]["columns"] == {"n": pytest.approx(0.875)}
    # The deployment of the first release took what had come out in the working tree.
    assert found["reuse_saved"]["count"] + found["reuse_saved"]["left_out"] >= 2
    # The failed stage may have been noted on the latest run of all, which is the rollback.
    assert found["failures_noted"]["count"] == 1
    assert_other_shapes(root)


def test_the_process_after_a_run_sends_the_digest(project: ProjectBuilder) -> None:
    """Once it is due: here the rule is made to have been there for long."""
    root = project.root
    script = project.file("tell.py", "import sys; open('got.json', 'a').write(sys.stdin.read() + '\\n')")
    rule = f"command = ['{sys.executable}', '{script}']\non = []\ndigest = 'weekly'\nenvironments = ['dev']"
    project.file("stagebook.toml", f"[tracking]\nenabled = false\n[notify.team]\n{rule}\n")
    assert stagebook(root, "run", "p").returncode == 0
    assert (
        looked(root, "notify", "send").stdout == "nothing waits\n"
    )  # whatever is at work has ended; the rule is new
    with Project.open(root) as home, home.journal._db.write():
        home.journal.digests._put("team", "weekly UTC", 0.0, 0.0)
    assert stagebook(root, "run", "p").returncode == 0
    got = root / "got.json"
    until(lambda: got.exists() and got.read_text().endswith("\n"), 60, "no digest came")
    assert looked(root, "notify", "send").stdout == "nothing waits\n"
    (line,) = got.read_text().splitlines()
    told = json.loads(line)
    assert (told["rule"], told["environment"], told["facts"]) == ("team", "dev", [])
    assert told["title"].startswith("· Week to ")


def assert_other_shapes(root: Path) -> None:
    """Text and OpenMetrics say the same."""
    text = looked(root, "metrics", "--explain").stdout
    assert text.startswith("p in prod, 30 days: ")
    families = {item.name: item for item in parsed(looked(root, "metrics", "--format", "openmetrics").stdout)}
    (sample,) = families["stagebook_change_failures_ratio"].samples
    assert (sample.labels, sample.value) == ({"environment": "prod", "pipeline": "p"}, 0.5)
    dev = json.loads(looked(root, "metrics", "--env", "dev", "--json").stdout)
    assert dev["environment"] == "dev"
