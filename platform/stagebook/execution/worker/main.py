"""The process that executes one attempt, for every engine (`python -m stagebook.execution.worker ATTEMPT_FILE`).

The process reads the attempt from a file, writes what happens as JSON lines to its standard output
(`messages`) and the result to `result.json` too, and ends with an exit code: 0 completed, 1 the stage failed,
75 something of the platform or the machine failed. It ends with its parent, and ends all of its processes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from stagebook.connections.connection import PROJECT
from stagebook.errors import SecretUnavailable, StageFailure
from stagebook.events import AttemptEvent, Cause
from stagebook.execution.attempt import MARKER, RESULT_FILE, Attempt, AttemptResult
from stagebook.execution.file_access.hooks import ROOT as REPORT_ROOT
from stagebook.execution.file_access.hooks import VARIABLE as REPORT_TO
from stagebook.execution.file_access.report import REPORT_FILE, read_report
from stagebook.execution.fork.client import ADDRESS, LIFELINE, SOCKETS, tie_to_lifeline
from stagebook.execution.kernels import program_cell
from stagebook.execution.messages import Message, to_line
from stagebook.execution.worker import outputs
from stagebook.execution.worker.audited import Audited
from stagebook.execution.worker.documents import write_documents
from stagebook.execution.worker.masking import mask_files
from stagebook.execution.worker.papermill_engine import execute
from stagebook.execution.worker.scraps import read_scraps
from stagebook.execution.worker.session import Stop
from stagebook.system import mlflow_hook, processes
from stagebook.system.blobs import BlobDamaged
from stagebook.system.files import write_whole
from stagebook.system.logins import Redaction
from stagebook.system.secret_sources import fill, read_all, without_secrets

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_PLATFORM = 75  # EX_TEMPFAIL of sysexits.h
# Of the environment; not for notebooks. With pytest's variable ipykernel would not read what child
# processes print.
_OWN = {ADDRESS, LIFELINE, SOCKETS, REPORT_TO, REPORT_ROOT, "STAGEBOOK_PARENT", "PYTEST_CURRENT_TEST"}
_OURS = {Cause.KERNEL_START, Cause.DISK, Cause.INTERNAL, Cause.PUBLICATION}


def main(attempt_file: str) -> int:
    """Execute the attempt that the file describes; the exit code."""
    events = _take_stdout()
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.request(Cause.CANCELLED))
    attempt = Attempt.from_json(json.loads(Path(attempt_file).read_bytes()))
    if os.name != "posix":
        attempt = dataclasses.replace(attempt, executor="kernel")
    parent = os.environ.get("STAGEBOOK_PARENT")
    if not tie_to_lifeline() and parent:
        processes.die_with_parent(int(parent))
    processes.adopt_orphans()
    began = time.monotonic()
    result = _run(attempt, events, stop, began)
    kept = {result.kernel["pid"]} if result.kernel else set()
    with contextlib.suppress(OSError):  # the disk is full; the engine gets the result by the channel
        write_whole(Path(attempt.folder) / RESULT_FILE, json.dumps(result.to_json(), indent=1).encode())
    _send(events, result)
    processes.end_descendants(spare=kept)
    if not kept:
        processes.end_marked(MARKER, attempt.marker)
        if sockets := os.environ.get(SOCKETS):  # the engine does so too, if it is still there
            shutil.rmtree(sockets, ignore_errors=True)
    if result.cause is None:
        return EXIT_OK
    return EXIT_PLATFORM if result.cause in _OURS else EXIT_FAILED


def _take_stdout() -> IO[str]:
    """Standard output as the channel to the engine; what anything else prints goes to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.set_inheritable(channel.fileno(), False)
    os.dup2(2, 1)
    return channel


def _send(channel: IO[str], message: Message) -> None:
    # A reader that is gone must not fail the stage; the end of the parent is noticed elsewhere.
    with contextlib.suppress(OSError):
        channel.write(to_line(message))


