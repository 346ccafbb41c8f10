"""Where objects are in an API server, and what is told about them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from longshore.base.clock import rfc_3339
from longshore.base.logs import logger
from longshore.kubernetes.client import Client, Refused

Object = Mapping[str, Any]
"""One that is only read."""
NODES, PODS = "/api/v1/nodes", "/api/v1/pods"
SERVICES, SECRETS = "/api/v1/services", "/api/v1/secrets"
LONGEST_START = 253 - len(".0123456789abcdef")
"""Characters of an object's name that an event's begins with; 253 is the most that a name has
("Object Names and IDs", Kubernetes' documentation)."""

log = logger(__name__)


def path_of(collection: str, named: Object) -> str:
    """An object of a namespace, by the path of all namespaces' objects of its kind."""
    group, _, plural = collection.rpartition("/")
    metadata = named["metadata"]
    return f"{group}/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}"


@dataclass(frozen=True)
class Said:
    """What a controller says of an object of this kind.

    Saying it twice makes one event, but where it is said `anew` each time.
    """

    kind: str
    component: str
    reason: str
    message: str
    warning: bool = False
    anew: bool = False

    def document(self, about: Object, now: float) -> dict[str, Any]:
        """As `Event v1 core` has it; `now` in epoch seconds."""
        metadata, at = about["metadata"], rfc_3339(now)
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {**self._name(metadata), "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": self.kind,
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "type": "Warning" if self.warning else "Normal",
            "reason": self.reason,
            "message": self.message,
            "source": {"component": self.component},
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }

    def _name(self, metadata: Object) -> dict[str, str]:
        start = f"{metadata['name'][:LONGEST_START]}."
        if self.anew:
            return {"generateName": start}
        words = f"{metadata['uid']} {self.reason} {self.message}"
        return {"name": start + hashlib.sha256(words.encode()).hexdigest()[:16]}


async def tell(client: Client, about: Object, said: Said, now: float) -> None:
    """Have the cluster keep it as an event; one that it does not take is lost."""
    path = f"/api/v1/namespaces/{about['metadata']['namespace']}/events"
    try:
        await client.create(path, said.document(about, now))
    except Refused as refused:
        if refused.reason != "AlreadyExists":
            log.info("an event was not told", event=said.reason, reason=refused.message)
