"""What IAM holds before anyone calls it: the sealing key, an administrator, the host's user."""

from longshore.base.ids import Ids
from longshore.model import iam
from longshore.model.arn import make_arn
from longshore.model.host import HOST_USER
from longshore.model.principal import Credential
from longshore.policy.key_ids import LONG_LIVED, access_key_id, new_secret, unique_id
from longshore.services.iam.identity import SEALING_KEY_NAME, user_principal
from longshore.store.interface import Transaction

ADMINISTRATOR = "admin"
HOST_POLICIES = (
    "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role",
    "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly",
)
HOST_POLICY = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow",'
    '"Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}}'
)


def ensure_sealing_key(tx: Transaction, ids: Ids) -> None:
    """Make the key of session tokens, if there is none."""
    if tx.get(iam.SEALING_KEY, "", "", SEALING_KEY_NAME) is None:
        key = iam.SealingKey(key=bytes.fromhex(ids.hex(64)))
        tx.create(iam.SEALING_KEY, "", "", SEALING_KEY_NAME, key)


def ensure_administrator(tx: Transaction, account: str, ids: Ids, now: float) -> Credential:
    """The user `admin`, who may do everything, and its key; made where they are missing."""
    policies = ("arn:aws:iam::aws:policy/AdministratorAccess",)
    return _ensure_user(tx, account, ids, now, ADMINISTRATOR, policies, ())


def ensure_host_user(tx: Transaction, account: str, ids: Ids, now: float) -> Credential:
    """The user whose key this installation's agents sign with, and the key."""
    inline = (("logs", HOST_POLICY),)
    return _ensure_user(tx, account, ids, now, HOST_USER, HOST_POLICIES, inline)


def _ensure_user(
    tx: Transaction,
    account: str,
    ids: Ids,
    now: float,
    name: str,
    attached: tuple[str, ...],
    inline: iam.Inline,
) -> Credential:
    record = tx.get(iam.USER, account, "", name)
    user = (
        record.value
        if record is not None
        else iam.User(
            name=name,
            path="/",
            id=unique_id("user", ids),
            arn=make_arn("iam", "", account, f"user/{name}"),
            created_at=now,
            attached=attached,
            inline=inline,
        )
    )
    if record is None:
        tx.create(iam.USER, account, "", name, user)
    keys = tx.find(iam.ACCESS_KEY, "", "", "user", f"{account}/{name}")
    key = (
        keys[0].value
        if keys
        else iam.AccessKey(
            id=access_key_id(LONG_LIVED, account, ids),
            secret=new_secret(ids),
            account=account,
            user_name=name,
            status="Active",
            created_at=now,
        )
    )
    if not keys:
        tx.create(iam.ACCESS_KEY, "", "", key.id, key)
    return Credential(
        access_key_id=key.id,
        secret_access_key=key.secret,
        principal=user_principal(user, key.id),
    )
