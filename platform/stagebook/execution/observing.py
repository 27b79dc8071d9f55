"""Observing the process that runs a notebook's cells: which files of the project it reads and writes.

It runs inside that process, from before the first cell, under whatever interpreter that has; so it
imports nothing of Stagebook. What is seen goes at once, each path once, as a JSON line to the file that
the environment variable `STAGEBOOK_OBSERVED` names. The worker makes sense of the lines (`observed`).

Three sources, none of which may get in the way of the notebook (docs/observed.md):

- Python's audit events (https://docs.python.org/3/library/audit_events.html) tell of every file that
  Python itself opens, here and in forked children;
- libraries that open files in C or C++ raise none. Of the best known ones, a few entry points note
  the path that they are given and call on;
- at the end of a cell, files that are still open or mapped are looked up in `/proc`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
import time
from collections.abc import Callable
from importlib.machinery import ModuleSpec, SourceFileLoader
from json.encoder import encode_basestring_ascii
from pathlib import PurePath
from typing import Any

VARIABLE = "STAGEBOOK_OBSERVED"
MAX_PATHS = 100_000  # distinct ones that one process tells of
MAX_ELSEWHERE = 1_000  # of them, those that do not look as if they were inside the project
MAX_BYTES = 50_000_000  # of the file, with what children tell
MAX_TEXT = 100_000  # characters of a cell that are looked through for SQL
_SHARE = 100  # looking at memory maps takes milliseconds: at most a hundredth of the time
_FIRST = 1.0  # seconds before the first look at them, so that it costs short stages nothing

_NO_FILE = os.O_DIRECTORY | getattr(os, "O_PATH", 0) if os.name == "posix" else 0
_CHANGES = os.O_CREAT | os.O_TRUNC | os.O_APPEND
_BOTH_WAYS = os.O_RDWR
_ACCESS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
_ANEW = os.O_TRUNC | os.O_EXCL
# Modules that list folders to find modules, and not for the notebook.
_FINDERS = ("importlib", "_frozen_importlib", "pkgutil", "pkg_resources", "zipimport", "site", "IPython.")

_SQL_SOURCE = re.compile(
    r"\b(?:from|join|describe|summarize)\s+'([^'{}\n]+)'"
    r"|\b(?:read_\w+|\w+_scan|glob)\(\s*\[?\s*'([^'{}\n]+)'",
    re.IGNORECASE,
)
_SQL_TARGET = re.compile(r"\bto\s+'([^'{}\n]+)'|\battach\s+(?:database\s+)?'([^'{}\n]+)'", re.IGNORECASE)

_Entry = tuple[str, str, int, str]  # dotted name, kind, position and name of the argument with the path
_DUCKDB = (("read_parquet", "from_parquet"), ("read_csv", "from_csv_auto"), ("read_json",))
_POLARS = ("parquet", "csv", "ipc", "ndjson", "json", "avro", "delta")
# What is wrapped of which module. Functions that look at the frame of their caller must not be here,
# such as `duckdb.sql`, which finds variables in it.
WRAPPED: dict[str, tuple[_Entry, ...]] = {
    "pyarrow": (
        ("memory_map", "source", 0, "path"),
        ("create_memory_map", "write", 0, "path"),
        ("input_stream", "source", 0, "source"),
        ("output_stream", "write", 0, "source"),
    ),
    "pyarrow.parquet.core": (
        ("ParquetFile.__init__", "source", 1, "source"),
        ("ParquetDataset.__init__", "source", 1, "path_or_paths"),
        ("ParquetWriter.__init__", "write", 1, "where"),
    ),
    "pyarrow.dataset": (
        ("dataset", "source", 0, "source"),
        ("parquet_dataset", "source", 0, "metadata_path"),
        ("write_dataset", "write", 1, "base_dir"),
    ),
    "pyarrow.csv": (
        ("read_csv", "source", 0, "input_file"),
        ("open_csv", "source", 0, "input_file"),
        ("write_csv", "write", 1, "output_file"),
    ),
    "pyarrow.json": (
        ("read_json", "source", 0, "input_file"),
        ("open_json", "source", 0, "input_file"),
    ),
    "pyarrow.feather": (
        ("read_table", "source", 0, "source"),
        ("write_feather", "write", 1, "dest"),
    ),
    "pyarrow.ipc": (
        ("open_file", "source", 0, "source"),
        ("open_stream", "source", 0, "source"),
        ("new_file", "write", 0, "sink"),
        ("new_stream", "write", 0, "sink"),
    ),
    "pyarrow.orc": (
        ("ORCFile.__init__", "source", 1, "source"),
        ("ORCWriter.__init__", "write", 1, "where"),
        ("read_table", "source", 0, "source"),
    ),
    "polars": (
        *((f"{how}_{form}", "source", 0, "source") for how in ("read", "scan") for form in _POLARS),
        *((f"DataFrame.write_{form}", "write", 1, "file") for form in _POLARS),
        *((f"LazyFrame.sink_{form}", "write", 1, "path") for form in _POLARS),
    ),
    "duckdb": (
        ("connect", "database", 0, "database"),
        *((name, "source", 0, "path_or_buffer") for names in _DUCKDB for name in names),
        *(
            (f"DuckDBPyConnection.{name}", "source", 1, "path_or_buffer")
            for names in _DUCKDB
            for name in names
        ),
    ),
}


class Observer:
    """Notes paths, each once. `file` is where it tells of them; `root` is the project."""

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
        """Tell of a path, unless it was told or is of no interest."""
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
        """Tell of what a function was given as a path, or as a list of paths, if it is that."""
        if isinstance(value, list | tuple):
            for item in value[:MAX_PATHS]:
                self.note_value(kind, item)
            return
        path = _text(value) or _path_of_arrow(value)
        if not path or path.startswith(":memory:"):
            return
        if path.startswith("file:"):
            path = path[5:].partition("?")[0]
            path = path[2:] if path.startswith("///") else path
        if "://" in path or "\n" in path:
            return
        if kind == "database":
            # Whether it is written to shows at the end, by its time.
            if _has_content(path):
                self.note("read", path)
            kind = "target"
        self.note(kind, path)

    def look(self) -> None:
        """Tell of files that are open, and now and then of those that are mapped."""
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
        return int(flags, 8) & _ACCESS != os.O_RDONLY
    return False


def _text(value: Any) -> str:
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


def _has_content(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0
    except (OSError, ValueError):
        return False


# -- audit events ---------------------------------------------------------------------------------


class _Events:
    """What the audit events of interest say. Each method gets the arguments of one."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._note = observer.note
        self.handlers: dict[str, Callable[[tuple[Any, ...]], None]] = {
            "open": self._opened,
            "os.listdir": self._listed,
            "os.scandir": self._listed,
            "os.rename": self._renamed,
            "os.link": self._linked,
            "os.symlink": self._symlinked,
            "os.truncate": self._truncated,
            "sqlite3.connect": self._connected,
            "import": self._imported,
            "ctypes.dlopen": self._loaded,
        }

    def _opened(self, args: tuple[Any, ...]) -> None:
        path, flags = _text(args[0]), args[2] or 0
        if not path or flags & _NO_FILE:
            return
        if not flags & (_ACCESS | _CHANGES):
            self._note("read", path)
            return
        if flags & _ACCESS == _BOTH_WAYS and not flags & _ANEW and _has_content(path):
            self._note("read", path)
        self._note("write", path)

    def _listed(self, args: tuple[Any, ...]) -> None:
        if isinstance(args[0], int):
            return
        asking = sys._getframe(2).f_globals.get("__name__")  # noqa: SLF001 - who lists
        if not (isinstance(asking, str) and asking.startswith(_FINDERS)):
            self._note("list", _text(args[0]) or os.getcwd())

    def _renamed(self, args: tuple[Any, ...]) -> None:
        if args[3] == -1 and (path := _text(args[1])):
            self._note("write", path)

    def _linked(self, args: tuple[Any, ...]) -> None:
        if args[2] == -1 and (path := _text(args[0])):
            self._note("read", path)
        self._renamed(args)

    def _symlinked(self, args: tuple[Any, ...]) -> None:
        if args[2] == -1 and (path := _text(args[1])):
            self._note("write", path)

    def _truncated(self, args: tuple[Any, ...]) -> None:
        if path := _text(args[0]):
            self._note("write", path)

    def _connected(self, args: tuple[Any, ...]) -> None:
        self._observer.note_value("database", args[0])

    def _imported(self, args: tuple[Any, ...]) -> None:
        if path := _text(args[1]):  # of a module that is not Python
            self._note("read", path)

    def _loaded(self, args: tuple[Any, ...]) -> None:
        if "/" in (path := _text(args[0])):
            self._note("read", path)


