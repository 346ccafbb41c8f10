"""The network that was applied last, kept for the agent's next life.

An agent that starts while the control plane is down still knows its VPCs: it answers DNS and
credentials in them, and after a reboot makes their routers again.
"""

from pathlib import Path

import msgspec

from longshore.base.files import have_file
from longshore.base.installation import Installation
from longshore.base.logs import logger
from longshore.model.network import Network

log = logger(__name__)


def _path(installation: Installation) -> Path:
    return installation.data_dir / "fabric" / "network.json"


def keep(installation: Installation, network: Network) -> None:
    """Write it, whole or not at all; a full disk keeps the older one, which is better than no
    network."""
    path, content = _path(installation), msgspec.json.encode(network)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        have_file(path, content, 0o644)
    except OSError as error:
        log.warning("the network could not be kept", error=str(error))


def recall(installation: Installation) -> Network | None:
    """What was kept, or None; what cannot be read is as good as nothing."""
    try:
        return msgspec.json.decode(_path(installation).read_bytes(), type=Network)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        log.warning("kept network cannot be read", error=str(error))
        return None


def forget(installation: Installation) -> None:
    _path(installation).unlink(missing_ok=True)
