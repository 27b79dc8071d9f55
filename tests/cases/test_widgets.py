"""Case output_widget_hang: a notebook that shows outputs in a widget ends, and its widget holds them."""

from __future__ import annotations

import pytest

from building import ProjectBuilder
from ways import KERNEL, UNFORKED, execute

pytestmark = pytest.mark.kernel

# What `ipywidgets.Output` says to a front end.
OUTPUT = """
import comm, sys
state = {
    '_model_module': '@jupyter-widgets/output', '_model_module_version': '1.0.0', '_model_name': 'OutputModel',
    '_view_module': '@jupyter-widgets/output', '_view_module_version': '1.0.0', '_view_name': 'OutputView',
    'msg_id': '', 'outputs': (),
}
class Output:
    def __init__(self):
        self.comm = comm.create_comm(target_name='jupyter.widget', data={'state': state})
    def tell(self, msg_id):
        sys.stdout.flush()
        self.comm.send({'method': 'update', 'state': {'msg_id': msg_id}})
    def __enter__(self):
        self.tell(get_ipython().get_parent()['header']['msg_id'])
    def __exit__(self, *_):
        self.tell('')
out = Output()
"""
SHOWS = "with out:\n    for at in range(10):\n        print(at, 'x')"


@pytest.mark.parametrize("way", [KERNEL, UNFORKED])
def test_an_output_widget_takes_outputs_and_nothing_hangs(builder: ProjectBuilder, way: str) -> None:
    done = execute(builder, way, OUTPUT, *[SHOWS] * 60)
    assert done.end == "completed"
    (widget,) = done.notebook["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"][
        "state"
    ].values()
    held = "".join("".join(output["text"]) for output in widget["state"]["outputs"])
    assert held == "".join(f"{at} x\n" for at in range(10)) * 60
    assert done.log == held
