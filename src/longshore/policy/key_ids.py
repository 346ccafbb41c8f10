"""Unique ids of IAM entities and access keys ("IAM identifiers", IAM User Guide)."""

import base64
import binascii

from longshore.base.ids import Ids

PREFIXES = {
    "user": "AIDA",
    "role": "AROA",
    "group": "AGPA",
    "policy": "ANPA",
    "instance-profile": "AIPA",
}
LONG_LIVED, TEMPORARY = "AKIA", "ASIA"
SECRET_DIGITS = 60
"""Thirty random bytes, which are the forty characters of a secret access key."""


def unique_id(entity: str, ids: Ids) -> str:
    """Four letters that tell what it is, and seventeen of A-Z2-7."""
    return PREFIXES[entity] + base64.b32encode(bytes.fromhex(ids.hex(22))).decode()[:17]


def access_key_id(prefix: str, account: str, ids: Ids) -> str:
    """Twenty characters that tell the account, as AWS's do: 40 bits of it, 40 random ones."""
    random = int(ids.hex(10), 16)
    high, low, rest = random >> 39, random >> 32 & 0x7F, random & 0xFFFFFFFF
    number = (high << 47 | int(account) << 7 | low) << 32 | rest
    return prefix + base64.b32encode(number.to_bytes(10, "big")).decode()


def new_secret(ids: Ids) -> str:
    """A secret access key."""
    return base64.b64encode(bytes.fromhex(ids.hex(SECRET_DIGITS))).decode()


def account_of_key(key_id: str) -> str:
    """The account in an access key id; raises `ValueError` where it is none."""
    try:
        number = int.from_bytes(base64.b32decode(key_id[4:20]), "big")
    except binascii.Error:
        raise ValueError(key_id) from None
    if len(key_id) != 20:
        raise ValueError(key_id)
    return f"{number >> 39 & 0xFFFFFFFFFF:012}"
