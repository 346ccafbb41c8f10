"""Which AWS service a role trusts, and for whom."""

from typing import Any

import pytest
from unit.policy.policy_builder import ACCOUNT, OTHER, ROLE_ARN, policy

from longshore.policy.trust import trusts_service

TASKS = "ecs-tasks.amazonaws.com"
SOURCE = f"arn:aws:ecs:us-east-1:{ACCOUNT}:*"


def trusted(principal: Any, condition: Any = None, source: str = SOURCE) -> bool:
    document = policy(
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": principal,
            "Condition": condition or {},
        }
    )
    return trusts_service(document, TASKS, ROLE_ARN, source)


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ({"Service": TASKS}, True),
        ({"Service": ["ec2.amazonaws.com", TASKS]}, True),
        ({"Service": "ec2.amazonaws.com"}, False),
        ({"AWS": ACCOUNT}, False),
    ],
)
def test_a_role_trusts_the_services_that_it_names(principal: Any, expected: bool) -> None:
    assert trusted(principal) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, True),
        ({"StringEquals": {"aws:SourceAccount": OTHER}}, False),
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:ecs:us-east-1:{ACCOUNT}:*"}}, True),
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:ecs:eu-west-1:{ACCOUNT}:*"}}, False),
        ({"Null": {"aws:SourceArn": "true"}}, False),
    ],
)
def test_a_role_may_ask_for_whom_the_service_acts(condition: Any, expected: bool) -> None:
    assert trusted({"Service": TASKS}, condition) is expected


def test_a_service_that_says_not_for_whom_fails_the_question() -> None:
    condition = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert not trusted({"Service": TASKS}, condition, source="")
