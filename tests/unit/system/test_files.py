"""Files and folders, as the operating system has them."""

from __future__ import annotations

import os

from stagebook.system import files


def test_the_umask_is_known_without_being_changed() -> None:
    old = os.umask(0o027)
    try:
        assert files.umask() == 0o027
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(old)
