"""Text that is no Unicode, in errors and outputs, harms neither the stage nor its executed notebook."""

from __future__ import annotations

import json

import nbformat
import pytest

from building import ProjectBuilder
from ways import EACH_WAY, WAYS, execute, execute_each

pytestmark = pytest.mark.kernel

SHOWN = (
    r"print('caf\udce9')",
    r"import sys; print('caf\udce9', file=sys.stderr)",
    r"'caf\udce9'",
    r"from IPython.display import display, HTML; display(HTML('<b>caf\udce9</b>'), metadata={'a\udce9': 1})",
    r"import scrapbook as sb; sb.glue('text', 'caf\udce9')",
    r"x = 'caf' + chr(0xdce9); x, x.encode('utf-8', 'surrogateescape')",
)


@pytest.mark.long
def test_outputs_are_as_readable_in_each_way(builder: ProjectBuilder) -> None:
    done = execute_each(builder, WAYS, *SHOWN)
    for one in done.values():
        assert one.end == "completed"
        nbformat.validate(one.notebook)
        assert one.text(0) == "caf\ufffd\n"
        assert one.text(1, "stderr") == "caf\ufffd\n"
        assert one.outputs(3)[0]["data"]["text/html"] == ["<b>caf\ufffd</b>"]
        assert one.record.scraps["text"]["value"] == "caf\ufffd"
        assert one.outputs(5)[0]["data"]["text/plain"] == [r"('caf\udce9', b'caf\xe9')"]


@EACH_WAY
@pytest.mark.parametrize(
    ("cell", "end"),
    [
        (r"raise ValueError('caf\udce9')", "ValueError: caf\ufffd"),
        (r"import sys; sys.exit('caf\udce9')", "SystemExit: caf\ufffd"),
    ],
)
def test_a_failure_is_told(builder: ProjectBuilder, way: str, cell: str, end: str) -> None:
    done = execute(builder, way, "print('before')", cell)
    assert done.end == end
    assert done.statuses == ["completed", "failed"]
    json.loads((done.folder / "result.json").read_text(encoding="utf-8"))
