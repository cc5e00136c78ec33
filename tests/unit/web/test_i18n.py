"""The pages' languages: every text of a template has its translation, with the same names in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from werkzeug.datastructures import LanguageAccept

import appliance.web
from appliance.web.forms import REFUSALS, WORDS, sentence
from appliance.web.i18n import CATALOGUES, Translator, choose_language
from appliance.web.login import STILL_OPEN
from appliance.web.notices import CONFLICTS, HELD, MEANINGS, TEXTS
from appliance.web.undrawable import REASONS, UNKNOWN
from appliance.web.worklist import MISTAKES, Whereabouts, badges

TEMPLATES = Path(appliance.web.__file__).parent / "templates"
CALL = re.compile(r"_\(\s*(?:\"([^\"]*)\"|'([^']*)')")
NAME = re.compile(r"{(\w+)}")


def template_texts() -> set[str]:
    sources = (path.read_text(encoding="utf-8") for path in TEMPLATES.glob("*.html"))
    return {first or second for source in sources for first, second in CALL.findall(source)}


def badge_texts() -> set[str]:
    study: dict[str, int] = {"updated_at": 0, "NumberOfStudyRelatedInstances": 2}
    sent = {"a": 1, "b": 2, "c": 2}
    found = [
        badges(study, Whereabouts(lost, centre, lost, sent, {"c": 2}), now, "UTC")
        for now in (0, 10**12) for lost in (0, 1) for centre in (0, 1, 2)
    ]  # fmt: skip
    return {badge.text for some in found for badge in some}


@pytest.mark.parametrize("language", [language for language in CATALOGUES if language != "en"])
def test_every_text_is_translated_and_no_translation_is_left_over(language: str) -> None:
    shown = template_texts() | badge_texts() | {HELD, CONFLICTS, *TEXTS.values(), *MEANINGS.values(), *MISTAKES}
    shown |= {UNKNOWN, *REASONS.values()}
    shown |= {STILL_OPEN, *WORDS.values(), *map(sentence, REFUSALS)}
    assert shown == set(CATALOGUES[language])


def test_translations_name_the_same_values() -> None:
    for catalogue in CATALOGUES.values():
        for text, translation in catalogue.items():
            assert set(NAME.findall(text)) == set(NAME.findall(translation))


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        ("", [("zh-CN", 1)], "zh-Hans"),
        ("", [("de", 1), ("zh", 0.5), ("en", 0.2)], "zh-Hans"),
        ("", [("en-GB", 1), ("zh", 0.9)], "en"),
        ("", [("fr", 1)], "en"),
        ("", [], "en"),
        ("zh-Hans", [("en", 1)], "zh-Hans"),
        ("klingon", [("zh", 1)], "zh-Hans"),
    ],
)
def test_the_language_is_the_one_asked_for_or_the_browsers(
    asked: str, accepted: list[tuple[str, float]], language: str
) -> None:
    assert choose_language(asked, LanguageAccept(accepted)) == language


def test_values_are_filled_in() -> None:
    assert Translator("zh-Hans")("{count} studies", count=3) == "共 3 个检查"
    assert Translator("en")("{count} studies", count=3) == "3 studies"
