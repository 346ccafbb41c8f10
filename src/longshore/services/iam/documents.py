"""Policy documents as IAM takes, keeps and gives them."""

from urllib.parse import quote

from longshore.policy.document import Kind, malformed, read_document
from longshore.services.iam.failures import over_quota

MANAGED_POLICY = 6144
TRUST_POLICY = 2048
"""Characters that count ("IAM and AWS STS quotas")."""


def size(document: str) -> int:
    """The characters that count against quotas: white space does not."""
    return len("".join(document.split()))


def check_managed(document: str) -> None:
    """Raises MalformedPolicyDocument, or LimitExceeded where it is too long."""
    read_document(document, Kind.IDENTITY)
    if size(document) > MANAGED_POLICY:
        raise over_quota("PolicySize", MANAGED_POLICY)


def check_trust(document: str) -> None:
    """The same for a role's trust policy, which may speak of STS's actions only."""
    for statement in read_document(document, Kind.TRUST).statements:
        if statement.not_action or not all(
            action.lower().startswith("sts:") for action in statement.actions
        ):
            raise malformed("AssumeRole policy may only specify STS AssumeRole actions.")
    if size(document) > TRUST_POLICY:
        raise over_quota("ACLSizePerRole", TRUST_POLICY)


def encoded(document: str) -> str:
    """As responses have documents: percent-encoded (RFC 3986)."""
    return quote(document, safe="")
