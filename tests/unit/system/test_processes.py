"""What is asked of processes, and of this one."""

from __future__ import annotations

import os

from stagebook.system import processes


def test_the_umask_is_known_without_being_changed() -> None:
    old = os.umask(0o027)
    try:
        assert processes.umask() == 0o027
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(old)
