"""What a notebook finds otherwise than elsewhere: the tables of docs/executors.md, and what `check` says of a notebook.

`tests/parity` compares notebooks with plain papermill; each difference that it finds has its reason here.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FromPapermill:
    """`what`, in the notebook or the pipeline, does this with `papermill`, and that with `stagebook`."""

    what: str
    papermill: str
    stagebook: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WithoutKernel:
    """`what`, in the notebook, does this with the executor `kernel`, and that with `inprocess`.

    `sign` finds it in the source of a cell, where that can be; `warning` is then what `check` says.
    """

    what: str
    kernel: str
    inprocess: str
    sign: re.Pattern[str] | None = None
    warning: str = ""


FROM_PAPERMILL: Mapping[str, FromPapermill] = {
    "large outputs": FromPapermill(
        what="more than 1,000,000 characters of a stream in a cell, or 10,000,000 of a display",
        papermill="are in the notebook",
        stagebook="are in a file beside it, see [outputs](#outputs)",
    ),
    "exit status": FromPapermill(
        what="`sys.exit(False)`, `raise SystemExit(None)`",
        papermill="fail",
        stagebook="end the notebook well: Python's exit status of them is 0",
    ),
    "quit": FromPapermill(
        what="`exit()`, `quit()`",
        papermill="the cells after it run, or fail as the kernel is gone",
        stagebook="end the notebook well",
    ),
    "raises-exception": FromPapermill(
        what="the tag `raises-exception`",
        papermill="the cells after it run, and the notebook fails at its end",
        stagebook="the cells after it run, and the notebook completes, as in JupyterLab",
    ),
    "name of the error": FromPapermill(
        what="an error whose traceback is shown as text: an unknown magic, an `ExceptionGroup`",
        papermill="is called `CellExecutionError`",
        stagebook="is called by its own name",
    ),
    "death": FromPapermill(
        what="the process of the cells ends: `os._exit`, a crash, no memory left",
        papermill="fails; each cell of the notebook is marked as completed",
        stagebook="fails with the cause, the signal and the cell; cells that did not run are `pending`",
    ),
    "asking": FromPapermill(
        what="`input()`, `getpass()`",
        papermill="raise; a front end is missed",
        stagebook="raise the same; the message says that nobody can answer, and `check` warns",
    ),
    "failed notebook": FromPapermill(
        what="a notebook that failed",
        papermill="gets two cells of text that say where",
        stagebook="has its own cells alone; the failing one is marked in its metadata",
    ),
    "undeclared parameter": FromPapermill(
        what="a value is passed that the parameters cell does not declare, or there is no such cell",
        papermill="a warning; it is set all the same",
        stagebook="a mistake, reported before anything starts; without such a cell `inject: first` sets it all the same",
    ),
    "type of a parameter": FromPapermill(
        what="a value does not fit the type that the parameters cell declares",
        papermill="is passed; dates and paths are text",
        stagebook="a mistake, reported before anything starts; dates and paths are passed as such",
    ),
    "no code": FromPapermill(
        what="a notebook without code",
        papermill="completes",
        stagebook="a mistake, reported before anything starts",
    ),
    "connection": FromPapermill(
        what="how one connects to the kernel: `%connect_info`",
        papermill="TCP, open to each user of the machine who has the key",
        stagebook="sockets in a folder that is the user's alone",
    ),
    "import path": FromPapermill(
        what="modules beside the notebook",
        papermill="are found if the notebook is in the working folder",
        stagebook="are found: the folder of the notebook and the project's are first in `sys.path`",
    ),
}

WITHOUT_KERNEL: Mapping[str, WithoutKernel] = {
    "language": WithoutKernel(
        what="another language",
        kernel="runs, if its kernel is installed",
        inprocess="a mistake, reported before anything starts",
    ),
    "kernelspec": WithoutKernel(
        what="the kernel's name, and the `env` of its kernelspec",
        kernel="used",
        inprocess="not used; `check` warns of any name but `python3`",
    ),
    "kernel object": WithoutKernel(
        what="the kernel itself: `get_ipython().kernel`, `%connect_info`, `%qtconsole`",
        kernel="is there",
        inprocess="is not; a stand-in has its shell, session and comms; `check` warns",
        sign=re.compile(r"get_ipython\(\)\s*\.\s*kernel\b|^\s*%(?:connect_info|qtconsole)\b", re.MULTILINE),
        warning="uses the kernel itself, and there is none",
    ),
    "profile": WithoutKernel(
        what="startup files, extensions and settings of the IPython profile",
        kernel="are used",
        inprocess="are not used; `check` warns where there are any",
        sign=re.compile(r"^\s*%config\s+(?:IPythonKernel|IPKernelApp|ZMQInteractiveShell)\b", re.MULTILINE),
        warning="changes settings of the kernel, and there is none",
    ),
    "exit functions": WithoutKernel(
        what="what is printed after the last cell, by `atexit`",
        kernel="is not kept",
        inprocess="goes to the last cell, as far as it is read; `check` warns where one is registered",
        sign=re.compile(r"\batexit\.register\b"),
        warning="registers functions for the exit: what they print goes to the last cell",
    ),
    "order of streams": WithoutKernel(
        what="standard output and error",
        kernel="each in its own order; which came first is lost within a moment",
        inprocess="in the order in which they were written",
    ),
    "place of child processes": WithoutKernel(
        what="output of subprocesses",
        kernel="is read",
        inprocess="is read from the pipe, so its place among the lines of Python may be off",
    ),
}
