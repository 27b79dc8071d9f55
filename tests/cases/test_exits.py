"""Case sys-exit-false: a notebook ends as a script does, well where its exit status is 0."""

from __future__ import annotations

import pytest

from building import ProjectBuilder
from ways import EACH_WAY, execute

pytestmark = pytest.mark.kernel


@EACH_WAY
@pytest.mark.parametrize("value", ["", "0", "None", "False", "not True"])
def test_an_exit_status_of_0_ends_a_notebook_well(builder: ProjectBuilder, way: str, value: str) -> None:
    done = execute(builder, way, f"import sys\nsys.exit({value})", "never")
    assert (done.end, done.statuses) == ("completed", ["completed", "pending"])


@EACH_WAY
@pytest.mark.parametrize("value", ["1", "True", "'no data'", "0.5"])
def test_any_other_is_a_failure(builder: ProjectBuilder, way: str, value: str) -> None:
    done = execute(builder, way, f"import sys\nsys.exit({value})", "never")
    shown = value.strip("'")
    assert (done.end, done.statuses) == (f"SystemExit: {shown}", ["failed", "pending"])
