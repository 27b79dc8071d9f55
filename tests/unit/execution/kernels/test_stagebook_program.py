"""What runs a program within the notebook that is made for it: words, ends, and frames that are shown."""

from __future__ import annotations

import asyncio
import builtins
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stagebook.execution.kernels.program_cell import stagebook_program as program
from stagebook.execution.kernels.program_cell.stagebook_program import ProgramFailed


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project; what a script changes of this process is put back."""
    monkeypatch.setenv("STAGEBOOK_PROJECT", str(tmp_path))
    before = list(sys.path), list(sys.argv), sys.modules["__main__"]
    sys.path.insert(0, str(tmp_path))
    yield tmp_path
    sys.path[:], sys.argv[:], sys.modules["__main__"] = before
    for name in ("work_of_test", "beside_of_test"):
        sys.modules.pop(name, None)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is displayed."""
    found: list[Any] = []
    monkeypatch.setattr("IPython.display.display", lambda value, **_: found.append(value))
    return found


def test_a_script_is_run_as_python_runs_it(root: Path) -> None:
    folder = root / "scripts"
    folder.mkdir()
    (folder / "beside_of_test.py").write_text("NAME = 'beside'\n")
    (folder / "a.py").write_text(
        "import sys, beside_of_test\n"
        "assert sys.modules['__main__'].__dict__ is globals()\n"
        "with open(sys.argv[1], 'w') as file:\n"
        "    file.write(repr((__name__, __file__, sys.argv, sys.path[0], beside_of_test.NAME, __doc__)))\n"
    )
    out = root / "out.txt"
    program.script(
        "scripts/a.py",
        [{"output": "out"}, "--depth=3", 4, {"join": ["x=", {"input": "i"}]}],
        out=str(out),
        i="I",
    )
    path = str(folder / "a.py")
    argv = [path, str(out), "--depth=3", "4", "x=I"]
    assert out.read_text() == repr(("__main__", path, argv, str(folder), "beside", None))


@pytest.mark.parametrize("end", ["", "sys.exit()", "sys.exit(0)", "sys.exit(False)", "raise SystemExit"])
def test_a_script_ends_well(root: Path, end: str) -> None:
    (root / "a.py").write_text(f"import sys\n{end}\n")
    program.script("a.py", [])


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("sys.exit(2)", "a.py: exit status 2"),
        ("sys.exit(True)", "a.py: exit status 1"),
        ("sys.exit('no rows')", "a.py: no rows"),
        ("sys.exit(['a'])", "a.py: ['a']"),
    ],
)
def test_a_script_that_exits_otherwise_has_failed(root: Path, end: str, message: str) -> None:
    (root / "a.py").write_text(f"import sys\n{end}\n")
    with pytest.raises(ProgramFailed) as caught:
        program.script("a.py", [])
    assert str(caught.value) == message
    assert caught.value._render_traceback_() == [message]  # type: ignore[attr-defined]


def test_a_script_that_is_broken_or_gone_meanwhile(root: Path) -> None:
    (root / "a.py").write_text("x = 1\ny = = 2\n")
    with pytest.raises(ProgramFailed, match=r"a\.py:2: invalid syntax"):
        program.script("a.py", [])
    with pytest.raises(ProgramFailed, match=r"b\.py: No such file"):
        program.script("b.py", [])


