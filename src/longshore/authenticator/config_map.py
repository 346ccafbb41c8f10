"""The ConfigMap `aws-auth`: users of clusters whose authentication mode knows it.

("Grant IAM users access to Kubernetes with a ConfigMap", Amazon EKS User Guide, and the README of
AWS IAM Authenticator for Kubernetes: `mapRoles`, `mapUsers`, `mapAccounts`, in YAML.) A mistake in
one entry hides that entry alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import yaml

from longshore.model.arn import parse_arn

PATH = "/api/v1/namespaces/kube-system/configmaps/aws-auth"
MODES = frozenset({"CONFIG_MAP", "API_AND_CONFIG_MAP"})
LONGEST = 256 * 1024
"""Characters of one of its members that are read."""
DEEPEST = 8
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, which takes a tenth of the time, wherever PyYAML has it."""


class Mapped(msgspec.Struct, frozen=True):
    """Who somebody is in the cluster; `username` may have `{{SessionName}}` and such in it."""

    username: str
    groups: tuple[str, ...] = ()


class ConfigMap(msgspec.Struct, frozen=True):
    """What it says; ARNs are in lower case, as they are compared."""

    roles: Mapping[str, Mapped] = msgspec.field(default_factory=dict)
    users: Mapping[str, Mapped] = msgspec.field(default_factory=dict)
    accounts: frozenset[str] = frozenset()

    def mapped(self, arn: str) -> Mapped | None:
        """Who the user or role of this ARN is: a role by itself, then a user, then its account's
        anybody, whose name is the ARN."""
        found = self.roles.get(arn.lower()) or self.users.get(arn.lower())
        if found is not None:
            return found
        parts = parse_arn(arn)
        return Mapped(arn) if parts is not None and parts.account in self.accounts else None


def read_config_map(found: Mapping[str, Any] | None) -> ConfigMap:
    """What the object says; nothing where there is none."""
    data = (found or {}).get("data") or {}
    return ConfigMap(
        roles=dict(_entries(data, "mapRoles", "rolearn")),
        users=dict(_entries(data, "mapUsers", "userarn")),
        accounts=frozenset(_accounts(data)),
    )


def _entries(data: Mapping[str, Any], member: str, key: str) -> Iterator[tuple[str, Mapped]]:
    """By ARN; the first of several entries with the same counts."""
    seen: set[str] = set()
    for entry in _list(data, member):
        if not isinstance(entry, Mapping):
            continue
        arn = entry.get(key)
        if not isinstance(arn, str) or not arn or arn.lower() in seen:
            continue
        seen.add(arn.lower())
        username, groups = entry.get("username"), entry.get("groups")
        listed = groups if isinstance(groups, list) else []
        named = str(username) if isinstance(username, str | int) and username else arn
        yield arn.lower(), Mapped(named, tuple(each for each in listed if isinstance(each, str)))


def _accounts(data: Mapping[str, Any]) -> Iterator[str]:
    """Account ids; YAML takes those without quotation marks for numbers."""
    for entry in _list(data, "mapAccounts"):
        if isinstance(entry, str | int) and not isinstance(entry, bool):
            yield str(entry).zfill(12)


def _list(data: Mapping[str, Any], member: str) -> Iterable[Any]:
    text = data.get(member)
    if not isinstance(text, str) or len(text) > LONGEST:
        return []
    try:
        _check_plain(text)
        found = yaml.load(text, LOADER)  # noqa: S506 - a safe one
    except (yaml.YAMLError, RecursionError, ValueError):
        return []
    return found if isinstance(found, list) else []


def _check_plain(text: str) -> None:
    """No aliases, by which a short text would be a huge document; and not a deep one."""
    depth = 0
    for event in yaml.parse(text, LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST or isinstance(event, yaml.AliasEvent):
            raise ValueError("not a plain list")
