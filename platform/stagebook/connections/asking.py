"""Asking what is behind a connection, for so long and no longer (`probe`)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stagebook.errors import ConnectionUnusable

PATIENCE = 20.0  # seconds


def ask_whether(root: Path, name: str, patience: float = PATIENCE) -> str:
    """What a connection of the project at `root` leads to, in a few words. Raises `ConnectionUnusable` where it does not."""
    return str(_ask(root, {"name": name, "what": "test"}, patience))


def ask_what(
    root: Path, name: str, patterns: Sequence[str], patience: float = PATIENCE
) -> Mapping[str, Sequence[Sequence[str]]]:
    """What fits each pattern, sorted: its path, and a mark that changes with its content. Raises `ConnectionUnusable`."""
    found: Mapping[str, Sequence[Sequence[str]]] = _ask(
        root, {"name": name, "what": "list", "patterns": list(patterns)}, patience
    )
    return found


def _ask(root: Path, request: Mapping[str, Any], patience: float) -> Any:
    try:
        done = subprocess.run(  # this very program
            [sys.executable, "-P", "-m", "stagebook.connections.probe"],
            input=json.dumps({**request, "root": str(root)}).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=root,
            timeout=patience,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        what = f"the connection '{request['name']}' did not answer within {patience:g} s"
        raise ConnectionUnusable(what, hint="is it up, and can it be reached from here?") from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        what = f"the connection '{request['name']}': the process that looked ended with exit code {done.returncode}"
        raise ConnectionUnusable(what) from None
    if "problem" in answer:
        what, head = answer["problem"], f"the connection '{request['name']}'"
        raise ConnectionUnusable(what if what.startswith(head) else f"{head}: {what}", hint=answer["hint"])
    return answer["answer"]
