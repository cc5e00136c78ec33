"""A sink whose name stays while the place it leads to changes: nobody but the operator knows what that means."""

from __future__ import annotations

from appliance.archive import confirmations
from appliance.archive.database import Connection
from appliance.model.routes import Route

KNOWN = "SELECT places, delivered, held FROM sink WHERE name = ?"


def hold_if_moved(cx: Connection, route: Route) -> None:
    """Hold a sink that has delivered to a place and now leads to none of those it led to before.

    The same store under another address must not be sent everything again, over a thin line perhaps
    for weeks; another store would miss what was delivered to the first. So the operator is asked. What the place
    before has confirmed is void once the operator says that it is another (see forget_place).
    """
    known = cx.execute(KNOWN, (route.name,)).fetchone()
    if known is None or not known["places"] or not route.places:
        return
    before = known["places"].split("\n")
    if set(before) & set(route.places):
        return
    if not known["delivered"]:
        forget_place(cx, route.name)  # there is nothing to ask about
        return
    reason = (
        f"leads to {', '.join(route.places)} now, not to {', '.join(before)} any more: if that is the same place,"
        f" resume it; if it is another, first run: appliance outbox replay --sink {route.name} --all"
    )
    if known["held"]:
        reason = f"{reason} (it was held already: {known['held']})"
    cx.execute("UPDATE sink SET held = ? WHERE name = ?", (reason, route.name))


def forget_place(cx: Connection, sink: str) -> None:
    """Void what a sink has confirmed, or every sink without a name: everything is sent to another place now."""
    for row in cx.execute("SELECT name FROM sink WHERE ?1 IN ('', name)", (sink,)).fetchall():
        confirmations.void(cx, row["name"])
