"""The log `authenticator` of a cluster's control plane: what was decided about each token.

Lines are as AWS IAM Authenticator for Kubernetes writes them (`key=value`, values quoted where they
have other than simple characters), and name the cluster besides.
"""

import re
from collections.abc import Mapping

import msgspec

from longshore.authenticator.reviews import UserInfo
from longshore.authenticator.tokens import Refused
from longshore.base.clock import Clock, rfc_3339
from longshore.base.logs import logger
from longshore.model import eks
from longshore.model.logs import LOG_GROUP, LOG_STREAM, stream_key
from longshore.store.interface import Reader, Record
from longshore.telemetry.interface import Event, LogStore, LogStoreUnavailable

KIND = "authenticator"
REQUEST = {"method": "POST", "path": "/authenticate"}
_SIMPLE = re.compile(r"[A-Za-z0-9._/@^+-]+")
_log = logger(__name__)


def granted(cluster: str, client: str, user: UserInfo) -> Mapping[str, str]:
    """The fields of a token that was accepted; `client` is the API server's address."""
    return {
        "level": "info",
        "msg": "access granted",
        "arn": user.extra.get("arn", ("",))[0],
        "client": client,
        "cluster": cluster,
        "groups": f"[{' '.join(user.groups)}]",
        **REQUEST,
        "uid": user.uid,
        "username": user.username,
    }


def denied(cluster: str, client: str, refused: Refused) -> Mapping[str, str]:
    """The same of one that was refused."""
    return {
        "level": "warning",
        "msg": "access denied",
        "arn": refused.arn,
        "client": client,
        "cluster": cluster,
        "error": refused.reason,
        **REQUEST,
    }


def line(now: float, fields: Mapping[str, str]) -> str:
    """A log event; `now` in epoch seconds. What is empty is left out."""
    time = rfc_3339(now)
    shown = {"time": time, **{name: value for name, value in fields.items() if value}}
    return " ".join(f"{name}={_quoted(value)}" for name, value in shown.items())


def _quoted(value: str) -> str:
    return value if _SIMPLE.fullmatch(value) else msgspec.json.encode(value).decode()


class Decisions:
    """Writes decisions to the cluster's log group, where that type of log is enabled."""

    def __init__(self, store: LogStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def write(
        self, reader: Reader, cluster: Record[eks.Cluster], fields: Mapping[str, str]
    ) -> None:
        """Return once it is kept. A log that cannot be written keeps nobody out."""
        if KIND not in cluster.value.log_types:
            return
        here, name = (cluster.key.account, cluster.key.region), cluster.value.name
        of_group = eks.log_group(name)
        of_stream = stream_key(of_group, eks.log_stream(cluster.value, KIND))
        group = reader.get(LOG_GROUP, *here, of_group)
        stream = reader.get(LOG_STREAM, *here, of_stream)
        if group is None or stream is None:
            return
        now = self._clock.now()
        at = int(now * 1000)
        event = Event(at, line(now, fields))
        try:
            await self._store.append(group.value.id, stream.value.id, (event,), at)
        except LogStoreUnavailable:
            _log.exception("A decision was not logged", cluster_arn=cluster.value.arn)
