"""A shell of IPython, for tests of magics."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell


@pytest.fixture
def make_shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Any]]:
    """Makes the shell of a test, in the working folder as it is then, with Stagebook's magics."""
    made: list[Any] = []

    def make() -> Any:
        monkeypatch.setattr(sys, "path", ["", *sys.path])
        InteractiveShell.clear_instance()
        shell = InteractiveShell.instance()
        made.append(shell)
        shell.history_manager.enabled = False
        assert shell.run_cell("%load_ext stagebook").success
        return shell

    yield make
    for shell in made:
        atexit.unregister(shell.atexit_operations)
        shell.atexit_operations()
        shell.restore_sys_module_state()
    InteractiveShell.clear_instance()
