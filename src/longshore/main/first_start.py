"""What an installation holds before its first call; each start makes what is missing."""

import json
from pathlib import Path

from longshore.base.files import have_file
from longshore.controllers.interface import Surroundings
from longshore.model.principal import Credential
from longshore.services.iam.first_start import (
    ensure_administrator,
    ensure_host_user,
    ensure_sealing_key,
)
from longshore.store.interface import Transaction
from longshore.vpc import create_default_vpc

ADMINISTRATOR_FILE = "administrator.json"


async def prepare(surroundings: Surroundings) -> None:
    """Records of first start, and the key files that `longshore env` and the agent read."""
    installation, ids = surroundings.installation, surroundings.ids
    now = surroundings.clock.now()
    account = installation.account

    def make(tx: Transaction) -> tuple[Credential, Credential]:
        ensure_sealing_key(tx, ids)
        create_default_vpc(tx, account, installation.region, ids)
        administrator = ensure_administrator(tx, account, ids, now)
        return administrator, ensure_host_user(tx, account, ids, now)

    administrator, host = await surroundings.store.transact(make)
    write_key(installation.data_dir / ADMINISTRATOR_FILE, administrator)
    write_key(installation.host_key_file, host)


def write_key(path: Path, credential: Credential) -> None:
    """An access key as JSON that only its owner may read; whole or not at all.

    One that is there already is left alone: a start takes no room on a full disk.
    """
    said = {
        "access_key_id": credential.access_key_id,
        "secret_access_key": credential.secret_access_key,
    }
    have_file(path, json.dumps(said).encode())
