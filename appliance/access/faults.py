"""What access refuses, in words for the person in front of it. None of them tells a stranger what exists."""

from __future__ import annotations

from typing import Final

from appliance.errors import ApplianceError

WRONG_LOGIN: Final = "name or password is not right"
WRONG_CODE: Final = "this is not the set-up code, or it is used up"
WRONG_PASSWORD: Final = "the present password is not right"
CLOSED: Final = "this account is closed"
ACCOUNT_TAKEN: Final = "there is an account of this name already"


class Unfit(ApplianceError):
    """A name or password that cannot be one. `message` says the rule, never the value."""


class NameTaken(ApplianceError):
    """An account or a token of this name is there already."""


class NotAdmitted(ApplianceError):
    """Name and password, or the code, are not right; which of them is not said."""


class Locked(ApplianceError):
    """Too many attempts failed. `seconds` have to pass before the next one is looked at."""

    retryable = True

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many attempts failed; the next one counts in {seconds} seconds")
        self.seconds = seconds


class Crowded(ApplianceError):
    """More people log in at this moment than memory is set aside for."""

    retryable = True

    def __init__(self) -> None:
        super().__init__("too many logins at once", hint="try again in a moment")
