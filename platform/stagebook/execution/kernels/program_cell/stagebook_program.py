"""What the notebook that is made for a script, function, SQL or command calls.

The module is imported by whatever Python the kernel is, so that it needs no more than the standard library, but for SQL,
which runs in this interpreter. What a program raises is shown without the frames of this module.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import importlib
import os
import shlex
import signal
import subprocess
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

_PLAIN = (bool, int, float, str, type(None))


class ProgramFailed(Exception):
    """A program ended badly, and has said so itself."""


def script(path: str, args: Sequence[Any], /, **paths: Any) -> None:
    """Run a script of the project as `python PATH ARGS` does.

    Args:
        path: its path in the project.
        args: its arguments, as `pipeline.programs` describes them.
        paths: the paths of the inputs and outputs that they name.

    Raises:
        ProgramFailed: it cannot be read, or exits with another status than 0.
    """
    full = os.path.join(_root(), path)
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=full, __builtins__=builtins)
    with _told(path):
        try:
            with open(full, "rb") as file:
                code = compile(file.read(), full, "exec", dont_inherit=True)
        except SyntaxError as error:
            raise ProgramFailed(f"{path}:{error.lineno}: {error.msg}") from None
        except OSError as error:
            raise ProgramFailed(f"{path}: {error.strerror}") from None
        sys.argv = [full, *_words(args, paths)]
        sys.path.insert(0, os.path.dirname(full))
        sys.modules["__main__"] = main
        exec(code, main.__dict__)  # noqa: S102 - the script


def function(target: str, /, **values: Any) -> None:
    """Call a function of the project, `package.module:name`, with these values by name. Plain values in a dict that it
    returns become scraps. Raises what it raises."""
    module, _, name = target.partition(":")
    with _told(target):
        called = getattr(importlib.import_module(module), name)
        result = called(**values)
        if asyncio.iscoroutine(result):
            result = asyncio.run(result)
    if isinstance(result, Mapping):
        for key, value in result.items():
            _glue(str(key), value)
    elif result is not None:
        _display(result)


def command(words: Sequence[str], command: Any, /, **paths: Any) -> None:
    """Run a command, and wait for its end. What it prints goes where this process prints.

    Args:
        words: how the pipeline file has it.
        command: the same with values, as `pipeline.programs` describes it.
        paths: the paths of the inputs and outputs that it names.

    Raises:
        ProgramFailed: it is not there, ends with another status than 0, or is killed.
    """
    if isinstance(command, Mapping):
        argv, name = ["/bin/sh", "-c", _shell_text(command["shell"], paths)], "the command"
    else:
        argv = _words(command, paths)
        name = argv[0] if argv else words[0]
    with _told(name):
        sys.stdout.flush()
        try:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        except FileNotFoundError:
            raise ProgramFailed(f"{name}: there is no such program") from None
        except (OSError, ValueError) as error:
            raise ProgramFailed(f"{name}: {getattr(error, 'strerror', None) or error}") from None
        status = process.wait()
        if status < 0:
            raise ProgramFailed(f"{name}: killed by {_signal_name(-status)}")
        if status:
            raise ProgramFailed(f"{name}: exit status {status}")


def sql(
    path: str, connection: str, /, *, params: Mapping[str, Any], inputs: Mapping[str, Any], output: str
) -> None:
    """Run the statements of a file of SQL, and write the result of the last SELECT.

    Args:
        path: its path in the project.
        connection: the name of a connection; empty for DuckDB.
        params: the values of `$name`.
        inputs: the paths of the tables, by the names that they have in it.
        output: the path of the file to write; empty for none.

    Raises:
        ProgramFailed: a statement fails; the text says which.
    """
    with _told(path):
        # Not at the top: the other programs may run where Stagebook is not installed.
        queries = importlib.import_module("stagebook.execution.kernels.queries")
        try:
            rows = queries.run(_root(), path, connection, params=params, inputs=inputs, output=output)
        except queries.StatementFailed as error:
            raise ProgramFailed(str(error)) from None
    if rows is not None:
        _glue("rows", rows)


# -- arguments ------------------------------------------------------------------------------------


def _words(arguments: Sequence[Any], paths: Mapping[str, Any]) -> list[str]:
    """The arguments as texts; a list among them stands for several."""
    found: list[str] = []
    for argument in arguments:
        value = _value(argument, paths)
        found += map(_text, value) if isinstance(value, list) else [_text(value)]
    return found


def _value(argument: Any, paths: Mapping[str, Any]) -> Any:
    match argument:
        case {"input": str() as name} | {"output": str() as name}:
            return paths[name]
        case {"join": list() as parts}:
            return "".join(_text(_value(part, paths)) for part in parts)
    return argument


def _text(value: Any) -> str:
    if isinstance(value, Mapping | list) or value is None:
        raise ProgramFailed(f"{value!r:.60} cannot be an argument, or a part of one")
    return str(value)


def _shell_text(parts: Sequence[Any], paths: Mapping[str, Any]) -> str:
    """The text of a command: what is written, and values in turn, quoted."""
    return "".join(
        shlex.join(_words([part], paths)) if at % 2 else str(part) for at, part in enumerate(parts)
    )


# -- how a program ends ---------------------------------------------------------------------------


@contextlib.contextmanager
def _told(name: str) -> Iterator[None]:
    """Run a program as if no notebook were around it: it may have an event loop of its own, and its end is told by its
    `name`, with its own frames alone."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = None
    asyncio._set_running_loop(None)  # noqa: SLF001 - `asyncio.run` refuses to run within another one
    try:
        yield
    except SystemExit as error:
        _exit(name, error.code)
    except BaseException as error:
        _show_own_frames(error)
        raise
    finally:
        asyncio._set_running_loop(loop)  # noqa: SLF001
        if loop is not None:
            asyncio.set_event_loop(loop)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # closed by the program
                stream.flush()


