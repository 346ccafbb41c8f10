"""The pure rules of IAM: pages, tags, trust policies, and what calls are about."""

import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.model import iam
from longshore.model.errors import AwsError
from longshore.model.principal import root
from longshore.services.iam import service
from longshore.services.iam.pages import page
from longshore.services.iam.resources import RESOURCES
from longshore.services.iam.tagging import MOST_TAGS, checked_tags
from longshore.services.iam.trust import shown_trust, stored_trust
from longshore.testing.memory_store import MemoryStore

ACCOUNT = "123456789012"
NOT_ABOUT_ANYTHING = {
    "CreateAccountAlias",
    "DeleteAccountAlias",
    "GetAccountAuthorizationDetails",
    "GetAccountSummary",
    "ListAccountAliases",
    "ListOpenIDConnectProviders",
    "SimulateCustomPolicy",
}
"""Operations without a resource in the Service Authorization Reference."""
names = st.text(min_size=1, max_size=400)


@given(st.sets(names, max_size=30), st.integers(1, 7))
def test_pages_together_are_the_list_in_order(entries: set[str], size: int):
    found: list[str] = []
    request: dict[str, object] = {"MaxItems": size}
    while True:
        given_, more = page(entries, str, request)
        assert len(given_) <= size
        found += given_
        if not more["IsTruncated"]:
            break
        assert len(more["Marker"]) <= 320
        request["Marker"] = more["Marker"]
    assert len(found) == len(entries) and set(found) == entries


@pytest.mark.parametrize("marker", ["!", "YQ", "/w==", "é"])
def test_marker_that_was_never_given_is_refused(marker: str):
    with pytest.raises(AwsError, match="Invalid Marker"):
        page(["a"], str, {"Marker": marker})


keys = st.text("abcABC:-", min_size=1, max_size=4)


@given(st.dictionaries(keys, st.text(max_size=3)), st.dictionaries(keys, st.text(max_size=3)))
def test_tags_never_hold_one_key_in_two_cases(before: dict[str, str], given_: dict[str, str]):
    held = {key.lower(): (key, value) for key, value in before.items()}
    tags = [{"Key": key, "Value": value} for key, value in given_.items()]
    if len({key.lower() for key in given_}) < len(given_):
        with pytest.raises(AwsError, match="Duplicate tag keys found"):
            checked_tags(tags, tuple(held.values()))
        return
    after = checked_tags(tags, tuple(held.values()))
    lowered = [key.lower() for key, _ in after]
    assert len(set(lowered)) == len(lowered)
    assert set(given_.items()) <= set(after)


@pytest.mark.parametrize("key", ["aws:x", "AWS:x"])
def test_tags_of_aws_are_not_for_callers(key: str):
    with pytest.raises(AwsError, match="reserved"):
        checked_tags([{"Key": key, "Value": ""}])


def test_there_are_fifty_tags_at_most():
    tags = [{"Key": f"k{number}", "Value": ""} for number in range(MOST_TAGS)]
    assert len(checked_tags(tags)) == MOST_TAGS
    with pytest.raises(AwsError, match="LimitExceeded"):
        checked_tags([{"Key": "one more", "Value": ""}], checked_tags(tags))


def user(name: str, path: str, number: int) -> iam.User:
    return iam.User(
        name=name,
        path=path,
        id=f"AIDA{'A' * 16}{'BCDEFG'[number]}",
        arn=f"arn:aws:iam::{ACCOUNT}:user{path}{name}",
        created_at=0.0,
    )


async def with_users(*users: iam.User) -> MemoryStore:
    store = MemoryStore()

    def write(tx):
        for each in users:
            tx.put(iam.USER, ACCOUNT, "", each.name.lower(), each)

    await store.transact(write)
    return store


def trusting(*principals: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": list(principals), "Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


async def test_trust_policy_shows_as_it_was_given_and_holds_ids():
    ann, bea = user("ann", "/", 0), user("Bea", "/x/", 1)
    store = await with_users(ann, bea)
    given_ = trusting(ann.arn, "*", bea.arn, ACCOUNT, "arn:aws:iam::999999999999:root")
    stored = stored_trust(store.reader, ACCOUNT, given_)
    assert ann.arn not in stored and bea.arn not in stored
    assert json.loads(shown_trust(store.reader, ACCOUNT, stored)) == json.loads(given_)
    assert stored_trust(store.reader, ACCOUNT, stored) == stored


@pytest.mark.parametrize(
    "name",
    [
        f"arn:aws:iam::{ACCOUNT}:user/Ann",
        f"arn:aws:iam::{ACCOUNT}:user/x/ann",
        f"arn:aws:iam::{ACCOUNT}:role/ann",
        f"arn:aws:iam::{ACCOUNT}:group/ann",
        f"arn:aws:iam::{ACCOUNT}:user/*",
        "AIDAZZZZZZZZZZZZZZZZZ",
        "ann",
    ],
)
async def test_principal_that_nobody_is_is_not_trusted(name: str):
    store = await with_users(user("ann", "/", 0))
    with pytest.raises(AwsError, match=r"Invalid principal in policy"):
        stored_trust(store.reader, ACCOUNT, trusting(name))


def test_every_operation_is_about_a_resource_or_known_to_be_about_none():
    offered = service()
    assert set(offered.operations) - set(RESOURCES) == NOT_ABOUT_ANYTHING
    assert set(RESOURCES) <= set(offered.operations)


@given(st.text("aAbB", min_size=1, max_size=3), st.sampled_from(["/", "/p/", "/P/q/"]))
async def test_entity_stands_under_its_own_arn_however_it_is_named(asked: str, path: str):
    known = user("aAb", path, 0)
    store = await with_users(known)
    context = SimpleNamespace(
        tx=store.reader, account=ACCOUNT, principal=root(ACCOUNT), operation="GetUser"
    )
    (resource,) = RESOURCES["GetUser"](context, {"UserName": asked})
    expected = known.arn if asked.lower() == "aab" else f"arn:aws:iam::{ACCOUNT}:user/{asked}"
    assert resource.arn == expected