def frames(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions of the frames that IPython would show."""
    seen: list[str] = []

    def structured(_kind: object, _error: object, trace: types.TracebackType | None) -> list[str]:
        while trace is not None:
            seen.append(trace.tb_frame.f_code.co_name)
            trace = trace.tb_next
        return []

    shell = types.SimpleNamespace(InteractiveTB=types.SimpleNamespace(structured_traceback=structured))
    monkeypatch.setattr(builtins, "get_ipython", lambda: shell, raising=False)
    error._render_traceback_()  # type: ignore[attr-defined]
    return seen


def test_what_a_script_raises_has_its_own_frames_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "a.py").write_text("def f():\n    return 1 / 0\n\n\nf()\n")
    with pytest.raises(ZeroDivisionError) as caught:
        program.script("a.py", [])
    # Of this test there is a frame too, which a cell is in a notebook.
    assert frames(caught.value, monkeypatch)[-2:] == ["<module>", "f"]
    assert "script" not in frames(caught.value, monkeypatch)


def test_a_program_may_have_an_event_loop_of_its_own(root: Path) -> None:
    (root / "a.py").write_text("import asyncio\nasyncio.run(asyncio.sleep(0))\n")

    async def cell() -> asyncio.AbstractEventLoop:
        program.script("a.py", [])
        return asyncio.get_running_loop()

    asyncio.run(cell())


def test_a_function_gets_values_by_name_and_leaves_scraps(root: Path, shown: list[Any], capsys: Any) -> None:
    (root / "work_of_test.py").write_text(
        "def f(a, b=2):\n    return {'sum': a + b, 'list': [1, {'x': None}], 'frame': object(), 3: 'c'}\n"
    )
    program.function("work_of_test:f", a=1)
    found = {one["name"]: one["data"] for item in shown for one in item.values()}
    assert found == {"sum": 3, "list": [1, {"x": None}], "3": "c"}
    assert "'frame' is no plain value, and is not kept: object" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "wanted"),
    [("return None", []), ("return 'shown'", ["shown"]), ("return [1]", [[1]])],
)
def test_what_else_a_function_returns_is_shown(
    root: Path, shown: list[Any], body: str, wanted: list[Any]
) -> None:
    (root / "work_of_test.py").write_text(f"async def f():\n    {body}\n")
    program.function("work_of_test:f")
    assert shown == wanted


def test_numbers_of_numpy_are_plain(root: Path, shown: list[Any]) -> None:
    program._glue("mean", np.float64(1.5))
    assert next(iter(shown[0].values()))["data"] == 1.5
    assert root.is_dir()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["sh", "-c", "exit 22"], "sh: exit status 22"),
        (["sh", "-c", "kill -9 $$"], "sh: killed by SIGKILL"),
        (["no-such-program"], "no-such-program: there is no such program"),
        (["/"], "/: Permission denied"),
        (["a\0b"], "a\0b: embedded null byte"),
        ({"shell": ["exit 3"]}, "the command: exit status 3"),
        ({"shell": ["no-such-program 2> /dev/null"]}, "the command: exit status 127"),
        (["echo", None], "None cannot be an argument, or a part of one"),
        (["echo", {"a": 1}], "{'a': 1} cannot be an argument, or a part of one"),
    ],
)
def test_a_command_that_fails_says_how(command: Any, message: str) -> None:
    with pytest.raises(ProgramFailed) as caught:
        program.command(["as", "written"], command)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        ("plain", "plain"),
        ("two words", "two words"),
        ("'; echo broken; '", "'; echo broken; '"),
        ("$HOME `ls` $(ls) *", "$HOME `ls` $(ls) *"),
        (["a b", 3], "a b,3"),
        ([], ""),
    ],
)
def test_values_are_quoted_for_the_shell(value: Any, printed: str, capfd: Any) -> None:
    program.command(["sh"], {"shell": ["printf '%s,' ", value, " | sed 's/,$//'"]})
    assert capfd.readouterr().out == printed


def test_paths_stand_for_themselves_in_both_forms(tmp_path: Path) -> None:
    out = tmp_path / "a file.txt"
    program.command(["sh"], {"shell": ["echo text > ", {"output": "out"}]}, out=str(out))
    program.command(
        ["sh"],
        ["sh", "-c", 'echo "$@" >> "$0"', {"output": "out"}, {"input": "files"}],
        out=str(out),
        files=["x", "y z"],
    )
    assert out.read_text() == "text\nx y z\n"


def test_a_command_gets_the_signals_of_a_program_and_no_input() -> None:
    """A pipe that closes ends what writes into it, as in a shell."""
    program.command(["sh"], {"shell": ["yes | head -1 > /dev/null; read line || exit 0; exit 1"]})


def test_it_needs_no_more_than_the_standard_library() -> None:
    folder = Path(program.__file__).parent
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import stagebook_program as p; p.command(['x'], ['true'])"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
