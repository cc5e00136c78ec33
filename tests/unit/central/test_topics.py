"""What is to be done about topics, from what is there."""

from __future__ import annotations

from appliance.central.steps import Action, is_due, warns
from appliance.central.topics import Found, TopicRules, plan

RULES = TopicRules(partitions=12, replication=3, retention_hours=24, dead_letter_hours=48)


def test_each_topic_has_one_for_its_dead_letters() -> None:
    wanted = {topic.name: topic for topic in RULES.wanted(["a", "b"])}
    assert list(wanted) == ["a", "b", "a.dlq", "b.dlq"]
    assert (wanted["a"].partitions, wanted["a.dlq"].partitions) == (12, 1)
    assert wanted["a"].configs["retention.ms"] == str(24 * 3_600_000)
    assert wanted["a.dlq"].configs["retention.ms"] == str(48 * 3_600_000)
    assert int(wanted["a.dlq"].configs["max.message.bytes"]) > 1_048_588


def test_all_copies_but_one_must_have_a_record() -> None:
    least = {n: TopicRules(1, n, 1, 1).wanted(["a"])[0].configs["min.insync.replicas"] for n in (1, 2, 3)}
    assert least == {1: "1", 2: "1", 3: "2"}


def test_topics_are_made_extended_or_left() -> None:
    wanted = RULES.wanted(["new", "small", "right", "large", "thin"])[:5]
    found = {"small": Found(3, 3), "right": Found(12, 3), "large": Found(24, 3), "thin": Found(12, 1)}
    steps = {step.name: step for step in plan(wanted, found)}
    assert [steps[name].action for name in steps] == [
        Action.CREATE, Action.EXTEND, Action.KEEP, Action.KEEP, Action.KEEP,
    ]  # fmt: skip
    assert [name for name, step in steps.items() if step.warning] == ["large", "thin"]
    assert is_due(steps.values()) and warns(steps.values())
    assert not is_due([steps["right"]]) and not warns([steps["right"]])
