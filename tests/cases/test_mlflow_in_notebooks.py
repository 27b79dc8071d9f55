"""MLflow in a notebook behaves as it does alone; what is logged without a run goes to the run of the attempt."""

from __future__ import annotations

import contextlib
import functools
import shutil
import sqlite3
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from building import ProjectBuilder
from effort import IS_FULL
from stagebook.events import Status
from stagebook.runs.run import RunReport
from tracked import client

pytestmark = [pytest.mark.kernel, pytest.mark.e2e, pytest.mark.filterwarnings("default")]

Executed = Callable[[str], Path]
FORKED = ("kernel", "inprocess")
UNFORKED = ("kernel, unforked", "inprocess, unforked")
EVERY_WAY = pytest.mark.parametrize("way", [*FORKED, *UNFORKED])
EACH_WAY = pytest.mark.parametrize("way", [*FORKED, *UNFORKED] if IS_FULL else FORKED)
FITS = """
from sklearn.linear_model import LogisticRegression
import numpy as np
def fit(**options):
    LogisticRegression(**options).fit(np.arange(20.0).reshape(10, 2), [0, 1] * 5)
"""
AUTOLOG = "import mlflow, mlflow.sklearn\nmlflow.sklearn.autolog(log_models=False, log_datasets=False)"
LOGS = """
import mlflow
for key, value in dict(flag=flag, names=names, opt=opt, d=d, lr=lr, n=n).items():
    mlflow.log_param(key, value)
"""
CHOSEN = [
    "import mlflow\nmlflow.set_experiment('models')",
    """
    for name in ("first", "second"):
        with mlflow.start_run(run_name=name):
            mlflow.log_param("model", name)
            mlflow.log_metric("auc", 0.5)
    """,
]
NOTEBOOKS: dict[str, Any] = {
    "chosen": CHOSEN,
    "helper": ["import helper", "helper.log('m', 1)\nhelper.log('n', 2)"],
    "plain": [
        "import mlflow\nassert mlflow.active_run() is None",
        """
        for name in ("first", "second"):
            with mlflow.start_run(run_name=name):
                mlflow.log_param("model", name)
        mlflow.log_metric("summary", 2)
        """,
    ],
    "nested": [
        "import mlflow\nmlflow.set_tracking_uri('sqlite:///own.db')\nmlflow.set_experiment('own')",
        """
        with mlflow.start_run(run_name="outer"):
            for i in range(2):
                with mlflow.start_run(run_name=f"in{i}", nested=True):
                    mlflow.log_metric("auc", i)
        """,
    ],
    "elsewhere": [
        "import mlflow\nmlflow.set_tracking_uri('sqlite:///other.db')",
        "with mlflow.start_run(run_name='there'):\n    mlflow.log_metric('m', 1)",
        "mlflow.log_metric('n', 2)",
    ],
    "bound": [
        "import mlflow\nfrom mlflow import start_run, log_metric",
        "with start_run(nested=True) as run:\n    assert run.info.run_name\n    log_metric('m', 3)",
    ],
    "implied": (
        "C = 2.0\nrandom_state = None\nfit_intercept = False",
        [AUTOLOG, FITS, "fit(C=C, random_state=random_state, fit_intercept=fit_intercept)", "mlflow.log_metric('after', 1)"],
    ),
    "twice": [AUTOLOG, FITS, "fit(C=1.0)\nfit(C=2.0)"],
    "explicit": ["import mlflow\nmlflow.set_experiment('auto')", AUTOLOG, FITS, "with mlflow.start_run():\n    fit()"],
    "named": ["import mlflow\nmlflow.set_experiment('named')", AUTOLOG, FITS, "fit()"],
    "own": ("flag = True\nnames = ['a', 'b']\nopt = None\nd = {'a': 1}\nlr = 0.1\nn = 3", [LOGS]),
    "changed": ("n = 1\nx = ''", ["import mlflow\nn = n * 2\nmlflow.log_param('n', n)"]),
    "below": [
        "import os\nos.makedirs('sub', exist_ok=True)\nos.chdir('sub')",
        "import mlflow\nmlflow.log_metric('m', 1.0)",
    ],
}  # fmt: skip
PARAMS = {
    "own": "{flag: false, names: [c, d], opt: null, d: {b: 2}, lr: 0.2}",
    "changed": "{n: 4, x: y}",
}
UNFORKED_NOTEBOOKS = tuple(NOTEBOOKS) if IS_FULL else ("chosen", "helper")


