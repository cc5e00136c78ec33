"""Series whose first row has failed alone, as if the destination were away: it may be the row after all."""

from __future__ import annotations

from collections.abc import Iterator

MOST = 64


class Suspects:
    """Series keys in the order of their turns, each with how often it failed while others got through.

    At most `most`; the one whose turn is longest ago is forgotten first. Nothing outlives the process:
    a suspicion costs only a request of its own.
    """

    def __init__(self, most: int = MOST) -> None:
        """Begin without any."""
        self._most = most
        self._strikes: dict[str, int] = {}

    def add(self, series: str) -> None:
        """Suspect a series; what is known of it stays."""
        self._strikes.setdefault(series, 0)
        while len(self._strikes) > self._most:
            del self._strikes[next(iter(self._strikes))]

    def strike(self, series: str) -> int:
        """Count that it failed while others got through; return how often it has."""
        self._strikes[series] = self._strikes.get(series, 0) + 1
        return self._strikes[series]

    def clear(self, series: str) -> None:
        """Suspect a series no longer. Safe to repeat."""
        self._strikes.pop(series, None)

    def turn(self) -> str:
        """Return the series that is to be tried next, "" without one; it goes to the end."""
        for series in self._strikes:
            self._strikes[series] = self._strikes.pop(series)
            return series
        return ""

    def __contains__(self, series: str) -> bool:
        return series in self._strikes

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._strikes))

    def __len__(self) -> int:
        return len(self._strikes)
