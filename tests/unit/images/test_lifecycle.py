import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.images.lifecycle import (
    Candidate,
    LifecycleInvalid,
    Policy,
    expiries,
    parse_policy,
)

DAY = 86400.0
NOW = 1000 * DAY


def rule(priority: int, **selection: Any) -> dict[str, Any]:
    return {"rulePriority": priority, "selection": selection, "action": {"type": "expire"}}


def newest(priority: int, count: int, status: str = "any", **more: Any) -> dict[str, Any]:
    selection = {"tagStatus": status, "countType": "imageCountMoreThan", "countNumber": count}
    return rule(priority, **selection, **more)


def younger(priority: int, days: int, status: str = "any", **more: Any) -> dict[str, Any]:
    selection = {"tagStatus": status, "countType": "sinceImagePushed", "countNumber": days}
    return rule(priority, **selection, countUnit="days", **more)


def policy(*rules: dict[str, Any]) -> Policy:
    return parse_policy(json.dumps({"rules": rules}))


def image(name: str, days: float, *tags: str, listed: bool = False) -> Candidate:
    return Candidate(name, tags, NOW - days * DAY, listed)


def expired(found: Policy, *images: Candidate) -> dict[str, int]:
    return {expiry.candidate.digest: expiry.priority for expiry in expiries(found, images, NOW)}


IMAGES = st.lists(
    st.builds(
        Candidate,
        digest=st.uuids().map(str),
        tags=st.lists(st.sampled_from(["prod-1", "prod-2", "dev"]), max_size=2).map(tuple),
        pushed_at=st.floats(0, NOW),
        listed=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda image: image.digest,
)


@given(images=IMAGES, count=st.integers(1, 12))
def test_a_count_keeps_the_newest(images: list[Candidate], count: int) -> None:
    gone = expired(policy(newest(1, count)), *images)
    kept = [candidate for candidate in images if candidate.digest not in gone]
    assert len(kept) >= min(count, len(images))
    for digest in gone:
        (lost,) = [candidate for candidate in images if candidate.digest == digest]
        assert sum(other.pushed_at >= lost.pushed_at for other in images) > count
        assert not lost.listed


@given(images=IMAGES, days=st.integers(1, 999))
def test_an_age_expires_just_what_is_older(images: list[Candidate], days: int) -> None:
    gone = expired(policy(younger(1, days)), *images)
    for candidate in images:
        old = NOW - candidate.pushed_at > days * DAY
        assert (candidate.digest in gone) == (old and not candidate.listed)


def test_the_rule_with_the_lower_number_decides_for_what_it_selects() -> None:
    found = policy(newest(2, 1), newest(1, 5, "tagged", tagPrefixList=["prod"]))
    images = [image("a", 1), image("b", 2), image("c", 9, "prod-1")]
    assert expired(found, *images) == {"b": 2}


def test_untagged_images_are_told_apart() -> None:
    found = policy(younger(1, 3, "untagged"))
    assert expired(found, image("a", 5), image("b", 5, "v1"), image("c", 1)) == {"a": 1}


def test_several_patterns_select_what_has_tags_for_all() -> None:
    found = policy(younger(1, 1, "tagged", tagPatternList=["v*", "*-test"]))
    images = [image("a", 5, "v1"), image("b", 5, "v1", "x-test"), image("c", 5, "v1-test")]
    assert expired(found, *images) == {"b": 1, "c": 1}


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [newest(1, 1), newest(1, 2)],
        [newest(1, 1), newest(2, 1, "untagged")],
        [newest(0, 1)],
        [newest(1, 0)],
        [newest(1, 1, "tagged")],
        [newest(1, 1, "untagged", tagPrefixList=["a"])],
        [newest(1, 1, countUnit="days")],
        [rule(1, tagStatus="any", countType="sinceImagePushed", countNumber=1)],
        [{**newest(1, 1), "action": {"type": "transition"}}],
        [{**newest(1, 1), "unknown": 1}],
    ],
)
def test_what_is_no_policy_is_refused(rules: list[dict[str, Any]]) -> None:
    with pytest.raises(LifecycleInvalid):
        policy(*rules)


@given(text=st.text())
def test_any_text_is_a_policy_or_refused(text: str) -> None:
    with pytest.raises(LifecycleInvalid):
        parse_policy(text)
