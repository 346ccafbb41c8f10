"""What is encrypted: by whom it is opened, and by nobody else."""

import pytest
from integration.services.kms.kms_plane import Keys

SHOP = {"shop": "1", "table": "orders"}


@pytest.mark.parametrize("size", [1, 16, 4096])
async def test_what_is_encrypted_is_decrypted(keys: Keys, size: int) -> None:
    key = await keys.create()
    sealed = await keys.call("encrypt", KeyId=key["KeyId"], Plaintext=b"x" * size)
    assert (sealed["KeyId"], sealed["EncryptionAlgorithm"]) == (key["Arn"], "SYMMETRIC_DEFAULT")
    opened = await keys.call("decrypt", CiphertextBlob=sealed["CiphertextBlob"])
    assert (opened["Plaintext"], opened["KeyId"]) == (b"x" * size, key["Arn"])
    assert opened["KeyMaterialId"] == key["CurrentKeyMaterialId"]


async def test_the_same_plaintext_is_never_encrypted_alike(keys: Keys) -> None:
    key = (await keys.create())["KeyId"]
    assert await keys.encrypt(key) != await keys.encrypt(key)


async def test_more_than_four_kibibytes_are_refused(keys: Keys) -> None:
    key = (await keys.create())["KeyId"]
    code = await keys.error("encrypt", KeyId=key, Plaintext=b"x" * 4097)
    assert code == "ValidationException"


async def test_an_encryption_context_is_asked_for_in_any_order(keys: Keys) -> None:
    key = (await keys.create())["KeyId"]
    blob = await keys.encrypt(key, EncryptionContext=SHOP)
    turned = dict(reversed(SHOP.items()))
    assert await keys.decrypt(blob, EncryptionContext=turned) == b"secret"


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"shop": "1"},
        {**SHOP, "table": "users"},
        {**SHOP, "more": "1"},
        {"sho": "p1", "table": "orders"},
    ],
)
async def test_another_encryption_context_opens_nothing(
    keys: Keys, context: dict[str, str]
) -> None:
    key = (await keys.create())["KeyId"]
    blob = await keys.encrypt(key, EncryptionContext=SHOP)
    code = await keys.error("decrypt", CiphertextBlob=blob, EncryptionContext=context)
    assert code == "InvalidCiphertextException"


async def test_a_changed_ciphertext_opens_nothing(keys: Keys) -> None:
    blob = await keys.encrypt((await keys.create())["KeyId"])
    for at in (0, len(blob) - 1, len(blob) - 20, len(blob) - 40):
        changed = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        code = await keys.error("decrypt", CiphertextBlob=changed)
        assert code == "InvalidCiphertextException"
    for short in (b"x", blob[:8], blob[:-1]):
        code = await keys.error("decrypt", CiphertextBlob=short)
        assert code == "InvalidCiphertextException"


async def test_a_ciphertext_that_names_another_key_opens_nothing(keys: Keys) -> None:
    """Whoever may use one key does not open with it what another one encrypted."""
    first, second = await keys.create(), await keys.create()
    blob = await keys.encrypt(first["KeyId"])
    forged = blob.replace(first["KeyId"].encode(), second["KeyId"].encode())
    assert forged != blob
    code = await keys.error("decrypt", CiphertextBlob=forged)
    assert code == "InvalidCiphertextException"


async def test_a_key_that_is_named_has_to_be_the_ciphertexts(keys: Keys) -> None:
    first, second = await keys.create(), await keys.create()
    blob = await keys.encrypt(first["KeyId"])
    assert await keys.decrypt(blob, KeyId=first["Arn"]) == b"secret"
    code = await keys.error("decrypt", CiphertextBlob=blob, KeyId=second["KeyId"])
    assert code == "IncorrectKeyException"


@pytest.mark.parametrize(
    ("asked", "size"),
    [({"KeySpec": "AES_128"}, 16), ({"KeySpec": "AES_256"}, 32), ({"NumberOfBytes": 7}, 7)],
)
async def test_a_data_key_is_what_its_ciphertext_holds(
    keys: Keys, asked: dict[str, object], size: int
) -> None:
    key = (await keys.create())["KeyId"]
    made = await keys.call("generate_data_key", KeyId=key, EncryptionContext=SHOP, **asked)
    assert len(made["Plaintext"]) == size
    opened = await keys.decrypt(made["CiphertextBlob"], EncryptionContext=SHOP)
    assert opened == made["Plaintext"]
    hidden = await keys.call("generate_data_key_without_plaintext", KeyId=key, **asked)
    assert "Plaintext" not in hidden
    assert len(await keys.decrypt(hidden["CiphertextBlob"])) == size


async def test_a_data_key_has_one_size(keys: Keys) -> None:
    key = (await keys.create())["KeyId"]
    for asked in ({}, {"KeySpec": "AES_256", "NumberOfBytes": 32}):
        assert await keys.error("generate_data_key", KeyId=key, **asked) == "ValidationException"


async def test_reencryption_moves_to_another_key_and_context(keys: Keys) -> None:
    first, second = await keys.create(), await keys.create()
    blob = await keys.encrypt(first["KeyId"], EncryptionContext=SHOP)
    moved = await keys.call(
        "re_encrypt",
        CiphertextBlob=blob,
        SourceEncryptionContext=SHOP,
        DestinationKeyId=second["KeyId"],
        DestinationEncryptionContext={"shop": "2"},
    )
    assert (moved["SourceKeyId"], moved["KeyId"]) == (first["Arn"], second["Arn"])
    await keys.call("disable_key", KeyId=first["KeyId"])
    opened = await keys.decrypt(moved["CiphertextBlob"], EncryptionContext={"shop": "2"})
    assert opened == b"secret"


async def test_a_dry_run_does_nothing_but_say_that_it_would_succeed(keys: Keys) -> None:
    key = (await keys.create())["KeyId"]
    blob = await keys.encrypt(key)
    for operation, request in (
        ("encrypt", {"KeyId": key, "Plaintext": b"x"}),
        ("decrypt", {"CiphertextBlob": blob}),
        ("generate_data_key", {"KeyId": key, "KeySpec": "AES_256"}),
    ):
        code = await keys.error(operation, DryRun=True, **request)
        assert code == "DryRunOperationException"


async def test_other_algorithms_are_for_other_keys(keys: Keys) -> None:
    key = (await keys.create())["KeyId"]
    asked = {"KeyId": key, "Plaintext": b"x", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    assert await keys.error("encrypt", **asked) == "InvalidKeyUsageException"


async def test_random_bytes_are_as_many_as_asked_for(keys: Keys) -> None:
    first, second = [
        (await keys.call("generate_random", NumberOfBytes=32))["Plaintext"] for _ in range(2)
    ]
    assert len(first) == len(second) == 32
    assert first != second
