"""Executing stages: the runner, the engines, and the process of one attempt."""

import sys

# jsonschema offers more checks where this is installed, as it is with JupyterLab. Nothing here uses
# them, and importing it costs a second and a half: it builds a grammar.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
