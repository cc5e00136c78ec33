"""Person names: one folded form in which a search finds a name however it was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.model.names import fold, name_search

FOLDED = [
    ("", ""),
    ("Doe^John", "=doe^john="),
    ("DOE^JOHN^^^", "=doe^john="),
    (" Doe ^ John ", "=doe^john="),
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "=yamada^tarou=山田^太郎=やまだ^たろう="),
    ("ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=", "=ヤマダ^タロウ=山田^太郎="),
    ("=山田^太郎", "==山田^太郎="),
    ("Müller^Jörg", "=muller^jorg="),
    ("GROSS^Anna", "=gross^anna="),
    ("Groß^Anna", "=gross^anna="),
    ("Łukasz^Øre", "=lukasz^ore="),
    ("Ｗａｎｇ＾Ｘｉａｏ", "=wang^xiao="),
    ("Люкceмбypг", "=люкceмбypг="),
    ("Йод^Иод", "=йод^иод="),
    ("Διονυσιος", "=διονυσιοσ="),
    ("İstanbul^Işık", "=istanbul^isik="),
    ("홍^길동", "=홍^길동="),
    ("Doe^John\\Roe^Jane", "=doe^john=roe^jane="),
    ("a＝b", "=a b="),
    ("Wang\u3000 Xiao", "=wang xiao="),
    ("A\0B", "=ab="),
]


@pytest.mark.parametrize(("name", "expected"), FOLDED)
def test_a_name_is_folded_for_search(name: str, expected: str) -> None:
    assert name_search(name) == expected


@given(st.text(max_size=40))
def test_folding_is_stable(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(max_size=40))
def test_a_folded_name_stands_between_equals_signs(text: str) -> None:
    folded = name_search(text)
    assert folded == "" or (folded.startswith("=") and folded.endswith("=") and len(folded) > 2)