def _hook(observer: Observer) -> Callable[[str, tuple[Any, ...]], None]:
    # Names of the module are gone while an interpreter ends; those of this function stay.
    find, is_elsewhere, ours = _Events(observer).handlers.get, _is_elsewhere, __file__

    def hook(event: str, args: tuple[Any, ...]) -> None:
        handler = find(event)
        if handler is not None:
            try:
                handler(args)
            except Exception as error:
                # What a signal's handler raises in here belongs to the notebook; a fault of ours does not.
                if is_elsewhere(error, ours):
                    raise

    return hook


def _is_elsewhere(error: BaseException, ours: str) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_filename != ours


# -- libraries that open files themselves ---------------------------------------------------------


class Watcher:
    """A finder of `sys.meta_path` that finds nothing itself: when one of the known libraries is
    imported, it has its entry points wrapped afterwards."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def wrap_what_is_there(self) -> None:
        """Wrap the entry points of what is imported already."""
        for name in WRAPPED:
            if name in sys.modules:
                wrap(self._observer, name, sys.modules[name])

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """As the next finder that knows the module."""
        if name not in WRAPPED:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                self._prepare(name, spec)
                return spec
        return None

    def _prepare(self, name: str, spec: ModuleSpec) -> None:
        loader: Any = spec.loader
        if type(loader) is not SourceFileLoader:
            return  # another kind may be shared by modules

        def exec_module(module: Any) -> None:
            vars(loader).pop("exec_module", None)
            loader.exec_module(module)
            wrap(self._observer, name, module)

        vars(loader)["exec_module"] = exec_module


def wrap(observer: Observer, name: str, module: Any) -> None:
    """Wrap the entry points of a module; those that this version of it lacks are left out."""
    for dotted, kind, at, argument in WRAPPED[name]:
        with contextlib.suppress(Exception):  # what cannot be wrapped is not seen
            *outer, attribute = dotted.split(".")
            owner = functools.reduce(getattr, outer, module)
            original = getattr(owner, attribute)
            if getattr(original, "__stagebook__", False):
                continue
            wrapper = _wrapper(observer, original, kind, at, argument)
            # pickle finds a function by these names, and so has to find this one.
            wrapper.__module__, wrapper.__qualname__ = name, dotted
            setattr(owner, attribute, wrapper)


def _wrapper(observer: Observer, original: Any, kind: str, at: int, argument: str) -> Any:
    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True  # IPython leaves this frame out
        try:
            observer.note_value(kind, args[at] if len(args) > at else kwargs.get(argument))
        except Exception as error:
            if _is_elsewhere(error, __file__):
                raise
        return original(*args, **kwargs)

    wrapper.__stagebook__ = True  # type: ignore[attr-defined]
    return wrapper


def _note_sql(observer: Observer, text: str) -> None:
    """The files that SQL in the text of a cell names, for DuckDB, which reads them itself."""
    if "duckdb" not in sys.modules and "duckdb" not in text:
        return
    for kind, pattern in (("source", _SQL_SOURCE), ("target", _SQL_TARGET)):
        for found in pattern.finditer(text[:MAX_TEXT]):
            observer.note_value(kind, next(filter(None, found.groups())))


# -- its beginning --------------------------------------------------------------------------------


def begin(shell: Any) -> None:
    """Observe this process from here on, if its environment asks for it. `shell` is IPython's, and the
    working folder the project."""
    file = os.environ.pop(VARIABLE, "")
    if not file or os.name != "posix":
        return
    with contextlib.suppress(Exception):  # a notebook runs in any case
        observer = Observer(file, os.getcwd())
        watcher = Watcher(observer)
        watcher.wrap_what_is_there()
        sys.meta_path.insert(0, watcher)
        shell.events.register("pre_run_cell", _before_cell(observer))
        shell.events.register("post_run_cell", _after_cell(observer))
        sys.addaudithook(_hook(observer))


def _before_cell(observer: Observer) -> Callable[[Any], None]:
    def before(info: Any) -> None:
        with contextlib.suppress(Exception):
            _note_sql(observer, info.raw_cell)

    return before


def _after_cell(observer: Observer) -> Callable[[Any], None]:
    def after(_result: Any) -> None:
        with contextlib.suppress(Exception):
            observer.look()

    return after
