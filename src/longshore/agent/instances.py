"""The EC2 instances of this host, as the control plane told of them last; kept on the disk."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from longshore.agent.records import is_full
from longshore.base.files import replace_file
from longshore.base.logs import logger
from longshore.nodeapi.own import HostInstance

log = logger(__name__)


class Instances:
    """By their interfaces; an agent that comes back knows them without a control plane.

    The file holds credentials and user data: root alone may read it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = _by_interface(_read(path))

    def of(self, interface_id: str) -> HostInstance | None:
        """The instance whose interface this is; None where it is no instance's."""
        return self._known.get(interface_id)

    def take(self, instances: tuple[HostInstance, ...]) -> None:
        """These are all that there are now."""
        self._known = _by_interface(instances)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Not synced: when the machine dies the instances die too.
            replace_file(self._path, msgspec.json.encode(instances), 0o600, synced=False)
        except OSError as error:
            if not is_full(error):
                raise
            log.error("the disk is full, what instances say of themselves was not kept")


def _by_interface(instances: Iterable[HostInstance]) -> dict[str, HostInstance]:
    return {each.interface_id: each for each in instances}


def _read(path: Path) -> tuple[HostInstance, ...]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[HostInstance, ...])
    except (FileNotFoundError, msgspec.DecodeError):
        return ()