def _run(attempt: Attempt, events: IO[str], stop: Stop, began: float) -> AttemptResult:
    root = Path(attempt.root)
    os.chdir(root)

    def emit(kind: type[AttemptEvent], **values: Any) -> None:
        values.update(run=attempt.run, stage=attempt.stage, attempt=attempt.number, at=time.time())
        _send(events, kind(**values))

    try:
        outputs.make_folders(root, attempt.outputs)
        (root / attempt.workdir).mkdir(parents=True, exist_ok=True)  # Git keeps no empty folders
    except OSError as error:
        return AttemptResult(cause=Cause.DISK, message=f"no room for outputs: {error.strerror or error}")
    if attempt.given is not None:
        return _finished(attempt, AttemptResult(), (), began, _redaction(attempt.env, ()))
    try:
        secrets = read_all(attempt.secrets, os.environ, root)
    except SecretUnavailable as error:
        return AttemptResult(cause=Cause.SECRET, message=f"{error.message}; {error.hint}".rstrip("; "))
    env = _environment(attempt, root, secrets)
    redacted = _redaction(env, secrets.values())
    result, cells = execute(attempt, env, emit, stop, redacted)
    mask_files(Path(attempt.folder), redacted)
    return _finished(attempt, result, cells, began, redacted)


def _redaction(env: Mapping[str, str], secrets: Iterable[str]) -> Redaction:
    return Redaction({**os.environ, **env}, secrets)


def _environment(attempt: Attempt, root: Path, secrets: Mapping[str, str]) -> dict[str, str]:
    """The kernel's environment: modules beside the notebook import as they do in JupyterLab."""
    dropped = _OWN | mlflow_hook.FOREIGN if mlflow_hook.VARIABLE in attempt.env else _OWN
    inherited = without_secrets(os.environ, {*dropped, *attempt.hidden})
    variables = {name: fill(text, secrets) for name, text in attempt.variables.items()}
    if os.environ.get(REPORT_TO) != "off":
        inherited |= {REPORT_TO: str(Path(attempt.folder) / REPORT_FILE), REPORT_ROOT: attempt.root}
    paths = [str((root / attempt.notebook).parent), str(root), os.environ.get("PYTHONPATH", "")]
    if attempt.program:
        paths[0] = program_cell.__path__[0]
        inherited[PROJECT] = str(root)
    return {
        **inherited,
        **variables,
        **attempt.env,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "STAGEBOOK_RUN_ID": attempt.run,
        "STAGEBOOK_STAGE": attempt.stage,
        "PLOOMBER_STATS_ENABLED": "false",
    }


def _finished(
    attempt: Attempt,
    result: AttemptResult,
    cells: Sequence[Mapping[str, Any]],
    began: float,
    redacted: Redaction,
) -> AttemptResult:
    """The result with what the executed notebook left: scraps, outputs, and the files that it accessed."""
    root, folder = Path(attempt.root), Path(attempt.folder)
    cause, message = result.cause, result.message
    scraps: dict[str, Any] = {}
    described: dict[str, Any] = {}
    try:
        if attempt.given is not None:
            outputs.take(attempt, attempt.given)
            scraps = dict(attempt.given.scraps)
        else:
            scraps = read_scraps(cells, folder / "scraps", root)
            if cause is None:
                write_documents(attempt)
        if cause is None and (absent := outputs.missing(root, attempt.outputs)):
            cause = Cause.OUTPUT_MISSING
            names = (f"'{name}' ({attempt.outputs[name].path})" for name in absent)
            message = f"{attempt.program or 'the notebook'} ended without writing {', '.join(names)}"
        if cause is None and (reason := outputs.replace_links(root, attempt.outputs)):
            cause, message = Cause.OUTPUT_MISSING, reason
        audited = Audited()
        if cause is None and (attempt.contracts or attempt.has_tables or attempt.mark):
            audited = _audited(attempt, redacted)
            cause, message = audited.cause, audited.message
            described |= {name: getattr(audited, name) for name in ("audits", "written", "bookmark")}
        if cause is None:
            described["outputs"] = outputs.describe_outputs(attempt, audited.tables)
            described["inputs"] = outputs.describe_inputs(attempt)
    except StageFailure as error:
        cause, message = Cause(error.cause), error.message
    except BlobDamaged as error:
        cause, message = Cause.OUTPUT_MISSING, f"what the stage wrote is not in the store any more: {error}"
    except OSError as error:
        cause, message = Cause.DISK, f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
    seconds = time.monotonic() - began
    observed = read_report(folder / REPORT_FILE, root, time.time() - seconds)
    return dataclasses.replace(
        result,
        cause=cause,
        message=message,
        seconds=seconds,
        observed=observed,
        scraps=scraps,
        **described,
    )


def _audited(attempt: Attempt, redacted: Redaction) -> Audited:
    # Only where there are contracts, or Delta tables: it imports DuckDB.
    from stagebook.execution.worker.auditing import audit_outputs  # noqa: PLC0415

    return audit_outputs(attempt, redacted)
