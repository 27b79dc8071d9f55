"""The calls to MLflow, and what comes of them. The only door to mlflow.

A record that MLflow refuses (`Refused`) is told from a run that is not there any more (`Gone`) and from a server or a
store with which something is wrong, which is any other error.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, SourceType
from mlflow.exceptions import MlflowException
from mlflow.utils import mlflow_tags

from stagebook.events import Status
from stagebook.system.mlflow_hook import STARTED_BY, is_held
from stagebook.system.tracking_uri import absolute, database, is_remote
from stagebook.tracking.datasets import DatasetEntry
from stagebook.tracking.outcomes import REFUSALS, BadReply, Gone, Refused
from stagebook.tracking.ownership import ROOT_TAG, own_artifacts
from stagebook.tracking.reasons import reason_of
from stagebook.tracking.values import MAX_PARAM, batches, fit, milliseconds, named, text

KEY = "stagebook.key"  # a tag of runs: the key of the run or attempt that they stand for
PARENT = mlflow_tags.MLFLOW_PARENT_RUN_ID
COMMIT = mlflow_tags.MLFLOW_GIT_COMMIT
SOURCE = mlflow_tags.MLFLOW_SOURCE_NAME
NOTE = mlflow_tags.MLFLOW_RUN_NOTE
USER = mlflow_tags.MLFLOW_USER
PROJECT = {mlflow_tags.MLFLOW_SOURCE_TYPE: SourceType.to_string(SourceType.PROJECT)}

_STATUS = {
    Status.COMPLETED: "FINISHED",
    Status.REUSED: "FINISHED",
    Status.SKIPPED: "FINISHED",
    Status.FAILED: "FAILED",
    Status.BLOCKED: "KILLED",
    Status.CANCELLED: "KILLED",
    Status.INTERRUPTED: "KILLED",
}
# Has MLflow's pages open on the table of runs, not on traces of language models.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
_NOT_DATA = (OSError, EOFError)  # what else went wrong than what was to be told
_PAGE = 1000
_METRICS, _TEXTS = 500, 40  # in a call, of which MLflow takes a megabyte


class Mlflow:
    """One store. `root` is the project root. `is_lenient`: what fails in a way that is not known is refused, if
    all is well with the store otherwise."""

    def __init__(self, uri: str, root: Path) -> None:
        self._uri = uri
        self._root = root
        self._file = database(uri)
        if self._file is not None and is_held(uri):
            _make_whole(self._file, root)
        self._client = MlflowClient(tracking_uri=uri)
        if self._file is not None:
            own_artifacts(self._client, root, self._file)
        self.models = Models(self, self._client)
        self._mark = self._stamp()
        self._began: dict[str, int] = {}  # of the runs that this process made: in milliseconds
        self._experiments: dict[str, str] = {}
        self.is_lenient = False

    # -- the store --------------------------------------------------------------------------------

    def is_replaced(self) -> bool:
        """Whether the file of the store is not the one that was opened: it was removed, or another is in its place."""
        return self._stamp() != self._mark

    def _stamp(self) -> tuple[int, int] | None:
        if self._file is None:
            return None
        try:
            found = self._file.stat()
        except OSError:
            return 0, 0
        return found.st_dev, found.st_ino

    def is_well(self) -> bool:
        """Whether a harmless record is taken: whatever fails beside it is the fault of the record."""
        try:
            for experiment in list(self._experiments.values()):
                self._client.set_experiment_tag(experiment, "stagebook.delivered", f"{time.time():.3f}")
            with tempfile.TemporaryDirectory(dir=self._root / ".stagebook") as folder:
                (Path(folder) / "probe").write_bytes(b"")  # the disk takes what is written, too
        except Exception:  # noqa: BLE001 - whatever it is, it is not well
            return False
        return bool(self._experiments)

    @contextlib.contextmanager
    def asked(self) -> Iterator[None]:
        """Around a call: its errors are told apart. Raises `Refused`, `Gone`, and what else MLflow raises."""
        try:
            yield
        except (Refused, Gone, BadReply):
            raise
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                raise Gone(reason_of(error, self._uri)) from error
            if error.error_code in REFUSALS or (self.is_lenient and self.is_well()):
                raise Refused(reason_of(error, self._uri)) from error
            raise
        except Exception as error:
            if not isinstance(error, _NOT_DATA) and self.is_lenient and self.is_well():
                raise Refused(reason_of(error, self._uri)) from error
            if isinstance(error, OverflowError | UnicodeEncodeError | RecursionError):
                raise Refused(reason_of(error, self._uri)) from error
            raise

    # -- experiments and runs ------------------------------------------------------------------------

    def forget(self) -> None:
        """Look for experiments anew."""
        self._experiments.clear()

    def experiment(self, title: str) -> str:
        """The id of an experiment; it is made, or restored, where that has to be."""
        if title not in self._experiments:
            with self.asked():
                found = self._client.get_experiment_by_name(title)
                if found is None:
                    tags = {**_EXPERIMENT_TAGS, **({ROOT_TAG: text(self._root)} if self._file else {})}
                    known = self._client.create_experiment(title, self._location(title), tags=tags)
                else:
                    known = found.experiment_id
                    if found.lifecycle_stage == "deleted":
                        self._client.restore_experiment(known)
                self._experiments[title] = _identified(known)
        return self._experiments[title]

    def _location(self, title: str) -> str | None:
        """Where an experiment keeps artifacts, as a URI: MLflow's own default is a path in which it takes `%`, `#`
        and `?` for something else. A server has its own."""
        if is_remote(self._uri) or os.environ.get("_MLFLOW_SERVER_ARTIFACT_ROOT"):
            return None
        return (self._root / "mlruns" / quote(title, safe="").replace("%", "~")).as_uri()

    def find(self, experiment: str, key: str) -> str | None:
        """The run of a key that a crash left without a note."""
        with self.asked():
            found = self._client.search_runs([experiment], f"tags.`stagebook.key` = '{key}'", max_results=1)
            return _identified(found[0].info.run_id) if found else None

    def create(self, experiment: str, name: str, at: float, tags: Mapping[str, Any]) -> str:
        """Make a run; its id."""
        marks = {key: text(value) for key, value in named(tags).items()}
        with self.asked():
            made = self._client.create_run(
                experiment, start_time=milliseconds(at), tags=marks, run_name=text(name, 250) or "-"
            )
            run = _identified(made.info.run_id)
            self._began[run] = milliseconds(at)
            return run

    def close(self, run: str, status: Status, at: float) -> None:
        """End a run; not before it began, though the clock was set back."""
        with self.asked():
            end = max(milliseconds(at), self._began.pop(run, 0))
            self._client.set_terminated(run, _STATUS[status], end_time=end)

    def children(self, experiment: str, run: str) -> list[tuple[str, Mapping[str, str]]]:
        """The runs below another one that have not ended, with their tags."""
        query = f"tags.`{PARENT}` = '{run}' and attributes.status = 'RUNNING'"
        return [(child.info.run_id, child.data.tags) for child in self._search([experiment], query)]

    def started_by(self, tag: str, prefix: str) -> list[tuple[str, Mapping[str, str]]]:
        """The runs of any experiment of which a tag begins with a text, with their tags."""
        experiments, page = [], None
        with self.asked():
            while True:
                found = self._client.search_experiments(max_results=_PAGE, page_token=page)
                experiments += [experiment.experiment_id for experiment in found]
                if not (page := found.token):
                    break
        runs = self._search(experiments, f"tags.`{tag}` LIKE '{prefix}%'")
        return [(run.info.run_id, run.data.tags) for run in runs]

    def _search(self, experiments: list[str], query: str) -> list[Any]:
        runs, page = [], None
        with self.asked():
            while True:
                found = self._client.search_runs(experiments, query, max_results=_PAGE, page_token=page)
                runs += found
                if not (page := found.token):
                    return runs

    def run(self, run: str) -> RunContents:
        """What a run holds."""
        return RunContents(self, self._client, run)


class Models:
    """The registry of models of a store."""

    def __init__(self, mlflow: Mlflow, client: Any) -> None:
        self._mlflow = mlflow
        self._client = client

    def of(self, keys: set[str]) -> dict[str, int]:
        """The registered models that come from attempts with these keys, or from runs that their notebooks started, by name,
        with their versions: of several of a model the latest."""
        with self._mlflow.asked():
            if not self._client.search_registered_models(max_results=1):
                return {}
        found: dict[str, int] = {}
        for prefix in {key.partition("/")[0] for key in keys}:
            for tag in (KEY, STARTED_BY):
                for run, tags in self._mlflow.started_by(tag, f"{prefix}/"):
                    if tags.get(tag) in keys:
                        for name, version in self._models_of(run):
                            found[name] = max(version, found.get(name, 0))
        return found

    def give_alias(self, alias: str, models: Mapping[str, int]) -> None:
        """Give an alias to versions of registered models."""
        with self._mlflow.asked():
            for name, version in models.items():
                self._client.set_registered_model_alias(name, alias, str(version))

    def _models_of(self, run: str) -> list[tuple[str, int]]:
        """The registered models that come from a run, with their versions."""
        with self._mlflow.asked():
            models = self._client.search_model_versions(f"run_id = '{run}'", max_results=_PAGE)
            return [(model.name, int(model.version)) for model in models]


class RunContents:
    """What a run holds: values, datasets, artifacts."""

    def __init__(self, mlflow: Mlflow, client: Any, run: str) -> None:
        self._mlflow = mlflow
        self._client = client
        self._run = run

    def log(
        self,
        *,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """Log values. What the run has of another value of a parameter already stays as it is, and ours goes into a
        tag. Of a batch that is refused the items are logged one by one; those that are refused, with the reasons."""
        given = [Param(key, text(value, MAX_PARAM)) for key, value in named(params or {}).items()]
        marks = [RunTag(key, text(value)) for key, value in named(tags or {}).items()]
        if len(metrics) <= _METRICS and len(given) <= _TEXTS and len(marks) <= _TEXTS:
            try:
                self._batch(metrics=metrics, params=given, tags=marks)
            except Refused:
                pass
            else:
                return []
        given, differing = self._without_theirs(given)
        refused: list[str] = []
        for group in batches(metrics, _METRICS):
            refused += _one_by_one(group, lambda items: self._batch(metrics=items))
        for texts in batches(given, _TEXTS):
            refused += _one_by_one(texts, lambda items: self._batch(params=items))
        for texts in batches([*marks, *differing], _TEXTS):
            refused += _one_by_one(texts, lambda items: self._batch(tags=items))
        return refused

    def _without_theirs(self, params: Sequence[Param]) -> tuple[list[Param], list[RunTag]]:
        """Those parameters of which the run has no other value, and tags for the others."""
        if not params:
            return [], []
        with self._mlflow.asked():
            theirs = self._client.get_run(self._run).data.params
        differing = [param for param in params if theirs.get(param.key, param.value) != param.value]
        tags = [RunTag(fit(f"stagebook.param.{param.key}"), text(param.value)) for param in differing]
        return [param for param in params if param not in differing], tags

    def _batch(
        self, *, metrics: Sequence[Metric] = (), params: Sequence[Param] = (), tags: Sequence[RunTag] = ()
    ) -> None:
        if metrics or params or tags:
            with self._mlflow.asked():
                self._client.log_batch(self._run, list(metrics), list(params), list(tags))

    def inputs(self, entries: Sequence[DatasetEntry]) -> list[str]:
        """Log datasets that the run read or wrote; what is refused."""
        datasets = [_Keyed(entry.name, _dataset(entry)) for entry in entries]
        refused = []
        for group in batches(datasets, 100):
            refused += _one_by_one(group, self._log_inputs)
        return refused

    def _log_inputs(self, datasets: Sequence[_Keyed]) -> None:
        with self._mlflow.asked():
            self._client.log_inputs(self._run, [item.value for item in datasets])

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Log a file, or the files of a folder, in a folder of the run's artifacts."""
        with self._mlflow.asked():
            if path.is_dir():
                self._client.log_artifacts(self._run, str(path), folder)
            else:
                self._client.log_artifact(self._run, str(path), folder)

    def document(self, data: Mapping[str, Any], file: str) -> None:
        """Log plain data as a file."""
        with self._mlflow.asked():
            self._client.log_dict(self._run, dict(data), file)


