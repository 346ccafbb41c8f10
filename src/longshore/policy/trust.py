"""Whether a role may be had by an AWS service."""

from longshore.model.principal import Principal
from longshore.policy.document import Kind, read_document
from longshore.policy.evaluation import Policies, Request, evaluate


def trusts_service(trust: str, service: str, role_arn: str) -> bool:
    """Whether the trust policy (JSON) lets `service` (`ecs-tasks.amazonaws.com`) have the role."""
    principal = Principal(account="", arn=service, user_id=service, kind="service")
    request = Request(principal=principal, action="sts:AssumeRole", resource=role_arn)
    document = read_document(trust, Kind.TRUST)
    grants = Policies(resource=document, resource_must_allow=True, identity=(EVERYTHING,))
    return evaluate(request, grants).allowed


EVERYTHING = read_document(
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
)
