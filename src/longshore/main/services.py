"""What the control plane offers: every service with what it stands on."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module

from longshore.base.sealing import Sealer
from longshore.blobs import FileBlobs
from longshore.controllers.interface import Surroundings
from longshore.services.interface import Service
from longshore.telemetry.interface import LogStore
from longshore.telemetry.logs import open_log_store


class ServicesOnDemand(Mapping[str, Service]):
    """Services by name, each imported and made when it is first asked for.

    The first answer waits for one service and not for all. Any thread may ask.
    """

    def __init__(self, needs: Mapping[str, tuple[object, ...]]) -> None:
        """`needs` is what each room of `services` makes its service of."""
        self._needs = needs
        self._made: dict[str, Service] = {}

    def __getitem__(self, name: str) -> Service:
        found = self._made.get(name)
        if found is None:
            needs = self._needs[name]
            room = import_module(f"longshore.services.{name.replace('-', '_')}")
            found = self._made.setdefault(name, room.service(*needs))
        return found

    def load(self) -> None:
        """Make all of them."""
        for name in self._needs:
            self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._needs)

    def __len__(self) -> int:
        return len(self._needs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Services for the gateway, and what they stand on."""

    services: ServicesOnDemand
    log_store: LogStore
    blobs: FileBlobs
    sealer: Sealer


def open_offer(surroundings: Surroundings, stack: contextlib.AsyncExitStack) -> Offer:
    """Open everything that the services stand on; `stack` closes it again."""
    data_dir = surroundings.installation.data_dir
    log_store = open_log_store(data_dir / "telemetry")
    stack.push_async_callback(log_store.close)
    blobs = FileBlobs(data_dir / "registry", surroundings.clock.now)
    sealer = Sealer.load_or_create(data_dir / "sealing.key")
    services = ServicesOnDemand(
        {
            "autoscaling": (),
            "ec2": (),
            "ecr": (blobs,),
            "ecs": (),
            "eks": (),
            "elbv2": (),
            "eks-auth": (),
            "iam": (),
            "kms": (sealer,),
            "logs": (log_store,),
            "secretsmanager": (sealer,),
            "ssm": (sealer,),
            "sts": (),
        }
    )
    return Offer(services=services, log_store=log_store, blobs=blobs, sealer=sealer)
