"""What Secrets Manager keeps: secrets and their versions, sealed. Times are epoch seconds."""

import msgspec

from longshore.model.arn import make_arn
from longshore.model.kind import Kind

Tags = tuple[tuple[str, str], ...]

CURRENT = "AWSCURRENT"
PREVIOUS = "AWSPREVIOUS"


class SecretVersion(msgspec.Struct, frozen=True, kw_only=True):
    """`sealed` is base64 of the sealed value; `binary` says that it was given as SecretBinary."""

    id: str
    sealed: str
    binary: bool
    created_at: float
    stages: tuple[str, ...] = ()
    accessed_at: float = 0.0


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """`suffix` is the six characters that end its ARN; `deletes_at` 0 where none is planned."""

    name: str
    suffix: str
    created_at: float
    changed_at: float
    description: str = ""
    type: str = ""
    policy: str = ""
    versions: tuple[SecretVersion, ...] = ()
    tags: Tags = ()
    deleted_at: float = 0.0
    deletes_at: float = 0.0
    accessed_at: float = 0.0


SECRET = Kind(
    "secretsmanager.secret", Secret, {"arn-name": lambda secret: [f"{secret.name}-{secret.suffix}"]}
)


def secret_arn(account: str, region: str, secret: Secret) -> str:
    return make_arn("secretsmanager", region, account, f"secret:{secret.name}-{secret.suffix}")
