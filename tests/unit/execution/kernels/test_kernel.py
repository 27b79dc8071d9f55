"""What fails while a kernel is served is told in the log of the worker."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import nbformat
import pytest

from building import notebook_data
from stagebook.execution.kernels.executor import Surroundings
from stagebook.execution.kernels.kernel import KernelExecutor
from stagebook.execution.kernels.recording import Sink


def test_an_interrupt_that_fails_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def interrupt() -> None:
        notebook = nbformat.from_dict(notebook_data("x"))  # type: ignore[no-untyped-call]
        sink = Sink(folder=tmp_path, log=io.StringIO(), heard=lambda _text: None)
        executor = KernelExecutor(notebook, "python3", sink, Surroundings(cwd=str(tmp_path), env={}))
        await executor.interrupt()  # of a kernel that was never started
        executor.end(orderly=False)
        await executor.ended()

    asyncio.run(interrupt())
    (told,) = [record for record in caplog.records if record.name.startswith("stagebook")]
    assert told.getMessage() == "interrupting the kernel failed"
    assert told.exc_info is not None
