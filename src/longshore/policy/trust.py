"""Roles and the AWS services that may have them."""

import json
from collections.abc import Mapping

from longshore.model.arn import parse_arn
from longshore.model.principal import Principal
from longshore.policy.document import Kind, read_document
from longshore.policy.evaluation import Policies, Request, evaluate


def trusts_service(
    trust: str,
    service: str,
    role_arn: str,
    source_arn: str = "",
    action: str = "sts:AssumeRole",
    conditions: Mapping[str, str | list[str]] | None = None,
) -> bool:
    """Whether the trust policy (JSON) lets `service` (`ecs-tasks.amazonaws.com`) have the role.

    `source_arn` is the resource that the service acts for; with its account it is what policies
    against confused deputies ask for (`aws:SourceArn`, `aws:SourceAccount`). `conditions` are
    further keys of the call, `action` is what the service does besides AssumeRole.
    """
    principal = Principal(account="", arn=service, user_id=service, kind="service")
    source = parse_arn(source_arn)
    known = dict(conditions or {})
    if source is not None:
        known |= {"aws:SourceArn": source_arn, "aws:SourceAccount": source.account}
    request = Request(principal=principal, action=action, resource=role_arn, conditions=known)
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
