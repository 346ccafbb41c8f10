"""What is kept of a decision is never older than the records, nor the request's own conditions."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.model import iam
from longshore.model.errors import AwsError
from longshore.model.kinds import KINDS
from longshore.services.iam.identity import IamIdentity, user_principal
from longshore.services.interface import Resource
from longshore.store import open_store
from longshore.store.interface import Store

ACCOUNT = "111122223333"
HERE = {"aws:SourceIp": "192.0.2.1"}
CLUSTER = Resource(arn=f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/web")
POLICY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/all"


def _policy(effect: str = "Allow", **more: object) -> str:
    statement = {"Effect": effect, "Action": "ecs:*", "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def _ann(*inline: str, attached: tuple[str, ...] = (), groups: tuple[str, ...] = ()) -> iam.User:
    return iam.User(
        name="ann",
        path="/",
        id="AIDAANN",
        arn=f"arn:aws:iam::{ACCOUNT}:user/ann",
        created_at=0.0,
        inline=tuple((str(number), text) for number, text in enumerate(inline)),
        attached=attached,
        groups=groups,
    )


class Account:
    """One user's calls, and the records that decide about them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.identity = IamIdentity(RandomIds())

    async def put(self, user: iam.User) -> None:
        await self.store.transact(lambda tx: tx.put(iam.USER, ACCOUNT, "", "ann", user))

    async def put_group(self, *inline: str) -> None:
        group = iam.Group(
            name="ops",
            path="/",
            id="AGPAOPS",
            arn=f"arn:aws:iam::{ACCOUNT}:group/ops",
            created_at=0.0,
            inline=tuple((str(number), text) for number, text in enumerate(inline)),
        )
        await self.store.transact(lambda tx: tx.put(iam.GROUP, ACCOUNT, "", "ops", group))

    async def put_policy(self, text: str) -> None:
        version = iam.PolicyVersion(id="v1", document=text, created_at=0.0)
        policy = iam.Policy(
            name="all",
            path="/",
            id="ANPAALL",
            arn=POLICY_ARN,
            created_at=0.0,
            updated_at=0.0,
            versions=(version,),
            default_version="v1",
        )
        await self.store.transact(lambda tx: tx.put(iam.POLICY, ACCOUNT, "", POLICY_ARN, policy))

    def may(
        self,
        resource: Resource = CLUSTER,
        policy: str | None = None,
        action: str = "ecs:DescribeClusters",
        source: str = "192.0.2.1",
    ) -> bool:
        """Whether she may, asked twice: the second answer may be a kept one."""
        answers = {
            self._may(resource, policy, action, source),
            self._may(resource, policy, action, source),
        }
        (answer,) = answers
        return answer

    def _may(self, resource: Resource, policy: str | None, action: str, source: str) -> bool:
        principal, conditions = user_principal(_ann(), "AKIAANN"), {"aws:SourceIp": source}
        try:
            self.identity.authorize(
                self.store.reader, principal, action, resource, conditions, policy
            )
        except AwsError:
            return False
        return True


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[Account]:
    store = await open_store(f"sqlite://{tmp_path}/state.db", KINDS, SystemClock())
    yield Account(store)
    await store.close()


async def test_a_policy_taken_away_from_the_user_allows_no_more(account: Account) -> None:
    await account.put(_ann(_policy()))
    assert account.may()
    await account.put(_ann())
    assert not account.may()
    await account.put(_ann(_policy()))
    assert account.may()
    await account.put(_ann(_policy(), _policy("Deny")))
    assert not account.may()


async def test_a_group_and_a_managed_policy_that_change_count_at_once(account: Account) -> None:
    await account.put(_ann(groups=("ops",)))
    assert not account.may()
    await account.put_group(_policy())
    assert account.may()
    await account.put_group()
    assert not account.may()
    await account.put(_ann(attached=(POLICY_ARN,)))
    await account.put_policy(_policy())
    assert account.may()
    await account.put_policy(_policy("Deny"))
    assert not account.may()


async def test_conditions_are_asked_anew_for_each_request(account: Account) -> None:
    inside = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    await account.put(_ann(_policy(Condition=inside)))
    assert account.may()
    assert not account.may(source="198.51.100.1")
    tagged = {"StringEquals": {"aws:ResourceTag/stage": "test"}}
    await account.put(_ann(_policy(Condition=tagged)))
    assert account.may(Resource(arn=CLUSTER.arn, conditions={"aws:ResourceTag/stage": "test"}))
    assert not account.may(Resource(arn=CLUSTER.arn, conditions={"aws:ResourceTag/stage": "live"}))


async def test_another_action_or_resource_is_another_decision(account: Account) -> None:
    await account.put(_ann(_policy(Action="ecs:DescribeClusters", Resource=CLUSTER.arn)))
    assert account.may()
    assert not account.may(action="ecs:DeleteCluster")
    assert not account.may(Resource(arn=f"{CLUSTER.arn}s"))


async def test_a_resource_policy_has_its_say_after_a_request_without_one(account: Account) -> None:
    await account.put(_ann(_policy()))
    assert account.may()
    denying = _policy("Deny", Principal="*")
    assert not account.may(policy=denying)
    assert account.may()
