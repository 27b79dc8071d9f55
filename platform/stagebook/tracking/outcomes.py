"""What comes of telling MLflow something, where it is not done."""

from __future__ import annotations

# What MLflow says of a record that it takes under no circumstances.
REFUSALS = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE"})


class Refused(Exception):
    """MLflow does not take a record, however often it is told; the reason, in one line."""


class Gone(Exception):
    """A run, or an experiment, is not there any more."""


class BadReply(Exception):
    """What answers is no MLflow: it says well done, and nothing of what was asked."""


class StoreReplaced(Exception):
    """MLflow's database was removed, or another one is in its place: the process is to begin anew."""


def is_permanent(error: Exception) -> bool:
    """Whether MLflow refuses a thing for good, so that asking again is of no use."""
    return isinstance(error, Refused) or getattr(error, "error_code", "") in REFUSALS
