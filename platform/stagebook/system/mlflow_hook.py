"""MLflow as the cells of a stage see it: what they log without a run of their own goes to the run of the attempt.

A notebook behaves as it does alone. Runs that it starts are its own, in the experiment and the store that it names;
in Stagebook's store they get the run of the attempt as their parent. MLflow's own means for this, `MLFLOW_RUN_ID`,
would be taken by the first `start_run`, whoever calls it, and make it fail after `set_experiment`.

This module runs in the process of the cells, from before the first one, under whatever interpreter that has, so it
imports nothing of Stagebook, and MLflow only where the notebook does. In processes that a notebook starts MLflow loads
it by itself, as the plugin `mlflow.run_context_provider` that Stagebook's package declares.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import sys
import threading
import time
from importlib.machinery import ModuleSpec, SourceFileLoader
from typing import Any
from urllib.parse import unquote

VARIABLE = "STAGEBOOK_MLFLOW"
STARTED_BY = "stagebook.started_by"  # a tag of runs that a notebook started: the key of its attempt
PATIENCE = 20.0  # seconds that the run of the attempt may take to be made
# Seconds that a new store may take. It is put in the place of what is there: what was logged before would be lost.
STORE_PATIENCE = 120.0

_NAME, _ID, _RUN = "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID"
_CONTEXT = "MLFLOW_RUN_CONTEXT"  # tags for the runs that a process starts, also one without this module
FOREIGN = frozenset({_ID, _RUN})  # of a run around Stagebook: not for notebooks
_FLUENT = "mlflow.tracking.fluent"
_AUTOLOGGING = "mlflow.utils.autologging_utils.safety"


def variables(uri: str, experiment: str, key: str, claim: str, context: str = "") -> dict[str, str]:
    """The environment of an attempt: where MLflow keeps the runs of its pipeline. `key` is the attempt's, and `claim` a
    file that the first process to log into its run makes; `context` is `MLFLOW_RUN_CONTEXT` as it was before."""
    asked = {"store": _digest(uri), "experiment": experiment, "key": key, "claim": claim}
    tags: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        found = json.loads(context or "{}")
        tags = found if isinstance(found, dict) else {}
    return {
        "MLFLOW_TRACKING_URI": uri,
        _NAME: experiment,
        _CONTEXT: json.dumps({**tags, STARTED_BY: key}),
        VARIABLE: json.dumps(asked),
    }


def _digest(uri: str) -> str:
    # A URI may hold a password.
    return hashlib.sha256(uri.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def is_held(uri: str) -> bool:
    """Whether a local store is being made, which one process alone may do: an empty file holds its place."""
    if not uri.startswith("sqlite:////"):
        return False
    path = uri[len("sqlite:///") :].partition("?")[0]
    for name in (path, unquote(path)):  # SQLAlchemy knows escapes since 2.1
        with contextlib.suppress(OSError):
            return os.stat(name).st_size == 0
    return False


def begin() -> None:
    """From here on MLflow in this process knows the run of the attempt, if its environment names one."""
    if any(getattr(finder, "of_stagebook_for_mlflow", False) for finder in sys.meta_path):
        return  # perhaps by this module under another name
    with contextlib.suppress(Exception):  # the notebook runs in any case
        asked = json.loads(os.environ.get(VARIABLE) or "null")
        if asked:
            finder = _Finder(_Runs(asked))
            sys.meta_path.insert(0, finder)
            finder.look()


class Provider:
    """The plugin: MLflow makes one when it is imported in a process of an attempt, and asks it for nothing more."""

    def __init__(self) -> None:
        begin()

    def in_context(self) -> bool:
        """`False`: it has no tags to give."""
        return False

    def tags(self) -> dict[str, str]:
        """No tags."""
        return {}


class _Finder:
    """A finder of `sys.meta_path` that finds nothing itself: it has MLflow changed once that is imported."""

    of_stagebook_for_mlflow = True

    def __init__(self, runs: _Runs) -> None:
        self._runs = runs
        self._done = False

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """What the next finder that knows the module returns; of `mlflow.tracking.fluent` alone."""
        if self._done:
            return None
        self.look()
        if name != _FLUENT:
            return None
        for finder in sys.meta_path:
            if finder is not self and hasattr(finder, "find_spec"):
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    self._prepare(spec)
                    return spec
        return None

    def _prepare(self, spec: ModuleSpec) -> None:
        loader: Any = spec.loader
        if type(loader) is not SourceFileLoader:
            return  # it is found complete a moment later, by `look`

        def exec_module(module: Any) -> None:
            vars(loader).pop("exec_module", None)
            loader.exec_module(module)
            self._change(module)

        vars(loader)["exec_module"] = exec_module

    def look(self) -> None:
        """Change MLflow if it is there, and complete."""
        module = sys.modules.get(_FLUENT)
        if module is not None and not getattr(module.__spec__, "_initializing", False):
            self._change(module)

    def _change(self, fluent: Any) -> None:
        if not self._done:
            self._done = True
            with contextlib.suppress(Exception):  # another MLflow than those that are known stays as it is
                self._runs.attach(fluent)


class _Runs:
    """The runs of one process: which of them is that of the attempt."""

    def __init__(self, asked: Any) -> None:
        self._store: str = asked["store"]
        self._experiment: str = asked["experiment"]
        self._key: str = asked["key"]
        self._claim: str = asked["claim"]
        self._fluent: Any = None
        self._id: str | None = None
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._state = (
            "free"  # the run of the attempt: free, taken (`plain` or `managed`), or used by another process
        )

    def attach(self, fluent: Any) -> None:
        """Change `mlflow.tracking.fluent`."""
        _wait_for_store()
        start, experiment, choose = fluent.start_run, fluent._get_experiment_id, fluent.set_experiment  # noqa: SLF001 - MLflow has no public way
        self._fluent = fluent

        @functools.wraps(start)
        def start_run(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True  # IPython leaves this frame out
            implied = None if args or kwargs.keys() - {"tags"} else _implied(sys._getframe(1))  # noqa: SLF001
            run = self._take(implied) if implied else None
            return start(run_id=run, **kwargs) if run else start(*args, **kwargs)

        @functools.wraps(experiment)
        def get_experiment_id() -> Any:
            if os.environ.get(_NAME) != self._experiment or self._is_our_store():
                return experiment()
            del os.environ[_NAME]  # it is none of that store
            try:
                return experiment()
            finally:
                os.environ.setdefault(_NAME, self._experiment)

        @functools.wraps(choose)
        def set_experiment(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            chosen = choose(*args, **kwargs)
            if not self._is_chosen(chosen):
                # Another process made the experiment at this moment; MLflow 3.17 returns it then and chooses none.
                chosen = choose(*args, **kwargs)
            if os.environ.get(_NAME) == self._experiment:
                # MLflow has set the id for processes that are started from here on, and demands that they agree.
                del os.environ[_NAME]
            return chosen

        changed = {
            "start_run": start_run,
            "set_experiment": set_experiment,
            "_get_experiment_id": get_experiment_id,
        }
        for name, made in changed.items():
            before = getattr(fluent, name)
            for module in (fluent, sys.modules["mlflow"]):
                if getattr(module, name, None) is before:
                    setattr(module, name, made)
        registry = fluent.context_registry._run_context_provider_registry  # noqa: SLF001
        registry.register(lambda: _Parent(self))

    def parent(self) -> str | None:
        """The run of the attempt, for the runs that the notebook starts, if it is there by now. What delivers to MLflow
        adds the tag where it is not."""
        with contextlib.suppress(Exception):  # MLflow tells what is wrong with the store in its own words
            return self._find(0.0) if self._is_our_store() else None
        return None

    def _is_our_store(self) -> bool:
        return _digest(str(sys.modules["mlflow.tracking"].get_tracking_uri())) == self._store

    def _is_our_experiment(self) -> bool:
        chosen = self._fluent._active_experiment_id or os.environ.get(_ID)  # noqa: SLF001
        if not chosen:
            return os.environ.get(_NAME) == self._experiment
        return bool(self._fluent.MlflowClient().get_experiment(chosen).name == self._experiment)

    def _is_chosen(self, experiment: Any) -> bool:
        return experiment is None or self._fluent._active_experiment_id == experiment.experiment_id  # noqa: SLF001

    def _take(self, implied: str) -> str | None:
        """The run of the attempt, for what is logged without a run, `plain` or by autologging (`managed`). `None`
        where it is none of these, was used before, or is not there."""
        with self._lock:
            try:
                if os.environ.get(_RUN) or not (self._is_our_store() and self._is_our_experiment()):
                    return None
                if not self._may_take(implied):
                    return None
                return self._find(PATIENCE)
            except Exception:  # noqa: BLE001 - MLflow tells what is wrong with the store in its own words
                return None

    def _may_take(self, implied: str) -> bool:
        if self._state == "free":
            self._state = implied if self._is_first() else "used"
            return self._state == implied
        if self._state == "managed" and implied == "plain" and os.getpid() == self._owner:
            self._state = "plain"  # what is logged after a model was fitted belongs to it
            return True
        return False

    def _is_first(self) -> bool:
        """Whether no other process of the attempt logs into its run: as on its own, each has a run."""
        self._owner = os.getpid()
        try:
            os.close(os.open(self._claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        except OSError:
            pass  # a read-only disk: nobody can tell
        return True

    def _find(self, patience: float) -> str | None:
        """The id of the run of the attempt; what delivers to MLflow makes it."""
        limit = time.monotonic() + patience
        while self._id is None:
            self._id = self._look_up()
            if self._id is not None or time.monotonic() >= limit:
                break
            time.sleep(0.05)
        return self._id

    def _look_up(self) -> str | None:
        client = self._fluent.MlflowClient()
        experiment = client.get_experiment_by_name(self._experiment)
        if experiment is None:
            return None
        query = f"tags.`stagebook.key` = '{self._key}'"
        found = client.search_runs([experiment.experiment_id], query, max_results=1)
        return str(found[0].info.run_id) if found else None


def _wait_for_store() -> None:
    limit = time.monotonic() + STORE_PATIENCE
    while is_held(os.environ.get("MLFLOW_TRACKING_URI", "")) and time.monotonic() < limit:
        time.sleep(0.05)


class _Parent:
    """A provider of tags (`mlflow.tracking.context`): the run of the attempt is the parent of what is started."""

    def __init__(self, runs: _Runs) -> None:
        self._runs = runs

    def in_context(self) -> bool:
        """`True`: `tags` tells."""
        return True

    def tags(self) -> dict[str, str]:
        """The tag, if the run starts in the store of the attempt."""
        run = self._runs.parent()
        return {"mlflow.parentRunId": run} if run else {}


def _implied(caller: Any) -> str | None:
    """How MLflow itself starts a run: `plain` since something is logged without one, `managed` for autologging."""
    module = caller.f_globals.get("__name__")
    if module == _FLUENT and caller.f_code.co_name == "_get_or_start_run":
        return "plain"
    return "managed" if module == _AUTOLOGGING else None
