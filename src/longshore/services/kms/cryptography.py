"""Encrypt, Decrypt, ReEncrypt, data keys and random bytes."""

import secrets
from collections.abc import Mapping
from typing import Any

from longshore.base.key_material import open_material
from longshore.base.sealing import Sealer
from longshore.model.errors import AwsError, not_built
from longshore.model.kms import Key, Material
from longshore.services.interface import Context, Response
from longshore.services.keys import Found, check_usable, find_key
from longshore.services.kms.ciphertexts import (
    Blob,
    InvalidCiphertext,
    open_blob,
    read_blob,
    seal_blob,
)
from longshore.services.kms.resources import end_dry_run, find, in_context

ALGORITHM = "SYMMETRIC_DEFAULT"
DATA_KEYS = {"AES_128": 16, "AES_256": 32}
LONGEST_CONTEXT = 8192
"""Bytes of an encryption context ("Quotas", AWS KMS Developer Guide)."""


def encrypt(sealer: Sealer, context: Context, request: Any) -> Response:
    key = find(context, request["KeyId"]).key
    check_usable(key)
    _check_algorithm(request.get("EncryptionAlgorithm"))
    encryption_context = _context(request.get("EncryptionContext"))
    end_dry_run(request)
    blob = _seal(sealer, key, request["Plaintext"], encryption_context)
    return {"CiphertextBlob": blob, "KeyId": key.arn, "EncryptionAlgorithm": ALGORITHM}


def decrypt(sealer: Sealer, context: Context, request: Any) -> Response:
    if request.get("Recipient"):
        raise not_built("ciphertexts for Nitro enclaves")
    if "CiphertextBlob" not in request:
        raise AwsError("ValidationException", "CiphertextBlob is required")
    _check_algorithm(request.get("EncryptionAlgorithm"))
    encryption_context = _context(request.get("EncryptionContext"))
    blob = _read(request["CiphertextBlob"])
    found = _meant(context, blob, request.get("KeyId"), "kms:Decrypt")
    resource = in_context(context, found, encryption_context)
    context.authorize("kms:Decrypt", resource.arn, resource.conditions)
    check_usable(found.key)
    plaintext = _open(sealer, found.key, blob, encryption_context)
    end_dry_run(request)
    return {
        "KeyId": found.key.arn,
        "Plaintext": plaintext,
        "EncryptionAlgorithm": ALGORITHM,
        "KeyMaterialId": blob.material,
    }


def re_encrypt(sealer: Sealer, context: Context, request: Any) -> Response:
    if "CiphertextBlob" not in request:
        raise AwsError("ValidationException", "CiphertextBlob is required")
    for name in ("SourceEncryptionAlgorithm", "DestinationEncryptionAlgorithm"):
        _check_algorithm(request.get(name))
    before = _context(request.get("SourceEncryptionContext"))
    after = _context(request.get("DestinationEncryptionContext"))
    blob = _read(request["CiphertextBlob"])
    source = _meant(context, blob, request.get("SourceKeyId"), "kms:ReEncryptFrom")
    target = find(context, request["DestinationKeyId"])
    same = {"kms:ReEncryptOnSameKey": str(source.key.arn == target.key.arn).lower()}
    for action, found, used in (
        ("kms:ReEncryptFrom", source, before),
        ("kms:ReEncryptTo", target, after),
    ):
        resource = in_context(context, found, used)
        context.authorize(action, resource.arn, {**resource.conditions, **same})
        check_usable(found.key)
    plaintext = _open(sealer, source.key, blob, before)
    end_dry_run(request)
    return {
        "CiphertextBlob": _seal(sealer, target.key, plaintext, after),
        "SourceKeyId": source.key.arn,
        "KeyId": target.key.arn,
        "SourceEncryptionAlgorithm": ALGORITHM,
        "DestinationEncryptionAlgorithm": ALGORITHM,
        "SourceKeyMaterialId": blob.material,
        "DestinationKeyMaterialId": target.key.materials[-1].id,
    }


def generate_data_key(sealer: Sealer, context: Context, request: Any) -> Response:
    if request.get("Recipient"):
        raise not_built("ciphertexts for Nitro enclaves")
    plaintext, answer = _data_key(sealer, context, request)
    return {**answer, "Plaintext": plaintext}


