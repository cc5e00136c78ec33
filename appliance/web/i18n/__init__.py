"""The languages of the pages: English in the templates, others by table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from werkzeug.datastructures import LanguageAccept

from appliance.web.i18n.simplified_chinese import MESSAGES as SIMPLIFIED_CHINESE
from appliance.web.i18n.simplified_chinese_access import MESSAGES as SIMPLIFIED_CHINESE_ACCESS
from appliance.web.i18n.simplified_chinese_reading import MESSAGES as SIMPLIFIED_CHINESE_READING

ENGLISH: Final = "en"
CHINESE: Final = "zh-Hans"

CATALOGUES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        ENGLISH: MappingProxyType({}),
        CHINESE: MappingProxyType({**SIMPLIFIED_CHINESE, **SIMPLIFIED_CHINESE_READING, **SIMPLIFIED_CHINESE_ACCESS}),
    }
)
NAMES: Final[Mapping[str, str]] = MappingProxyType({ENGLISH: "English", CHINESE: "简体中文"})


@dataclass(frozen=True, slots=True)
class Translator:
    """Texts in one language; a text without a translation stays English."""

    language: str

    def __call__(self, text: str, **values: object) -> str:
        """Return `text` in this language, with {names} filled in."""
        return CATALOGUES[self.language].get(text, text).format(**values)


def choose_language(asked: str, accepted: LanguageAccept) -> str:
    """Return the language of a page: the one asked for by name, else the browser's first that we have."""
    if asked in CATALOGUES:
        return asked
    for tag in accepted.values():
        primary = tag.lower().split("-")[0]
        if primary in ("en", "zh"):
            return CHINESE if primary == "zh" else ENGLISH
    return ENGLISH
