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
from tracked import client

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("default"),
]

FORKED = ("kernel", "inprocess") if IS_FULL else ("kernel",)
UNFORKED = tuple(f"{executor}, unforked" for executor in FORKED)
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
    "raced": [
        """
        import mlflow
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
        create = SqlAlchemyStore.create_experiment
        def create_late(store, *args, **kwargs):
            create(store, *args, **kwargs)  # as another process that is a moment faster
            return create(store, *args, **kwargs)
        SqlAlchemyStore.create_experiment = create_late
        """,
        """
        import os
        chosen = mlflow.set_experiment(f"raced {os.getpid()}")
        with mlflow.start_run() as run:
            assert run.info.experiment_id == chosen.experiment_id
        """,
    ],
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
OF_ONE_WAY: dict[str, Any] = {
    "starts": [
        "import subprocess, sys",
        """
        for words in (["explicit", "1"], ["implied", "2"], ["implied", "3"]):
            subprocess.run([sys.executable, "train.py", *words], check=True)
        """,
    ],
    "starts_mine": [
        "import mlflow, subprocess, sys\nmlflow.set_experiment('mine')",
        "subprocess.run([sys.executable, 'train.py', 'explicit', '5'], check=True)",
    ],
    "dies": ["import mlflow\nmlflow.log_metric('m', 1)", "import os\nos._exit(1)"],
}
FILES = {
    "helper.py": "import mlflow\n\ndef log(name, value):\n    mlflow.log_metric(name, value)\n",
    "train.py": """\
import sys, mlflow
if sys.argv[1] == "explicit":
    mlflow.start_run(run_name="sub")
mlflow.log_param("lr", sys.argv[2])
""",
}


def run_all(builder: ProjectBuilder, *, fork: bool) -> None:
    """Run the notebooks with both executors, a stage `NAME_EXECUTOR` for each."""
    builder.file("stagebook.toml", f"[run]\nfork = {str(fork).lower()}\njobs = 2\n")
    for path, text in FILES.items():
        builder.file(path, text)
    names = NOTEBOOKS if fork or IS_FULL else ("chosen", "helper")
    chosen = [(name, executor, NOTEBOOKS[name]) for name in names for executor in FORKED]
    chosen += [(name, "kernel", cells) for name, cells in OF_ONE_WAY.items() if fork]
    stages = ""
    for name, executor, notebook in chosen:
        params, cells = notebook if isinstance(notebook, tuple) else (None, notebook)
        stage = f"{name}_{executor}"
        # Those who make runs in a store of their own have one each.
        sources = (textwrap.dedent(cell).replace(".db'", f"_{executor}.db'") for cell in cells)
        builder.notebook(stage, *sources, params=params)
        passed = f", params: {PARAMS[name]}" if name in PARAMS else ""
        stages += f"  {stage}: {{notebook: notebooks/{stage}.ipynb, executor: {executor}{passed}}}\n"
    builder.pipeline(f"stages:\n{stages}")
    report = builder.project.run("p", keep_going=True)
    failed = {
        stage.id: (stage.message, stage.traceback)
        for stage in report.history.stages.values()
        if stage.status is not Status.COMPLETED
    }
    assert list(failed) == (["dies_kernel"] if fork else []), failed
    assert report.undelivered == 0


class Executed:
    """The stages of one way: the project, and the names of stages."""

    def __init__(self, root: Path, executor: str) -> None:
        self.root = root
        self.executor = executor

    def attempts(self) -> dict[str, Run]:
        """The runs of attempts, by notebook."""
        ending = f"_{self.executor}"
        return {
            name.removesuffix(ending): run
            for name, run in attempts(self.root).items()
            if name.endswith(ending)
        }

    def started_by(self, notebook: str, experiment: str = "p") -> list[Run]:
        """The runs that a notebook started itself."""
        return started_by(self.root, f"{notebook}_{self.executor}", experiment)