def generate_data_key_without_plaintext(sealer: Sealer, context: Context, request: Any) -> Response:
    return _data_key(sealer, context, request)[1]


def _data_key(sealer: Sealer, context: Context, request: Any) -> tuple[bytes, dict[str, Any]]:
    key = find(context, request["KeyId"]).key
    check_usable(key)
    spec, number = request.get("KeySpec"), request.get("NumberOfBytes")
    if (spec is None) == (number is None):
        raise AwsError("ValidationException", "Please specify either number of bytes or key spec.")
    encryption_context = _context(request.get("EncryptionContext"))
    end_dry_run(request)
    plaintext = secrets.token_bytes(number or DATA_KEYS[spec])
    blob = _seal(sealer, key, plaintext, encryption_context)
    material = key.materials[-1].id
    return plaintext, {"CiphertextBlob": blob, "KeyId": key.arn, "KeyMaterialId": material}


def generate_random(context: Context, request: Any) -> Response:
    del context
    if request.get("CustomKeyStoreId") or request.get("Recipient"):
        raise not_built("random bytes for Nitro enclaves and from key stores of one's own")
    if "NumberOfBytes" not in request:
        raise AwsError("ValidationException", "NumberOfBytes is required")
    return {"Plaintext": secrets.token_bytes(request["NumberOfBytes"])}


def _check_algorithm(algorithm: str | None) -> None:
    if algorithm not in {None, ALGORITHM}:
        raise AwsError(
            "InvalidKeyUsageException", f"Algorithm {algorithm} is not valid for {ALGORITHM} keys."
        )


def _context(given: Mapping[str, str] | None) -> Mapping[str, str]:
    pairs = given or {}
    if sum(len(key.encode()) + len(value.encode()) for key, value in pairs.items()) > (
        LONGEST_CONTEXT
    ):
        raise AwsError(
            "ValidationException", f"Encryption contexts have at most {LONGEST_CONTEXT} bytes"
        )
    return pairs


def _read(blob: bytes) -> Blob:
    try:
        return read_blob(blob)
    except InvalidCiphertext:
        raise invalid_ciphertext() from None


def invalid_ciphertext() -> AwsError:
    """KMS does not say why."""
    return AwsError("InvalidCiphertextException", "")


def _meant(context: Context, blob: Blob, key_id: str | None, action: str) -> Found:
    """The key that the blob says, which `key_id` must mean where it is given.

    IncorrectKeyException, and AccessDeniedException where there is none here: nobody learns by a
    ciphertext which keys there are.
    """
    try:
        found = find_key(context.tx, context.account, context.region, blob.arn)
    except AwsError:  # of another region
        found = None
    if key_id is not None:
        named = find(context, key_id)
        if found is None or named.key.arn != found.key.arn:
            raise AwsError(
                "IncorrectKeyException",
                "The key ID in the request does not identify a CMK that can perform this"
                " operation.",
            )
    if found is None or (found.key.deletes_at and found.key.deletes_at <= context.now):
        raise AwsError(
            "AccessDeniedException",
            f"User: {context.principal.arn} is not authorized to perform: {action} on the resource"
            " associated with this ciphertext because the resource does not exist in this Region,"
            " no resource-based policies allow access, or a resource-based policy explicitly denies"
            " access",
        )
    return found


def _seal(sealer: Sealer, key: Key, plaintext: bytes, context: Mapping[str, str]) -> bytes:
    material = key.materials[-1]
    return seal_blob(key.arn, material.id, _bytes_of(sealer, key, material), plaintext, context)


def _open(sealer: Sealer, key: Key, blob: Blob, context: Mapping[str, str]) -> bytes:
    material = next((each for each in key.materials if each.id == blob.material), None)
    if material is None:
        raise invalid_ciphertext()
    try:
        return open_blob(blob, _bytes_of(sealer, key, material), context)
    except InvalidCiphertext:
        raise invalid_ciphertext() from None


def _bytes_of(sealer: Sealer, key: Key, material: Material) -> bytes:
    return open_material(sealer, key.arn, material.id, material.sealed)
