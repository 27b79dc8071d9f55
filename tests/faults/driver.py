"""`stagebook` with a few things changed that no setting changes, for the tests of recovery and of owners.

The orders come as JSON in STAGEBOOK_TEST_ORDERS:

    lease, beat, busy, backstop   other times, in seconds
    at      the number of a commit of the main thread to the journal, from 1
    when    `before` it, or `after` it
    what    SIGKILL or SIGSTOP, which this process sends itself then
    around  a call that brings up or ends the fork server: `spawn`, `folder`, `remove`; or one that publishes a
            version of a Delta table: `files`, `publish`, `link`; with `when`
    count   a file that gets the number of commits at the end
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

from stagebook.cli import main
from stagebook.execution.engine import local
from stagebook.execution.fork import client
from stagebook.execution.runner import commits as delta_commits
from stagebook.journal import database
from stagebook.runs import lease

ORDERS = json.loads(os.environ.pop("STAGEBOOK_TEST_ORDERS", "{}"))
commit = database.Database._commit
commits = 0


def watched(self: database.Database) -> None:
    global commits  # noqa: PLW0603
    if threading.current_thread() is not threading.main_thread():
        commit(self)
        return
    commits += 1
    here = commits == ORDERS.get("at")
    if here and ORDERS["when"] == "before":
        os.kill(os.getpid(), signal.Signals[ORDERS["what"]])
    commit(self)
    if here and ORDERS["when"] == "after":
        os.kill(os.getpid(), signal.Signals[ORDERS["what"]])


database.Database._commit = watched  # type: ignore[method-assign]
database.BUSY_TIMEOUT = ORDERS.get("busy", database.BUSY_TIMEOUT)
lease.LEASE = ORDERS.get("lease", lease.LEASE)
lease.BEAT = ORDERS.get("beat", lease.BEAT)
local.BACKSTOP = ORDERS.get("backstop", local.BACKSTOP)


def around(owner: object, name: str) -> None:
    """Kill this process at the first call of a function; of `rmtree`, for the server's folder."""
    called = getattr(owner, name)

    def wrapper(*args: object, **options: object) -> object:
        if name == "rmtree" and "/sb-" not in str(args[0]):
            return called(*args, **options)
        if ORDERS["when"] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = called(*args, **options)
        os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(owner, name, wrapper)


match ORDERS.get("around"):
    case "spawn":
        around(client.subprocess, "Popen")
    case "folder":
        around(client, "private_folder")
    case "remove":
        around(client.shutil, "rmtree")
    case "files":
        around(delta_commits, "place_files")
    case "publish":
        around(delta_commits, "publish")
    case "link":
        around(delta_commits.os, "link")

if __name__ == "__main__":
    try:
        code = main()
    finally:
        if "count" in ORDERS:
            Path(ORDERS["count"]).write_text(str(commits))
    sys.exit(code)