@pytest.fixture(scope="module")
def execute(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Callable[[str], Executed]:
    """All notebooks, executed in a way; in one run for all tests and both executors."""

    @functools.cache
    def project(*, fork: bool) -> Path:
        builder = ProjectBuilder(tmp_path_factory.mktemp("project"))
        for name in ("own_kernel", "own_inprocess", "other_kernel", "other_inprocess"):
            # To make one takes as long as three notebooks.
            shutil.copyfile(empty_store, builder.root / f"{name}.db")
        with contextlib.closing(builder), pytest.MonkeyPatch.context() as patch:
            patch.chdir(builder.root)
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            patch.setenv("MLFLOW_RUN_ID", "of-a-run-around-this-one")
            patch.setenv("MLFLOW_EXPERIMENT_ID", "77")
            run_all(builder, fork=fork)
        return builder.root

    def find(way: str) -> Executed:
        executor, _, unforked = way.partition(", ")
        return Executed(project(fork=not unforked), executor)

    return find


Execute = Callable[[str], Executed]


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
@pytest.mark.long
def test_runs_that_a_notebook_starts_are_its_own_where_it_says(execute: Execute, way: str) -> None:
    """mlflow_set_experiment, mlflow-set-experiment"""
    done = execute(way)
    stages = done.attempts()
    assert {name: run.info.run_name for name, run in stages.items()} == {
        name: f"{name}_{done.executor}" for name in stages
    }
    first, second = done.started_by("chosen", "models")
    assert [first.info.run_name, second.info.run_name] == ["first", "second"]
    assert (first.data.params, own(first)) == ({"model": "first"}, {"auc": 0.5})
    assert {item.data.tags["mlflow.parentRunId"] for item in (first, second)} == {
        stages["chosen"].info.run_id
    }
    assert {item.info.status for item in (first, second)} == {"FINISHED"}
    assert own(stages["helper"]) == {"m": 1, "n": 2}


@EACH_WAY
@pytest.mark.long
def test_only_what_is_logged_without_a_run_goes_to_the_attempt(execute: Execute, way: str) -> None:
    """mlflow_set_experiment"""
    done = execute(way)
    stages = done.attempts()
    own_store, other_store = f"own_{done.executor}.db", f"other_{done.executor}.db"
    plain = done.started_by("plain")
    assert [item.info.run_name for item in plain] == ["first", "second"]
    assert {item.data.tags["mlflow.parentRunId"] for item in plain} == {stages["plain"].info.run_id}
    assert own(stages["plain"]) == {"summary": 2}, "logged without a run"

    outer, *inner = runs(done.root, "own", own_store)
    assert "mlflow.parentRunId" not in outer.data.tags, "the attempt is in another store"
    assert [(item.info.run_name, own(item)) for item in inner] == [("in0", {"auc": 0}), ("in1", {"auc": 1})]
    assert {item.data.tags["mlflow.parentRunId"] for item in inner} == {outer.info.run_id}
    assert runs(done.root, "p", own_store) == []
    assert [own(item) for item in runs(done.root, "Default", other_store)] == [{"m": 1}, {"n": 2}]
    assert runs(done.root, "p", other_store) == [], "no experiment of that name in another store"

    (bound,) = done.started_by("bound")
    assert own(bound) == {"m": 3}
    assert own(stages["bound"]) == {}


@EACH_WAY
@pytest.mark.long
def test_autologging_without_a_run_goes_to_the_run_of_the_attempt(execute: Execute, way: str) -> None:
    """mlflow-autolog-params-lost; `auto` of mlflow_set_experiment"""
    done = execute(way)
    stages = done.attempts()
    implied = stages["implied"].data.params
    assert len(implied) >= 14
    assert (implied["C"], implied["random_state"]) == ("2.0", "None")
    assert own(stages["implied"])["after"] == 1, "beside what was fitted"
    assert done.started_by("implied") == []
    assert stages["twice"].data.params["C"] == "1.0"
    (second,) = done.started_by("twice")
    assert second.data.params["C"] == "2.0"
    assert second.data.tags["mlflow.parentRunId"] == stages["twice"].info.run_id
    for name, experiment in (("explicit", "auto"), ("named", "named")):
        (made,) = done.started_by(name, experiment)
        assert len(made.data.params) >= 14
        assert made.data.tags["mlflow.parentRunId"] == stages[name].info.run_id
        assert stages[name].data.params == {}


@EACH_WAY
@pytest.mark.long
def test_parameters_of_the_notebook_come_before_those_of_the_stage(execute: Execute, way: str) -> None:
    """mlflow-log-own-params, mlflow-log-changed-param"""
    stages = execute(way).attempts()
    expected = {"flag": "False", "names": "['c', 'd']", "opt": "None", "d": "{'b': 2}", "lr": "0.2", "n": "3"}
    assert stages["own"].data.params == expected
    assert stages["changed"].data.params == {"n": "8", "x": "y"}
    assert stages["changed"].data.tags["stagebook.param.n"] == "4"


@EACH_WAY
def test_the_store_is_the_same_from_any_folder(execute: Execute, way: str) -> None:
    """mlflow-chdir"""
    done = execute(way)
    assert own(done.attempts()["below"]) == {"m": 1}
    assert [path for path in done.root.rglob("mlflow.db") if path.parent != done.root] == []


def test_processes_that_a_notebook_starts_have_runs_of_their_own_below_the_attempt(execute: Execute) -> None:
    done = execute("kernel")
    stage = done.attempts()["starts"]
    own_runs = done.started_by("starts")
    made = [*own_runs, stage]
    assert sorted(item.data.params["lr"] for item in made if item.data.params) == ["1", "2", "3"]
    assert {item.data.tags["mlflow.parentRunId"] for item in own_runs} == {stage.info.run_id}
    (mine,) = done.started_by("starts_mine", "mine")
    assert mine.data.params == {"lr": "5"}


def test_a_kernel_that_dies_leaves_the_attempt_failed(execute: Execute) -> None:
    stage = execute("kernel").attempts()["dies"]
    assert (stage.info.status, own(stage)) == ("FAILED", {"m": 1})


def test_the_first_run_of_a_project_shares_a_store_that_is_just_made(execute: Execute) -> None:
    root = execute("kernel").root
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as database:
        assert database.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    assert client(root).search_experiments()
