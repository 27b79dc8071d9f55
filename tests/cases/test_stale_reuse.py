"""No result is reused for another content, where no stat tells of a change (stale-reuse)."""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path

import pytest

from building import ProjectBuilder, ran
from stagebook.planning.plan import Decision

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]


@contextlib.contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap]:
    """A shared map of a file, with a dirty page: the stat stays as it is, whatever else is written to it."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as made:
        made[:1] = made[:1]
        yield made


@pytest.mark.long
def test_a_write_through_a_map_while_a_stage_runs(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.notebook("read", "open(out, 'w').write(open(raw).read())", params="raw = ''\nout = ''")
    builder.pipeline("""
        defaults: {executor: inprocess}
        stages:
          read:
            notebook: notebooks/read.ipynb
            inputs: {raw: raw/x}
            outputs: {out: data/x}
    """)
    file = builder.file("raw/x", "one")
    with mapped(file) as content:
        assert ran(builder.project.run("p")) == ["read"]
        assert ran(builder.project.run("p")) == []  # by now the hash is remembered

        content[:] = b"two"
        before = file.stat()
        assert builder.plan().stages[0].decision is Decision.REUSE, "nobody can see it by the stat"
        assert builder.project.plan("p", verify=True).stages[0].decision is Decision.RUN
        assert ran(builder.project.run("p", verify=True)) == ["read"]
        assert ran(builder.project.run("p")) == []

        content[:] = b"six"
        assert ran(builder.project.run("p", force=True)) == ["read"]
        assert file.stat().st_mtime_ns == before.st_mtime_ns
        assert (builder.root / "data/x").read_text() == "six"
        # It was planned as of "two": nobody can say which of them the stage read.
        content[:] = b"two"
        plan = builder.project.plan("p", verify=True)
        assert (plan.stages[0].decision, plan.stages[0].judgement.restores) == (Decision.REUSE, ("data/x",))  # type: ignore[union-attr]
