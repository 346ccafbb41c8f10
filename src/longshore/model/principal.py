"""Who makes a request."""

import msgspec


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """The authenticated caller, as `sts:GetCallerIdentity` tells it and policies match it.

    `kind` is `user`, `assumed-role`, `federated-user`, `root`, `service` or `federated`. `arn` is
    the caller's ARN (`arn:aws:sts::…:assumed-role/…` for a session); `role_arn` the role's own,
    where there is one. `user_id` is the unique id (`AIDA…`, `AROA…:session`). `session_policies`
    are the policy documents (JSON) that narrow the session; `session_tags` its tags (and the
    role's), `transitive_tags` the keys of those that sessions chained from it inherit; `issued_at`
    in epoch seconds where the credentials are temporary; `user_arn` and `issuer_id` are the ARN and
    the unique id of the user whose federated session it is. A session policy that begins with
    `arn:` is a managed one's ARN, looked up at each use. `identity` are the condition keys that an
    identity provider's token has given to the session.

    `federated` is who shows such a token and has no session yet: `arn` is the provider's, `account`
    the one that has registered it.
    """

    account: str
    arn: str
    user_id: str
    kind: str
    access_key_id: str = ""
    role_arn: str = ""
    user_name: str = ""
    session_name: str = ""
    session_policies: tuple[str, ...] = ()
    session_tags: tuple[tuple[str, str], ...] = ()
    issued_at: float | None = None
    mfa_authenticated: bool = False
    transitive_tags: tuple[str, ...] = ()
    source_identity: str = ""
    user_arn: str = ""
    issuer_id: str = ""
    identity: tuple[tuple[str, str], ...] = ()


def root(account: str) -> Principal:
    """The account's root user, who may do everything in it."""
    return Principal(
        account=account, arn=f"arn:aws:iam::{account}:root", user_id=account, kind="root"
    )


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """An access key with its secret, and whom it speaks for."""

    access_key_id: str
    secret_access_key: str
    principal: Principal
    session_token: str = ""
    expires: float | None = None
    """Epoch seconds, for temporary credentials."""