def run(builder: ProjectBuilder, executor: str, *, fork: bool, **notebooks: Any) -> RunReport:
    """Run notebooks, one stage each: cells, or a pair of a parameters cell and cells."""
    builder.file("stagebook.toml", f"[run]\nfork = {str(fork).lower()}\njobs = 2\n")
    stages = ""
    for name, notebook in notebooks.items():
        params, cells = notebook if isinstance(notebook, tuple) else (None, notebook)
        builder.notebook(name, *(textwrap.dedent(cell) for cell in cells), params=params)
        passed = f", params: {PARAMS[name]}" if name in PARAMS else ""
        stages += f"  {name}: {{notebook: notebooks/{name}.ipynb, executor: {executor}{passed}}}\n"
    builder.pipeline(f"stages:\n{stages}")
    report = builder.project.run("p", keep_going=True)
    messages = {stage.id: (stage.message, stage.traceback) for stage in report.history.stages.values()}
    assert report.status is Status.COMPLETED, messages
    assert report.undelivered == 0
    return report


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of MLflow with nothing in it: to make one takes as long as three notebooks."""
    folder = tmp_path_factory.mktemp("empty")
    MlflowClient(tracking_uri=f"sqlite:///{folder}/empty.db").search_experiments()
    return folder / "empty.db"


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Executed:
    """The project in which the notebooks were run in a way, in one run for all tests."""

    @functools.cache
    def run_all(way: str) -> Path:
        builder = ProjectBuilder(tmp_path_factory.mktemp("project"))
        builder.file(
            "helper.py", "import mlflow\n\ndef log(name, value):\n    mlflow.log_metric(name, value)\n"
        )
        for name in ("own.db", "other.db"):
            shutil.copyfile(empty_store, builder.root / name)
        executor, _, unforked = way.partition(", ")
        names = UNFORKED_NOTEBOOKS if unforked else NOTEBOOKS
        with contextlib.closing(builder), pytest.MonkeyPatch.context() as patch:
            patch.chdir(builder.root)
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            run(builder, executor, fork=not unforked, **{name: NOTEBOOKS[name] for name in names})
        return builder.root

    return run_all


def runs(root: Path, experiment: str, database: str = "mlflow.db") -> list[Run]:
    """The runs of an experiment, in the order in which they were started."""
    api = MlflowClient(tracking_uri=f"sqlite:///{root}/{database}")
    found = api.get_experiment_by_name(experiment)
    return list(api.search_runs([found.experiment_id], order_by=["start_time"])) if found else []


def own(run: Run) -> dict[str, float]:
    """The metrics that a notebook logged itself."""
    kept = {"seconds", "cpu_seconds", "peak_memory_mb"}
    return {
        name: value for name, value in run.data.metrics.items() if name not in kept and "cell." not in name
    }


def attempts(root: Path) -> dict[str, Run]:
    """The runs of attempts, by stage."""
    return {
        run.data.tags["stagebook.stage"]: run
        for run in runs(root, "p")
        if run.data.tags.get("stagebook.kind") == "stage"
    }


def started_by(root: Path, stage: str, experiment: str = "p", database: str = "mlflow.db") -> list[Run]:
    """The runs that the notebook of a stage started itself."""
    return [
        run
        for run in runs(root, experiment, database)
        if run.data.tags.get("stagebook.started_by", "").split("/")[1:2] == [stage]
    ]


@EVERY_WAY
def test_runs_that_a_notebook_starts_are_its_own_where_it_says(executed: Executed, way: str) -> None:
    """mlflow_set_experiment, mlflow-set-experiment"""
    root = executed(way)
    stages = attempts(root)
    assert {name: stages[name].info.run_name for name in stages} == {name: name for name in stages}
    first, second = started_by(root, "chosen", "models")
    assert [first.info.run_name, second.info.run_name] == ["first", "second"]
    assert (first.data.params, own(first)) == ({"model": "first"}, {"auc": 0.5})
    assert {item.data.tags["mlflow.parentRunId"] for item in (first, second)} == {
        stages["chosen"].info.run_id
    }
    assert {item.info.status for item in (first, second)} == {"FINISHED"}
    assert own(stages["helper"]) == {"m": 1, "n": 2}


@EACH_WAY
def test_only_what_is_logged_without_a_run_goes_to_the_attempt(executed: Executed, way: str) -> None:
    """mlflow_set_experiment"""
    root = executed(way)
    stages = attempts(root)
    assert [item.info.run_name for item in started_by(root, "plain")] == ["first", "second"]
    assert all(
        item.data.tags["mlflow.parentRunId"] == stages["plain"].info.run_id
        for item in started_by(root, "plain")
    )
    assert own(stages["plain"]) == {"summary": 2}, "logged without a run"

    outer, *inner = runs(root, "own", "own.db")
    assert "mlflow.parentRunId" not in outer.data.tags, "the attempt is in another store"
    assert [(item.info.run_name, own(item)) for item in inner] == [("in0", {"auc": 0}), ("in1", {"auc": 1})]
    assert {item.data.tags["mlflow.parentRunId"] for item in inner} == {outer.info.run_id}
    assert runs(root, "p", "own.db") == []
    assert [own(item) for item in runs(root, "Default", "other.db")] == [{"m": 1}, {"n": 2}]
    assert runs(root, "p", "other.db") == [], "no experiment of that name in another store"

    (bound,) = started_by(root, "bound")
    assert own(bound) == {"m": 3}
    assert own(stages["bound"]) == {}


@EACH_WAY
def test_autologging_without_a_run_goes_to_the_run_of_the_attempt(executed: Executed, way: str) -> None:
    """mlflow-autolog-params-lost; `auto` of mlflow_set_experiment"""
    root = executed(way)
    stages = attempts(root)
    assert len(stages["implied"].data.params) >= 14
    found = stages["implied"].data.params["C"], stages["implied"].data.params["random_state"]
    assert found == ("2.0", "None")
    assert own(stages["implied"])["after"] == 1, "beside what was fitted"
    assert started_by(root, "implied") == []
    assert stages["twice"].data.params["C"] == "1.0"
    (second,) = started_by(root, "twice")
    assert second.data.params["C"] == "2.0"
    assert second.data.tags["mlflow.parentRunId"] == stages["twice"].info.run_id
    for name, experiment in (("explicit", "auto"), ("named", "named")):
        (made,) = started_by(root, name, experiment)
        assert len(made.data.params) >= 14
        assert made.data.tags["mlflow.parentRunId"] == stages[name].info.run_id
        assert stages[name].data.params == {}


@EACH_WAY
def test_parameters_of_the_notebook_come_before_those_of_the_stage(executed: Executed, way: str) -> None:
    """mlflow-log-own-params, mlflow-log-changed-param"""
    stages = attempts(executed(way))
    expected = {"flag": "False", "names": "['c', 'd']", "opt": "None", "d": "{'b': 2}", "lr": "0.2", "n": "3"}
    assert stages["own"].data.params == expected
    assert stages["changed"].data.params == {"n": "8", "x": "y"}
    assert stages["changed"].data.tags["stagebook.param.n"] == "4"


@EACH_WAY
def test_the_store_is_the_same_from_any_folder(executed: Executed, way: str) -> None:
    """mlflow-chdir"""
    root = executed(way)
    assert own(attempts(root)["below"]) == {"m": 1}
    assert [path for path in root.rglob("mlflow.db") if path.parent != root] == []


def test_processes_that_a_notebook_starts_have_runs_of_their_own_below_the_attempt(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "of-a-run-around-this-one")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "77")
    builder.file(
        "train.py",
        """\
