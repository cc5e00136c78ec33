"""Names of accounts and tokens, and what a password must be like."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from appliance.access.faults import Unfit

LONGEST_NAME: Final = 64
SHORTEST_PASSWORD: Final = 10
LONGEST_PASSWORD: Final = 256
FEWEST_LETTERS: Final = 5

NAME_RULE: Final = f"a name has 1 to {LONGEST_NAME} letters, digits and . @ + - _, the first and last a letter or digit"
LENGTH_RULE: Final = f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters; a sentence is a good one"
VARIETY_RULE: Final = f"a password has at least {FEWEST_LETTERS} different characters"
STRANGE_RULE: Final = "a password must not contain the account's name"
RULES: Final = (NAME_RULE, LENGTH_RULE, VARIETY_RULE, STRANGE_RULE)

_NAME: Final = re.compile(r"[\w](?:[\w .@+-]*[\w])?")


def account_name(text: str) -> str:
    """Return the one spelling of an account's name: composed, folded, without blanks around it. Raises Unfit."""
    name = folded(text)
    if not 0 < len(name) <= LONGEST_NAME or not _NAME.fullmatch(name):
        raise Unfit(NAME_RULE)
    return name


def folded(text: str) -> str:
    """Return a name as it is compared; of any text, without error."""
    return unicodedata.normalize("NFKC", text.strip()).casefold()


def new_password(text: str, name: str) -> str:
    """Return a password fit to be set for an account. Raises Unfit, which says the rule and not the password."""
    password = spelled(text)
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Unfit(LENGTH_RULE)
    if len(set(password.casefold())) < FEWEST_LETTERS:
        raise Unfit(VARIETY_RULE)
    if name and name in password.casefold():
        raise Unfit(STRANGE_RULE)
    return password


def spelled(text: str) -> str:
    """Return a password in one spelling: keyboards compose letters with accents in different ways."""
    return unicodedata.normalize("NFKC", text)
