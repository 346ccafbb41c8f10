"""docs/differences-from-aws.md says what there is, service by service."""

import re
from pathlib import Path

import pytest

from longshore.services import (
    autoscaling,
    ec2,
    ecr,
    ecs,
    eks,
    eks_auth,
    elbv2,
    iam,
    kms,
    logs,
    secretsmanager,
    ssm,
    sts,
)

PAGE = Path(__file__).parents[2] / "docs" / "differences-from-aws.md"
NOTHING = None
SERVICES = {
    service.name: service
    for service in (
        autoscaling.service(),
        ec2.service(),
        ecr.service(NOTHING),
        ecs.service(),
        eks.service(),
        elbv2.service(),
        eks_auth.service(),
        iam.service(),
        kms.service(NOTHING),
        logs.service(NOTHING),
        secretsmanager.service(NOTHING),
        ssm.service(NOTHING),
        sts.service(),
    )
}


def told():
    """Operations by service, as the page lists them."""
    _, _, lists = PAGE.read_text().partition("## Operations that are answered")
    entries = re.findall(r"^- \*\*([\w-]+)\*\* \(\d+\): (.+?)(?=\n- |\n*\Z)", lists, re.M | re.S)
    return {name: text.replace("\n", " ") for name, text in entries}


def listing(name):
    service = SERVICES[name]
    return ", ".join(sorted({*service.operations, *service.waiting}))


def test_the_page_lists_every_service():
    assert sorted(told()) == sorted(SERVICES)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_the_page_lists_exactly_the_operations_that_are_answered(name):
    assert re.sub(r"\s+", " ", told()[name]).strip(" .") == listing(name)
