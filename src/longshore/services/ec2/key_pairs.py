"""Key pairs: made here, or imported."""

import base64
import hashlib
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from longshore.model.ec2 import KEY_PAIR, KeyPair, Tags
from longshore.model.errors import AwsError
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.tagging import tag_list, tags_at_creation
from longshore.services.interface import Context, Response

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        CreateKeyPairRequestTypeDef,
        DeleteKeyPairRequestTypeDef,
        DescribeKeyPairsRequestTypeDef,
        ImportKeyPairRequestTypeDef,
    )

LISTING = Listing(
    member="KeyPairs",
    ids="KeyPairIds",
    id="KeyPairId",
    absent=("InvalidKeyPair.NotFound", "The key pair ID '{}' does not exist"),
    filters={"fingerprint": "KeyFingerprint", "key-name": "KeyName", "key-pair-id": "KeyPairId"},
)
PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ed25519.Ed25519PublicKey


def _colons(digest: str) -> str:
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def _openssh_fingerprint(public: PublicKey) -> str:
    """What AWS shows of ED25519 keys."""
    line = public.public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return base64.b64encode(digest).decode()


def _created_fingerprint(private: PrivateKey) -> str:
    """SHA-1 of the private key for RSA ("Verify the fingerprint of your key pair")."""
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return _openssh_fingerprint(private.public_key())
    der = private.private_bytes(form.Encoding.DER, form.PrivateFormat.PKCS8, form.NoEncryption())
    return _colons(hashlib.sha1(der, usedforsecurity=False).hexdigest())


def _imported_fingerprint(public: PublicKey) -> str:
    """MD5 of the public key for RSA."""
    if isinstance(public, ed25519.Ed25519PublicKey):
        return _openssh_fingerprint(public)
    der = public.public_bytes(form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo)
    return _colons(hashlib.md5(der, usedforsecurity=False).hexdigest())


def _place(context: Context) -> tuple[str, str]:
    return context.account, context.region


def _keep(
    context: Context, name: str, key_type: str, public: PublicKey, fingerprint: str, tags: Tags
) -> KeyPair:
    if context.tx.find(KEY_PAIR, *_place(context), "name", name):
        raise AwsError("InvalidKeyPair.Duplicate", f"The keypair '{name}' already exists.")
    line = public.public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH).decode()
    pair = KeyPair(
        id=f"key-{context.ids.hex(17)}",
        name=name,
        key_type=key_type,
        fingerprint=fingerprint,
        public_key=line,
        created_at=context.now,
        tags=tags,
    )
    context.tx.create(KEY_PAIR, *_place(context), pair.id, pair)
    return pair


def _answer(pair: KeyPair) -> dict[str, object]:
    return {
        "KeyPairId": pair.id,
        "KeyName": pair.name,
        "KeyFingerprint": pair.fingerprint,
        "Tags": tag_list(pair.tags),
    }


def create_key_pair(context: Context, request: "CreateKeyPairRequestTypeDef") -> Response:
    """Make a key; its private part is in the answer and nowhere else."""
    key_type = request.get("KeyType", "rsa")
    if request.get("KeyFormat", "pem") != "pem":
        raise AwsError("InvalidParameterValue", "Only the format pem is supported")
    private: PrivateKey = (
        ed25519.Ed25519PrivateKey.generate()
        if key_type == "ed25519"
        else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    layout = (
        form.PrivateFormat.OpenSSH
        if key_type == "ed25519"
        else form.PrivateFormat.TraditionalOpenSSL
    )
    material = private.private_bytes(form.Encoding.PEM, layout, form.NoEncryption()).decode()
    tags = tags_at_creation(context, request, "key-pair")
    fingerprint = _created_fingerprint(private)
    name = request["KeyName"]
    pair = _keep(context, name, key_type, private.public_key(), fingerprint, tags)
    return {**_answer(pair), "KeyMaterial": material}


def import_key_pair(context: Context, request: "ImportKeyPairRequestTypeDef") -> Response:
    """Keep a public key in OpenSSH's form, base64 or not."""
    material = request["PublicKeyMaterial"]
    data = material.encode() if isinstance(material, str) else _bytes(material)
    try:
        public = form.load_ssh_public_key(data if b" " in data else base64.b64decode(data))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _bad_format() from error
    if not isinstance(public, PublicKey):
        raise _bad_format()
    key_type = "ed25519" if isinstance(public, ed25519.Ed25519PublicKey) else "rsa"
    tags = tags_at_creation(context, request, "key-pair")
    fingerprint = _imported_fingerprint(public)
    return _answer(_keep(context, request["KeyName"], key_type, public, fingerprint, tags))


def _bad_format() -> AwsError:
    return AwsError("InvalidKey.Format", "Key is not in valid OpenSSH public key format")


def _bytes(material: object) -> bytes:
    if not isinstance(material, bytes | bytearray):
        raise _bad_format()
    return bytes(material)


def describe_key_pairs(context: Context, request: "DescribeKeyPairsRequestTypeDef") -> Response:
    pairs = [record.value for record in context.tx.scan(KEY_PAIR, *_place(context))]
    names = request.get("KeyNames") or ()
    for name in names:
        if all(pair.name != name for pair in pairs):
            raise AwsError("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")
    shown = [pair for pair in pairs if not names or pair.name in names]
    with_keys = bool(request.get("IncludePublicKey"))
    return describe(LISTING, (_item(pair, with_keys) for pair in shown), request)


def _item(pair: KeyPair, with_key: bool) -> Item:
    item = {**_answer(pair), "KeyType": pair.key_type, "CreateTime": pair.created_at}
    return {**item, "PublicKey": pair.public_key} if with_key else item


def delete_key_pair(context: Context, request: "DeleteKeyPairRequestTypeDef") -> Response:
    """Delete by name or id; AWS answers the same where there is none."""
    name, key_id = request.get("KeyName"), request.get("KeyPairId")
    if not name and not key_id:
        raise AwsError("MissingParameter", "The request must contain the parameter KeyName")
    for record in context.tx.scan(KEY_PAIR, *_place(context)):
        if name == record.value.name or key_id == record.value.id:
            context.tx.delete(KEY_PAIR, *_place(context), record.value.id)
            return {"Return": True, "KeyPairId": record.value.id}
    return {"Return": True}