def _exit(name: str, code: Any) -> None:
    if code in {None, 0} if isinstance(code, _PLAIN) else False:
        return
    if isinstance(code, int):
        _fail(f"{name}: exit status {int(code)}")
    sys.stderr.write(f"{code}\n")
    _fail(f"{name}: {code}")


def _fail(message: str) -> NoReturn:
    error = ProgramFailed(message)
    error._render_traceback_ = lambda: [message]  # type: ignore[attr-defined]  # of IPython: how it is shown
    raise error from None


def _show_own_frames(error: BaseException) -> None:
    """Have IPython show an exception without the frames of the cell, of this module, and of imports."""
    trace = error.__traceback__
    while trace is not None and _is_ours(trace.tb_frame):
        trace = trace.tb_next
    own = trace

    def render() -> list[str]:
        if isinstance(error, ProgramFailed) or own is None:
            return [
                f"{type(error).__name__}: {error}" if not isinstance(error, ProgramFailed) else str(error)
            ]
        shell = get_ipython()  # type: ignore[name-defined]  # noqa: F821 - a built-in name in a notebook
        lines: list[str] = shell.InteractiveTB.structured_traceback(type(error), error, own)
        return lines

    with contextlib.suppress(AttributeError):  # an exception that takes no more attributes
        error._render_traceback_ = render  # type: ignore[attr-defined]


def _is_ours(frame: types.FrameType) -> bool:
    name = frame.f_code.co_filename
    return name in {__file__, _CELL} or "importlib" in name or name == contextlib.__file__ or _is_cell(frame)


_CELL = "<string>"


def _is_cell(frame: types.FrameType) -> bool:
    return frame.f_globals.get("__name__") == "__main__" and frame.f_globals.get("get_ipython") is not None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _root() -> str:
    return os.environ.get("STAGEBOOK_PROJECT") or os.getcwd()


# -- what is kept -----------------------------------------------------------------------------------


def _glue(name: str, value: Any) -> None:
    """Keep a plain value as a scrap, as scrapbook does; what is no plain value is said."""
    item: Callable[[], Any] | None = getattr(value, "item", None)  # of NumPy's numbers
    if callable(item) and getattr(value, "shape", None) == ():
        value = item()
    if not _is_plain(value):
        sys.stdout.write(f"[Stagebook] '{name}' is no plain value, and is not kept: {type(value).__name__}\n")
        return
    data = {"name": name, "data": value, "encoder": "json", "version": 1}
    _display({"application/scrapbook.scrap.json+json": data}, raw=True)


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return isinstance(value, _PLAIN)


def _display(value: Any, **options: Any) -> None:
    from IPython.display import display  # noqa: PLC0415 - of the kernel, where there is a notebook

    display(value, **options)  # type: ignore[no-untyped-call]
