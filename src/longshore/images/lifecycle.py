"""Lifecycle policies: which images are to expire ("Lifecycle policy properties in Amazon ECR").

Pure: a policy and the images of a repository in, the images to delete out.
"""

import fnmatch
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

DAY = 86400.0
MAX_RULES = 50
MAX_TEXT = 30720


class LifecycleInvalid(Exception):
    """The text is no lifecycle policy; the message says why."""


class Selection(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    tag_status: Literal["tagged", "untagged", "any"]
    count_type: Literal["imageCountMoreThan", "sinceImagePushed"]
    count_number: int
    count_unit: Literal["days"] | None = None
    tag_prefix_list: tuple[str, ...] = ()
    tag_pattern_list: tuple[str, ...] = ()


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: Literal["expire"]


class Rule(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    rule_priority: int
    selection: Selection
    action: Action
    description: str = ""


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rules: tuple[Rule, ...]


class Candidate(NamedTuple):
    """An image as lifecycle rules see it. `listed` images belong to an index, which goes first."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: float
    listed: bool = False


class Expiry(NamedTuple):
    """An image that is to expire, and the priority of the rule that says so."""

    candidate: Candidate
    priority: int


def parse_policy(text: str) -> Policy:
    """The policy, its rules in order of priority; raises LifecycleInvalid."""
    try:
        policy = msgspec.json.decode(text.encode(), type=Policy)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise LifecycleInvalid(str(error)) from error
    rules = sorted(policy.rules, key=lambda rule: rule.rule_priority)
    if not 0 < len(rules) <= MAX_RULES:
        raise LifecycleInvalid(f"a policy has 1 to {MAX_RULES} rules")
    if len({rule.rule_priority for rule in rules}) != len(rules):
        raise LifecycleInvalid("rulePriority must be unique")
    for rule in rules:
        _check(rule)
    if any(rule.selection.tag_status == "any" for rule in rules[:-1]):
        raise LifecycleInvalid("a rule with tagStatus any must have the highest rulePriority")
    return Policy(rules=tuple(rules))


def _check(rule: Rule) -> None:
    selection = rule.selection
    if rule.rule_priority < 1 or selection.count_number < 1:
        raise LifecycleInvalid("rulePriority and countNumber must be 1 or more")
    if (selection.count_type == "sinceImagePushed") != (selection.count_unit is not None):
        raise LifecycleInvalid("countUnit is for countType sinceImagePushed, which needs it")
    named = bool(selection.tag_prefix_list) + bool(selection.tag_pattern_list)
    if named != (1 if selection.tag_status == "tagged" else 0):
        raise LifecycleInvalid(
            "one of tagPrefixList and tagPatternList is for tagStatus tagged, which needs it"
        )


def expiries(policy: Policy, images: Iterable[Candidate], now: float) -> list[Expiry]:
    """What is to expire at `now` (epoch seconds).

    Each image belongs to the rule of the lowest priority number whose selection it matches, which
    alone can expire it; in the counting of later rules it still takes part.
    """
    everything = sorted(images, key=lambda image: (-image.pushed_at, image.digest))
    claimed: set[str] = set()
    found: list[Expiry] = []
    for rule in policy.rules:
        selected = [image for image in everything if _matches(rule.selection, image.tags)]
        found += [
            Expiry(image, rule.rule_priority)
            for image in _beyond(rule.selection, selected, now)
            if image.digest not in claimed and not image.listed
        ]
        claimed |= {image.digest for image in selected}
    return found


def _matches(selection: Selection, tags: Sequence[str]) -> bool:
    """Several prefixes or patterns select the images that have tags for all of them."""
    if selection.tag_status == "any":
        return True
    if selection.tag_status == "untagged":
        return not tags
    prefixes = all(
        any(tag.startswith(prefix) for tag in tags) for prefix in selection.tag_prefix_list
    )
    patterns = all(_has_tag_like(pattern, tags) for pattern in selection.tag_pattern_list)
    return bool(tags) and prefixes and patterns


def _has_tag_like(pattern: str, tags: Sequence[str]) -> bool:
    """Only `*` is special."""
    escaped = pattern.replace("[", "[[]").replace("?", "[?]")
    return any(fnmatch.fnmatchcase(tag, escaped) for tag in tags)


def _beyond(selection: Selection, newest_first: list[Candidate], now: float) -> list[Candidate]:
    if selection.count_type == "imageCountMoreThan":
        return newest_first[selection.count_number :]
    oldest = now - selection.count_number * DAY
    return [image for image in newest_first if image.pushed_at < oldest]
