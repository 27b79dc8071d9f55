"""How far MLflow has been told, for a person."""

from __future__ import annotations

from stagebook.tracking.state import TrackingState
from stagebook.views.formatting import plural

_SHOWN = 3  # of what was passed over


def tracking_fields(state: TrackingState) -> dict[str, object]:
    """The state as fields of JSON, beside the number of records that are left."""
    return {"reason": state.reason, "passed_over": list(state.passed_over)}


def tracking_lines(state: TrackingState) -> list[str]:
    """What a person should know, a line each; nothing where MLflow has every record."""
    lines = []
    if state.left and state.behind and not state.reason:
        lines.append(
            f"MLflow gets the last {plural(state.left, 'record')} behind this command; to wait: stagebook sync"
        )
    elif state.left:
        why = f": {state.reason}" if state.reason else ""
        lines.append(
            f"! MLflow did not take {plural(state.left, 'record')}{why}; they are kept, and 'stagebook sync'"
            f" delivers them{' once that is mended' if why else ''}."
        )
    if state.passed_over:
        shown = "; ".join(state.passed_over[:_SHOWN])
        more = (
            f"; and {len(state.passed_over) - _SHOWN} more: stagebook doctor"
            if len(state.passed_over) > _SHOWN
            else ""
        )
        lines.append(f"! MLflow does not take, so that it was passed over: {shown}{more}")
    return lines
