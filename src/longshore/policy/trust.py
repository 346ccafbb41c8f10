"""Roles and the AWS services that may have them."""

import json

from longshore.model.arn import parse_arn
from longshore.model.principal import Principal
from longshore.policy.document import Kind, read_document
from longshore.policy.evaluation import Policies, Request, evaluate


def trusts_service(trust: str, service: str, role_arn: str, source_arn: str = "") -> bool:
    """Whether the trust policy (JSON) lets `service` (`ecs-tasks.amazonaws.com`) have the role.

    `source_arn` is the resource that the service acts for; with its account it is what policies
    against confused deputies ask for (`aws:SourceArn`, `aws:SourceAccount`).
    """
    principal = Principal(account="", arn=service, user_id=service, kind="service")
    source = parse_arn(source_arn)
    conditions: dict[str, str | list[str]] = {}
    if source is not None:
        conditions = {"aws:SourceArn": source_arn, "aws:SourceAccount": source.account}
    request = Request(
        principal=principal, action="sts:AssumeRole", resource=role_arn, conditions=conditions
    )
    document = read_document(trust, Kind.TRUST)
    grants = Policies(resource=document, resource_must_allow=True, identity=(EVERYTHING,))
    return evaluate(request, grants).allowed


def service_trust(service: str) -> str:
    """The trust policy (JSON) of a role that `service` alone may have."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return json.dumps(policy, separators=(",", ":"))


EVERYTHING = read_document(
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
)
