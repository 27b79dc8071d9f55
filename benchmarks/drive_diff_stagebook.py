"""Two versions of a table compared by their key, as `stagebook diff` does it: `BEFORE AFTER KEY ROOT`."""

import json
import sys
from pathlib import Path

from stagebook.artifact import Artifact
from stagebook.comparing.contents import Contents
from stagebook.comparing.difference import DatasetDifference
from stagebook.comparing.side import SideDataset
from stagebook.system.store import Store

root = Path(sys.argv[4])
(root / ".stagebook").mkdir(exist_ok=True)
before, after = (SideDataset(artifact=Artifact(path=path), place=Path(path)) for path in sys.argv[1:3])
same = DatasetDifference(name="t", path="t", what="changed")
found = Contents(root, Store(root / "store")).compare(same, before, after, (sys.argv[3],))
assert found.rows is not None, found.remark
print(json.dumps([found.rows.added, found.rows.removed, found.rows.changed]))