import sys, mlflow
if sys.argv[1] == "explicit":
    mlflow.start_run(run_name="sub")
mlflow.log_param("lr", sys.argv[2])
""",
    )
    run(
        builder,
        "kernel",
        fork=True,
        a=[
            "import subprocess, sys",
            """
            for words in (["explicit", "1"], ["implied", "2"], ["implied", "3"]):
                subprocess.run([sys.executable, "train.py", *words], check=True)
            """,
        ],
        chosen=[
            "import mlflow, subprocess, sys\nmlflow.set_experiment('mine')",
            "subprocess.run([sys.executable, 'train.py', 'explicit', '5'], check=True)",
        ],
    )
    stages = attempts(builder.root)
    made = [*started_by(builder.root, "a"), stages["a"]]
    assert sorted(item.data.params["lr"] for item in made if item.data.params) == ["1", "2", "3"]
    own_runs = started_by(builder.root, "a")
    assert {item.data.tags["mlflow.parentRunId"] for item in own_runs} == {stages["a"].info.run_id}
    (mine,) = started_by(builder.root, "chosen", "mine")
    assert mine.data.params == {"lr": "5"}


def test_a_kernel_that_dies_leaves_the_attempt_failed(builder: ProjectBuilder) -> None:
    builder.notebook("a", "import mlflow\nmlflow.log_metric('m', 1)", "import os\nos._exit(1)")
    builder.pipeline("stages:\n  a: {notebook: notebooks/a.ipynb}")
    builder.project.run("p")
    stage = attempts(builder.root)["a"]
    assert (stage.info.status, own(stage)) == ("FAILED", {"m": 1})


def test_the_first_run_of_a_project_shares_a_store_that_is_just_made(builder: ProjectBuilder) -> None:
    run(
        builder,
        "kernel",
        fork=True,
        **{f"s{at}": ["import mlflow\nmlflow.log_metric('m', 1)"] for at in range(3)},
    )
    assert [own(stage) for stage in attempts(builder.root).values()] == [{"m": 1}] * 3
    with contextlib.closing(sqlite3.connect(builder.root / "mlflow.db")) as database:
        assert database.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    assert client(builder.root).search_experiments()
