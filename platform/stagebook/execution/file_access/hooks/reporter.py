"""Reports paths, each once, as JSON lines in a file."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from json.encoder import encode_basestring_ascii
from pathlib import PurePath
from typing import Any

MAX_PATHS = 100_000  # distinct ones that one process tells of
MAX_ELSEWHERE = 1_000  # of them, those that do not look as if they were inside the project
MAX_BYTES = 50_000_000  # of the file, with what children tell
_SHARE = 100  # of the time, at most one part in this many: looking at memory maps takes milliseconds
_FIRST = 1.0  # seconds before the first look at them, so that it costs short stages nothing

ACCESS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Reporter:
    """Writes each path once to `file`. `root` is the project."""

    def __init__(self, file: str, root: str) -> None:
        self._file = file
        self._inside = root.rstrip("/") + "/"
        installed = {
            f"{prefix.rstrip('/')}/"
            for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.__file__))
        } - {"/"}
        here = {prefix for prefix in installed if prefix.startswith(self._inside)}
        self._hidden = (*here, f"{self._inside}.git/", f"{self._inside}.stagebook/")
        self._elsewhere = (*installed, "/proc/", "/sys/", "/dev/", "/etc/", "/usr/")
        self._seen: set[str] = set()
        self._strange = 0
        self._descriptor = -1
        self._identity = (0, 0)
        self._reopen()
        self._before = frozenset(self._open_files())  # inherited, such as a log of the run
        self._next_maps = time.perf_counter() + _FIRST

    def note(self, kind: str, path: str) -> None:
        """Report a path, unless it was reported or is of no interest."""
        if not path.startswith("/"):
            path = f"{os.getcwd()}/{path}"
        if path.startswith(self._inside):
            if path.startswith(self._hidden) or "/site-packages/" in path:
                return
        elif path.startswith(self._elsewhere) or path.endswith(".pyc"):
            return
        key = f"{kind}:{path}"
        if key in self._seen or len(self._seen) >= MAX_PATHS:
            return
        if not path.startswith(self._inside):  # it may lead there through a symlink
            self._strange += 1
            if self._strange > MAX_ELSEWHERE:
                return
        self._seen.add(key)
        self._write(f'{{"kind": "{kind}", "path": {encode_basestring_ascii(path)}}}\n'.encode("ascii"))

    def note_value(self, kind: str, value: Any) -> None:
        """Report the argument of a function if it is a path, or a list of paths."""
        if isinstance(value, list | tuple):
            for item in value[:MAX_PATHS]:
                self.note_value(kind, item)
            return
        path = text_of(value) or _path_of_arrow(value)
        if not path or path.startswith(":memory:"):
            return
        if path.startswith("file:"):
            path = path[5:].partition("?")[0]
            path = path[2:] if path.startswith("///") else path
        if "://" in path or "\n" in path:
            return
        if kind == "database":
            # Whether it is written to shows at the end, by its time.
            if has_content(path):
                self.note("read", path)
            kind = "target"
        self.note(kind, path)

    def look(self) -> None:
        """Report the files that are open, and now and then those that are mapped."""
        for path, number in self._open_files().items():
            if path.startswith(self._inside) and path not in self._before and not self._knows(path):
                self.note("source", path)
                if _is_writable(number):
                    self.note("target", path)
        began = time.perf_counter()
        if began >= self._next_maps:
            self._look_at_maps()
            ended = time.perf_counter()
            self._next_maps = ended + (ended - began) * _SHARE

    def _knows(self, path: str) -> bool:
        return any(f"{kind}:{path}" in self._seen for kind in ("read", "write", "source", "target"))

    def _open_files(self) -> dict[str, str]:
        """The paths of open files, each with the number of a descriptor."""
        found = {}
        with contextlib.suppress(OSError):
            for name in os.listdir("/proc/self/fd"):
                with contextlib.suppress(OSError):
                    found[os.readlink(f"/proc/self/fd/{name}")] = name
        return found

    def _look_at_maps(self) -> None:
        with contextlib.suppress(OSError):
            descriptor = os.open("/proc/self/maps", os.O_RDONLY | os.O_CLOEXEC)
            try:
                parts = []
                while part := os.read(descriptor, 1 << 20):
                    parts.append(part)
            finally:
                os.close(descriptor)
            text = b"".join(parts)
            wanted = self._inside.encode("utf-8", "surrogateescape")
            at = text.find(wanted)
            while at >= 0:
                end = text.find(b"\n", at)
                path = text[at : end if end >= 0 else len(text)].decode("utf-8", "surrogateescape")
                if not self._knows(path):
                    self.note("source", path)
                at = text.find(wanted, at + len(wanted))

    def _write(self, line: bytes) -> None:
        # A notebook may close all descriptors, and its next file may get the number of this one.
        try:
            status = os.fstat(self._descriptor)
            same = (status.st_dev, status.st_ino) == self._identity
        except OSError:
            same = False
        if not same:
            status = self._reopen()
        if status.st_size < MAX_BYTES:
            os.write(self._descriptor, line)

    def _reopen(self) -> os.stat_result:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self._file, flags, 0o600)
        status = os.fstat(self._descriptor)
        self._identity = (status.st_dev, status.st_ino)
        return status


def _is_writable(number: str) -> bool:
    """Whether a descriptor of this process is open for writing."""
    with contextlib.suppress(OSError, ValueError):
        descriptor = os.open(f"/proc/self/fdinfo/{number}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            lines = os.read(descriptor, 4096).decode("ascii", "replace").splitlines()
        finally:
            os.close(descriptor)
        flags = next(line.split()[1] for line in lines if line.startswith("flags:"))
        return int(flags, 8) & ACCESS != os.O_RDONLY
    return False


def text_of(value: Any) -> str:
    """A path as text, without running code of the notebook; empty for what is none."""
    if type(value) is str:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value) if isinstance(value, PurePath) else ""


def _path_of_arrow(value: Any) -> str:
    """The path of a file that pyarrow has open: its `OSFile`, through which pandas writes parquet, is
    a type of C whose constructor cannot be wrapped."""
    if type(value).__module__ == "pyarrow.lib":
        with contextlib.suppress(AttributeError, OSError, ValueError):
            return os.readlink(f"/proc/self/fd/{value.fileno()}")
    return ""


def has_content(path: str) -> bool:
    """Whether something is there, and not empty."""
    try:
        return os.stat(path).st_size > 0
    except (OSError, ValueError):
        return False


def is_elsewhere(error: BaseException, ours: str = _OURS) -> bool:  # names of the module may be gone
    """Whether an error was raised in code that is not of this package."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and not trace.tb_frame.f_code.co_filename.startswith(ours)