def _one_by_one(items: Sequence[Any], log: Callable[[Sequence[Any]], None]) -> list[str]:
    """Log all but the items that are refused; these, with the reasons."""
    try:
        log(items)
    except Refused as error:
        if len(items) == 1:
            return [f"{items[0].key}: {error}"]
        half = len(items) // 2
        return [*_one_by_one(items[:half], log), *_one_by_one(items[half:], log)]
    return []


class _Keyed:
    """Something with a name, as metrics, parameters and tags are."""

    def __init__(self, key: str, value: Any) -> None:
        self.key = key
        self.value = value


def open_store(uri: str) -> None:
    """Open a store that is there, ahead of its use: MLflow keeps it open."""
    MlflowClient(tracking_uri=uri)


def _make_whole(file: Path, root: Path) -> None:
    """Make a new store beside its place, and put it there once it is complete: MLflow makes its tables one by one, and
    a second process that sees some of them fails."""
    new = root / ".stagebook" / "mlflow.db.new"
    new.unlink(missing_ok=True)
    client = MlflowClient(tracking_uri=absolute("sqlite:///.stagebook/mlflow.db.new", root))
    client.search_experiments(max_results=1)
    client._tracking_client.store.engine.dispose()  # noqa: SLF001 - MLflow has no public way to close it
    with contextlib.suppress(OSError):  # another disk: MLflow makes it in its place
        if file.stat().st_size == 0:
            new.replace(file)
    new.unlink(missing_ok=True)


def metric(key: str, value: float, at: float, step: int = 0) -> Metric:
    """A metric; `at` is in seconds."""
    return Metric(key, value, milliseconds(at), step)


def _dataset(entry: DatasetEntry) -> DatasetInput:
    source = re.sub(r'["\\\x00-\x1f]', "_", text(entry.path, 2000))
    tags = [InputTag("mlflow.data.context", entry.role)]
    if entry.contract:
        tags.append(InputTag("stagebook.contract", text(entry.contract, 500)))
    return DatasetInput(
        Dataset(
            name=text(entry.name, 500),
            digest=entry.digest,
            source_type="local",
            source=f'{{"uri": "{source}"}}',
            schema=entry.schema,
            profile=entry.profile,
        ),
        tags,
    )


def _identified(found: Any) -> str:
    if not isinstance(found, str) or not found:
        raise BadReply("what answers is no MLflow: its reply has no id")
    return found
