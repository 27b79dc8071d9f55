"""Dumps of failed cells, for a debugger afterwards. The door to debuglater.

A dump holds the frames of the traceback and their variables
(https://github.com/ploomber/debuglater). It is written inside the process that failed, and opened
with `stagebook debug`; opening it unpickles it, so it is for one's own runs.
"""

from __future__ import annotations

from pathlib import Path

DUMP_FILE = "failure.dump"

# debuglater's import wraps both streams with colorama, after which each argument of `print` is an
# output of its own; that is taken back.
_CODE = """\
def _stagebook_dump(path):
    import sys
    streams = sys.stdout, sys.stderr
    try:
        from debuglater import pydump
    finally:
        sys.stdout, sys.stderr = streams
    trace = sys.last_traceback
    # The first frames are those of the machinery that ran the cell.
    while trace.tb_next is not None and not trace.tb_frame.f_globals.get("__name__") == "__main__":
        trace = trace.tb_next
    pydump.save_dump(path, trace)
try:
    _stagebook_dump({path!r})
finally:
    del _stagebook_dump
"""


def code_for_dump(path: str) -> str:
    """Python that writes a dump of the last exception of its process into a file."""
    return _CODE.format(path=path)


def open_dump(path: Path) -> None:
    """Open a debugger on a dump, on this terminal."""
    import sys  # noqa: PLC0415

    streams = sys.stdout, sys.stderr
    from debuglater import pydump  # noqa: PLC0415

    sys.stdout, sys.stderr = streams
    pydump.debug_dump(str(path))
