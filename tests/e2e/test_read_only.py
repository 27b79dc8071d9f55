"""A project on a disk that is full, or that nobody may write to, can be looked at."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

from building import ProjectBuilder
from commands import environment, skip_without_mounts, stagebook

pytestmark = pytest.mark.e2e
LOOKS = ("status", "runs", "logs latest", "logs latest a", "plan", "check", "why", "store gc --dry-run")

READ_ONLY = "mount --bind . /mnt && mount -o remount,bind,ro /mnt"
# The disk is filled by a file that takes what is left.
FULL = (
    "mount -t tmpfs -o size=3m none /mnt && cp -r project /mnt/"
    " && (head -c 100M /dev/zero >/mnt/filler 2>/dev/null || true)"
)
either = pytest.mark.parametrize("how", [READ_ONLY, FULL], ids=["read-only", "full"])


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    """A project of one stage that ran."""
    skip_without_mounts()
    builder.without_tracking()
    builder.notebook("a", "open(out, 'w').write('1')\nprint('done')", params="out = ''")
    builder.pipeline(
        "stages: {a: {notebook: notebooks/a.ipynb, executor: inprocess, outputs: {out: data/a}}}"
    )
    assert stagebook(builder.root, "run").returncode == 0
    return builder


def mounted(project: ProjectBuilder, how: str, *lines: str) -> subprocess.CompletedProcess[str]:
    """Lines of a shell in the project, or a copy of it, that is mounted; `stagebook` is the command."""
    command = f'stagebook() {{ {shlex.quote(sys.executable)} -m stagebook "$@"; }}'
    return subprocess.run(
        ["unshare", "-rm", "bash", "-c", "\n".join([f"{how} || exit 9", "cd /mnt/project", command, *lines])],
        cwd=project.root.parent,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@either
@pytest.mark.long
def test_what_only_looks_works(project: ProjectBuilder, how: str) -> None:
    done = mounted(project, how, *(f"stagebook {look} || echo FAILED {look}" for look in LOOKS), "exit 0")
    assert done.returncode == 0
    assert "FAILED" not in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@either
@pytest.mark.long
def test_a_run_says_that_it_cannot_be_recorded(project: ProjectBuilder, how: str) -> None:
    done = mounted(project, how, "stagebook run --force; echo exit $?")
    assert "Traceback" not in done.stdout + done.stderr
    assert "exit 2" in done.stdout, "nothing was started"
    assert "see that there is room on the disk and that the folder can be written" in done.stderr


@pytest.mark.long
def test_the_remedy_works_on_a_full_disk(project: ProjectBuilder) -> None:
    project.edit("a", "write('1')", "write('1' * 50_000)")
    assert stagebook(project.root, "run").returncode == 0
    aged = "find .stagebook/store -type f | xargs touch -d '100 days ago'"
    done = mounted(project, FULL, aged, "stagebook store gc --days 0; echo exit $?")
    assert "exit 0" in done.stdout, done.stdout + done.stderr
    assert "removed" in done.stdout
