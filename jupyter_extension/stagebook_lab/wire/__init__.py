"""The values that go between server and browser. `src/wire/` is generated from these modules.

Every class is plain data as JSON knows it. Paths are relative to the server's root, with `/`; times
are seconds since the epoch, durations seconds.
"""

# A name is added where its class is, and not a second and third time here.
from stagebook_lab.wire.actions import *  # noqa: F403
from stagebook_lab.wire.backfills import *  # noqa: F403
from stagebook_lab.wire.environments import *  # noqa: F403
from stagebook_lab.wire.figures import *  # noqa: F403
from stagebook_lab.wire.files import *  # noqa: F403
from stagebook_lab.wire.incidents import *  # noqa: F403
from stagebook_lab.wire.projects import *  # noqa: F403
from stagebook_lab.wire.runs import *  # noqa: F403
from stagebook_lab.wire.schedules import *  # noqa: F403
from stagebook_lab.wire.timeline import *  # noqa: F403
