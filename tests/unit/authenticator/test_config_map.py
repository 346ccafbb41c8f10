"""What the ConfigMap `aws-auth` says."""

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.authenticator.config_map import ConfigMap, Mapped, read_config_map

ROLE = "arn:aws:iam::123456789012:role/nodes"
USER = "arn:aws:iam::123456789012:user/ann"
MAP_ROLES = f"""
- rolearn: {ROLE}
  username: system:node:{{{{EC2PrivateDNSName}}}}
  groups:
    - system:bootstrappers
    - system:nodes
"""


def read(**data: Any) -> ConfigMap:
    return read_config_map({"kind": "ConfigMap", "data": data})


def test_roles_users_and_accounts_are_mapped() -> None:
    found = read(
        mapRoles=MAP_ROLES,
        mapUsers=f"- userarn: {USER}\n  username: ann\n  groups: [editors]\n",
        mapAccounts="- '210987654321'\n- 012345678901\n",
    )
    groups = ("system:bootstrappers", "system:nodes")
    assert found.mapped(ROLE) == Mapped("system:node:{{EC2PrivateDNSName}}", groups)
    assert found.mapped(USER) == Mapped("ann", ("editors",))
    guest = "arn:aws:iam::210987654321:user/guest"
    assert found.mapped(guest) == Mapped(guest)
    assert found.mapped("arn:aws:iam::123456789012:user/bob") is None


def test_arns_are_compared_without_regard_to_case() -> None:
    assert read(mapRoles=MAP_ROLES).mapped(ROLE.replace("nodes", "Nodes")) is not None


def test_a_mistake_in_an_entry_hides_that_one_alone() -> None:
    found = read(mapRoles=f"- rolearn: 5\n- a\n- groups: x\n- rolearn: {ROLE}\n  groups: none\n")
    assert found.roles == {ROLE: Mapped(ROLE)}
    broken = read(mapRoles="- rolearn: [", mapUsers=f"- userarn: {USER}\n  username: ann\n")
    assert broken.mapped(USER) == Mapped("ann")


def test_a_short_text_that_would_be_a_huge_document_is_not_read() -> None:
    bomb = "- &a [x, x]\n- &b [*a, *a]\n- [*b, *b]\n"
    assert read(mapRoles=bomb) == ConfigMap()
    assert read(mapRoles="[" * 10_000) == ConfigMap()


def test_no_config_map_maps_nobody() -> None:
    for absent in (None, {}, {"data": None}, {"data": {"mapRoles": 5}}):
        assert read_config_map(absent) == ConfigMap()


@settings(deadline=None)
@given(st.text() | st.recursive(st.text() | st.integers(), st.lists).map(yaml.safe_dump))
def test_no_text_whatever_is_more_than_a_mistake(text: str) -> None:
    found = read(mapRoles=text, mapUsers=text, mapAccounts=text)
    assert found.mapped(ROLE) is None
