"""The presentation contexts this door accepts: one table behind negotiation and conformance statement."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydicom._uid_dict import UID_dictionary
from pynetdicom import sop_class
from pynetdicom.presentation import PresentationContext

from appliance.model.syntaxes import storable_syntaxes

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")

VERIFICATION = "1.2.840.10008.1.1"

# Named "Storage", but not composite objects of a study: a media directory, the two services of storage
# commitment, and the non-patient objects (hanging protocols, palettes, implants, procedure protocols,
# inventories), which have no place in an archive of studies.
NOT_OF_A_STUDY = frozenset(
    (
        "1.2.840.10008.1.3.10",
        "1.2.840.10008.1.20.1",
        "1.2.840.10008.1.20.2",
        "1.2.840.10008.5.1.4.1.1.200.1",
        "1.2.840.10008.5.1.4.1.1.200.3",
        "1.2.840.10008.5.1.4.1.1.200.7",
        "1.2.840.10008.5.1.4.1.1.201.1",
        "1.2.840.10008.5.1.4.38.1",
        "1.2.840.10008.5.1.4.39.1",
        "1.2.840.10008.5.1.4.43.1",
        "1.2.840.10008.5.1.4.44.1",
        "1.2.840.10008.5.1.4.45.1",
    )
)


def storage_classes() -> dict[str, str]:
    """UID to name of every storage SOP class that pydicom or pynetdicom lists, retired ones included."""
    listed = {
        uid: name for uid, (name, kind, *_) in UID_dictionary.items() if kind == "SOP Class" and "Storage" in name
    }
    # pynetdicom knows classes that pydicom does not name yet; their keywords are names without spaces.
    newer = {uid: _CAPITAL.sub(" ", keyword) for keyword, uid in sop_class._STORAGE_CLASSES.items()}
    merged = {**newer, **listed}
    return {uid: merged[uid] for uid in sorted(merged, key=_numerically) if uid not in NOT_OF_A_STUDY}


def _numerically(uid: str) -> list[int]:
    return [int(part) for part in uid.split(".")]


@dataclass(frozen=True, slots=True)
class ContextTable:
    """What may be negotiated: abstract syntaxes and, in our order of preference, transfer syntaxes."""

    storage: frozenset[str]
    transfer_syntaxes: tuple[str, ...]

    @classmethod
    def of(cls, private_sop_classes: Sequence[str] = ()) -> ContextTable:
        """The dictionaries' storage classes and the private ones the operator configured."""
        return cls(
            frozenset((*storage_classes(), *private_sop_classes)),
            tuple(each.uid for each in storable_syntaxes()),
        )

    def preferring(self, order: Sequence[str]) -> ContextTable:
        """The same table with a peer's own order first and ours after it: an order refuses nothing.

        Syntaxes that cannot be stored are ignored.
        """
        if not order:
            return self
        first = tuple(uid for uid in dict.fromkeys(order) if uid in self.transfer_syntaxes)
        rest = tuple(uid for uid in self.transfer_syntaxes if uid not in first)
        return ContextTable(self.storage, first + rest)

    def supported(self, proposed: Iterable[PresentationContext]) -> list[PresentationContext]:
        """Our side of the negotiation, cut down to what was proposed; the order within is ours."""
        offered: dict[str, set[str]] = {}
        for context in proposed:
            offered.setdefault(str(context.abstract_syntax), set()).update(map(str, context.transfer_syntax))
        return [
            self._context(uid, syntaxes)
            for uid, syntaxes in offered.items()
            if uid == VERIFICATION or uid in self.storage
        ]

    def _context(self, abstract_syntax: str, offered: set[str]) -> PresentationContext:
        context = PresentationContext()
        context.abstract_syntax = abstract_syntax
        context.transfer_syntax = [uid for uid in self.transfer_syntaxes if uid in offered]
        return context
