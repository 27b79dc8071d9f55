"""Executing one notebook: papermill with an engine of ours. The only door to papermill.

papermill reads and parameterizes the notebook; the session runs the cells and keeps the statuses.
papermill's own bookkeeping is not used, since it marks every cell as completed after a kernel
death or a timeout, and saves the whole notebook twice a cell.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from stagebook.errors import StageFailure
from stagebook.events import Cause
from stagebook.execution.attempt import WORKER_LOG_FILE, Attempt, AttemptResult
from stagebook.execution.fork.client import ADDRESS
from stagebook.execution.kernels.executor import Executor, Surroundings
from stagebook.execution.kernels.inprocess import InprocessExecutor
from stagebook.execution.kernels.kernel import KernelExecutor
from stagebook.execution.kernels.recording import Sink
from stagebook.execution.worker.live import Emit
from stagebook.execution.worker.metadata import new_node
from stagebook.execution.worker.outputs import passed
from stagebook.execution.worker.session import Session, Stop
from stagebook.pipeline.notebook_file import NotebookUnreadable, language_of, parse_notebook, read_bytes
from stagebook.pipeline.types import ANY, typed
from stagebook.system.logins import Redaction

# What papermill reads notebooks from other places with, where it is installed. Nothing here does, and pyarrow alone
# takes as long to import as all the rest.
_FOR_OTHER_PLACES = ("pyarrow", "boto3", "azure", "gcsfs", "github")


@contextlib.contextmanager
def _for_this_module_alone() -> Iterator[None]:
    """What is imported of papermill is without its parts for other places, and without the engines that are installed:
    ploomber-engine's imports matplotlib. It is this module's own: a notebook, whose process is forked from one
    that imported this, imports papermill anew."""
    import entrypoints  # noqa: PLC0415

    offered = entrypoints.get_group_all
    entrypoints.get_group_all = lambda *_args, **_kwargs: []
    others = _taken_out("papermill")
    hidden = [name for name in _FOR_OTHER_PLACES if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # `None`: an import of it fails
    try:
        yield
    finally:
        entrypoints.get_group_all = offered
        _taken_out("papermill")
        for name in hidden:
            sys.modules.pop(name, None)
        sys.modules.update(others)


def _taken_out(package: str) -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] == package]
    return {name: sys.modules.pop(name) for name in names}


with _for_this_module_alone():
    import papermill.engines
    import papermill.execute
    import papermill.translators

import nbformat  # noqa: E402
from nbformat import NotebookNode  # noqa: E402

ENGINE = "stagebook"


def execute(
    attempt: Attempt, env: Mapping[str, str], emit: Emit, stop: Stop, redacted: Redaction
) -> tuple[AttemptResult, Sequence[NotebookNode]]:
    """Execute the notebook of an attempt, with `env` as the environment of its cells: what became of it, and
    its executed cells. Never raises for what the notebook does. All that is kept is `redacted`.

    Events of cells go to `emit`; `stop` ends it early. The executed notebook is in the attempt's folder
    whatever happened, with true statuses.
    """
    where = Surroundings(
        cwd=os.path.normpath(os.path.join(attempt.root, attempt.workdir)),
        env=env,
        fork_address=os.environ.get(ADDRESS, ""),
        may_outlive=attempt.keep_kernel,
        log=str(Path(attempt.folder) / WORKER_LOG_FILE),
    )

    def make_executor(notebook: NotebookNode, kernel: str, sink: Sink) -> Executor:
        if attempt.executor == "inprocess":
            return InprocessExecutor(notebook, sink, where)
        return KernelExecutor(notebook, kernel, sink, where)

    session = Session(attempt, emit, stop, make_executor, redacted)
    source = Path(attempt.root) / attempt.executable
    try:
        notebook = to_node(parse_notebook(read_bytes(source)), attempt.kernel)
    except NotebookUnreadable as error:
        message = f"'{attempt.notebook}' {error}"
        return AttemptResult(cause=Cause.NOTEBOOK, message=message), ()
    parameters = {
        name: typed(attempt.types.get(name, ANY), value, literal) for name, value in passed(attempt).items()
    }
    cause, message = None, ""
    try:
        _execute_papermill(notebook, session, parameters, kernel_name=attempt.kernel)
    except StageFailure as error:
        cause, message = Cause(error.cause), error.message
    except Exception as error:  # whatever papermill raises, logged and told as a fault of ours
        logging.getLogger(__name__).exception("the notebook could not be executed")
        cause, message = Cause.INTERNAL, f"{type(error).__name__}: {error}"
    return session.result(cause, message), session.notebook.cells if session.notebook else ()


def to_node(data: dict[str, Any], kernel: str | None) -> NotebookNode:
    """A notebook of `parse_notebook` as papermill takes it, with all that the format wants of a kernel."""
    metadata, language = data["metadata"], language_of(data)
    spec = metadata.setdefault("kernelspec", {})
    if kernel is not None and kernel != spec.get("name"):
        spec.clear()  # what it says is about another kernel
    spec.setdefault("name", kernel or "python3")
    spec.setdefault("display_name", spec["name"])
    spec.setdefault("language", language)
    metadata.setdefault("language_info", {"name": language})
    made: NotebookNode = nbformat.v4.to_notebook_json(data)  # type: ignore[no-untyped-call]
    return made


def _execute_papermill(
    notebook: NotebookNode, session: Any, parameters: dict[str, Any], **options: Any
) -> None:
    papermill.execute.execute_notebook(
        notebook,
        None,
        parameters=parameters,
        engine_name=ENGINE,
        progress_bar=False,
        session=session,
        **options,
    )


MINORS = (5, 4)  # versions of the notebook format that are in use


def warm_up(minor: int) -> None:
    """Execute an empty notebook of version 4.`minor` of the format. The first one of a version compiles its
    schema, which takes a twentieth of a second."""
    metadata = {"kernelspec": {"name": "python3"}, "language_info": {"name": "python"}}
    empty = {"nbformat": 4, "nbformat_minor": minor, "metadata": metadata, "cells": []}
    notebook = nbformat.reads(json.dumps(empty), as_version=4)  # type: ignore[no-untyped-call]
    _execute_papermill(notebook, _Nothing(), {})


class _Nothing:
    """A session that runs nothing."""

    def execute(self, *_: Any) -> None:
        """Run nothing."""


class _Literal(str):
    """A text that is injected as an expression, such as a date; in metadata it stays the text."""

    __slots__ = ("code",)
    code: str


class PythonTranslator(papermill.translators.PythonTranslator):  # type: ignore[misc]
    """Injects values exactly: text through `repr`, and dates and paths as such."""

    @classmethod
    def translate_str(cls, val: str) -> str:
        """Text, or the expression that a `_Literal` stands for."""
        return val.code if isinstance(val, _Literal) else repr(str(val))


papermill.translators.papermill_translators.register("python", PythonTranslator)

_CODE = {
    "date": "__import__('datetime').date.fromisoformat({!r})",
    "datetime": "__import__('datetime').datetime.fromisoformat({!r})",
    "Path": "__import__('pathlib').Path({!r})",
}


def literal(kind: str, text: str) -> _Literal:
    """The text of a date or path, which is injected as that."""
    literal = _Literal(text)
    literal.code = _CODE[kind].format(text)
    return literal


class _Engine(papermill.engines.Engine):  # type: ignore[misc]
    """What papermill calls once it has put the parameters in."""

    @classmethod
    def execute_notebook(cls, nb: NotebookNode, kernel_name: str, **kwargs: Any) -> NotebookNode:
        """Hand the notebook to the session. What goes back is empty: papermill would look through
        it for errors, and take those of cells tagged `raises-exception` for failures."""
        kwargs["session"].execute(nb, kernel_name)
        return new_node(nbformat=4, nbformat_minor=5, metadata={}, cells=[])


papermill.engines.papermill_engines.register(ENGINE, _Engine)
