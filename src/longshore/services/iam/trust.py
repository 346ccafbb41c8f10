"""Trust policies name users and roles by their unique ids once they are stored.

So a user or role made anew under an old name is not trusted in the old one's place ("AWS JSON
policy elements: Principal"). Responses show the ARNs again, and the bare id of what is gone.
Principals of other accounts are kept as they were written.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from longshore.model import iam
from longshore.model.arn import Arn, parse_arn
from longshore.policy.document import malformed
from longshore.services.iam.documents import check_trust
from longshore.store.interface import Reader

ACCOUNT = re.compile(r"\d{12}")
UNIQUE_ID = re.compile(r"(AIDA|AROA)[A-Z2-7]{17}")
SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com")
FEDERATED = re.compile(
    r"arn:aws:iam::\d{12}:(oidc|saml)-provider/[!-~]+"
    r"|(accounts\.google|graph\.facebook|www\.amazon)\.com|cognito-identity\.amazonaws\.com"
)
"""Providers of an account, and those that AWS knows by itself."""
Rewrite = Callable[[str, str], str]
"""What to put for a principal: (its kind, its name)."""


def stored_trust(reader: Reader, account: str, document: str) -> str:
    """The document to keep; raises MalformedPolicyDocument, also for principals there are none."""
    check_trust(document)
    return _rewritten(document, lambda kind, name: _as_stored(reader, account, kind, name))


def shown_trust(reader: Reader, account: str, document: str) -> str:
    """The document as it was given."""

    def rewrite(kind: str, name: str) -> str:
        found = _by_id(reader, account, name) if kind == "AWS" else None
        return found.arn if found is not None else name

    return _rewritten(document, rewrite)


def _rewritten(document: str, rewrite: Rewrite) -> str:
    """The document with its principals rewritten; untouched where none changes."""
    found = json.loads(document)
    changed = False
    statements = found["Statement"]
    for statement in [statements] if isinstance(statements, dict) else statements:
        principals = statement["Principal"]
        if isinstance(principals, dict):
            rewritten = {kind: _each(kind, names, rewrite) for kind, names in principals.items()}
            changed = changed or rewritten != principals
            statement["Principal"] = rewritten
    return json.dumps(found, separators=(",", ":")) if changed else document


def _each(kind: str, names: Any, rewrite: Rewrite) -> Any:
    if isinstance(names, str):
        return rewrite(kind, names)
    return [rewrite(kind, name) for name in names]


def _as_stored(reader: Reader, account: str, kind: str, name: str) -> str:
    if kind == "Service" and SERVICE.fullmatch(name) is None:
        raise _invalid("SERVICE", name)
    if kind == "Federated" and FEDERATED.fullmatch(name) is None:
        raise _invalid("FEDERATED", name)
    if kind != "AWS" or name == "*" or ACCOUNT.fullmatch(name):
        return name
    if UNIQUE_ID.fullmatch(name) and _by_id(reader, account, name) is not None:
        return name
    arn = parse_arn(name)
    if arn is None or ACCOUNT.fullmatch(arn.account) is None:
        raise _invalid("AWS", name)
    return _of_arn(reader, account, arn)


def _of_arn(reader: Reader, account: str, arn: Arn) -> str:
    if arn.service == "sts" and arn.resource_type in {"assumed-role", "federated-user"}:
        return str(arn)
    if arn.service == "iam" and arn.resource == "root":
        return str(arn)
    found = _named(reader, arn) if arn.service == "iam" else None
    if found is None or found.arn != str(arn):
        raise _invalid("AWS", str(arn))
    return found.id if arn.account == account else found.arn


def _named(reader: Reader, arn: Arn) -> iam.User | iam.Role | None:
    name = arn.resource.rpartition("/")[2].lower()
    if arn.resource_type == "user":
        user = reader.get(iam.USER, arn.account, "", name)
        return user.value if user is not None else None
    role = reader.get(iam.ROLE, arn.account, "", name) if arn.resource_type == "role" else None
    return role.value if role is not None else None


def _by_id(reader: Reader, account: str, unique_id: str) -> iam.User | iam.Role | None:
    users = reader.find(iam.USER, account, "", "id", unique_id)
    roles = reader.find(iam.ROLE, account, "", "id", unique_id)
    if users:
        return users[0].value
    return roles[0].value if roles else None


def _invalid(kind: str, name: str) -> Exception:
    return malformed(f'Invalid principal in policy: "{kind}":"{name}"')
