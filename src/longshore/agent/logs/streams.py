"""Log streams of CloudWatch Logs as the awslogs driver needs them: created, and written to."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.agent.docker import host_config_of
from longshore.agent.host import Host, keys_of
from longshore.agent.logs.options import LogOptions, check_endpoint, parse_options
from longshore.agent.patience import patiently
from longshore.agent.records import TaskRecord
from longshore.awsapi.client import Client
from longshore.awsapi.signing import Keys
from longshore.base.logs import logger
from longshore.model.arn import parse_arn
from longshore.model.errors import AwsError
from longshore.model.link_local import API_ADDRESS
from longshore.nodeapi import acs

if TYPE_CHECKING:
    from longshore.agent.hooks.interface import Work

RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0)
GIVE_UP_SECONDS = 3600.0
"""How long a service that answers may refuse before output is dropped."""
TRANSIENT = frozenset(
    {"OperationAbortedException", "ServiceUnavailableException", "ThrottlingException"}
)
NO_KEYS = "NoCredentialProviders"
HOPELESS = frozenset(
    {"InvalidParameterException", "SerializationException", "ValidationException", NO_KEYS}
)
"""Errors after which the same events will never be taken."""

Signer = Callable[[], Keys]
"""The keys of this moment: a role's are renewed while the task runs."""
Waiting = Callable[[], Awaitable[None]]

log = logger(__name__)


def options_of(work: "Work", container: acs.Container) -> LogOptions:
    """The container's log configuration. Raises `options.InvalidOption`."""
    configured = host_config_of(container).log_config
    record = work.record.containers[container.name]
    given = {**(configured.config or {}), **work.log_secrets.get(container.name, {})}
    given.setdefault("awslogs-region", work.host.installation.region)
    options = parse_options(configured.type, given, record.id)
    check_endpoint(given.get("awslogs-endpoint", ""), _own_endpoints(work.host))
    return msgspec.structs.replace(options, by_host=_is_hosts(work.host, work.record))


def _own_endpoints(host: Host) -> set[str]:
    port = host.installation.port
    names = ("127.0.0.1", "localhost", API_ADDRESS)
    return {f"{name}:{number}" for name in names for number in (port, port + 1)}


def _is_hosts(host: Host, record: TaskRecord) -> bool:
    """Whether the host itself writes the task's output, as an instance's role does on AWS: where
    the task has no execution role, and never for another account."""
    arn = parse_arn(record.task.arn)
    own = arn is not None and arn.account == host.installation.account
    return own and record.task.execution_role_credentials is None


def signer_of(host: Host, record: TaskRecord) -> Signer:
    """What signs for a task: its execution role, whatever becomes of that."""

    def keys() -> Keys:
        role = record.task.execution_role_credentials
        if role is not None:
            return keys_of(role)
        if _is_hosts(host, record):
            return host.keys()
        raise AwsError(NO_KEYS, "no valid providers in chain")

    return keys


async def open_stream(work: "Work", container: acs.Container) -> None:
    """Have the container's log stream there, if its driver is awslogs.

    Raises `options.InvalidOption`, and `AwsError` where it cannot be created.
    """
    options = options_of(work, container)
    if options.driver != "awslogs":
        return
    stream = LogStream(work.host, options, signer_of(work.host, work.record))
    try:
        await _create(stream, work.host)
    finally:
        stream.close()


async def _create(stream: "LogStream", host: Host) -> None:
    try:
        await patiently(stream.create, host.clock)
    except AwsError as error:
        if error.code not in TRANSIENT:
            raise
        await host.clock.sleep(RETRY_SECONDS[-1])
        await patiently(stream.create, host.clock)


class LogStream:
    """One stream; its events are those of one container."""

    def __init__(self, host: Host, options: LogOptions, signer: Signer) -> None:
        self._host = host
        self._options = options
        self.signer = signer
        self._refused_since = 0.0
        self._client = Client(
            host.installation.endpoint_url, self._keys, options.region, host.clock
        )

    def close(self) -> None:
        """End idle connections; the next call opens one."""
        self._client.close()

    def _keys(self) -> Keys:
        return self.signer()

    async def create(self) -> None:
        """Create what is missing of stream and group, as the options allow.

        Raises `AwsError`, `OSError`.
        """
        if not self._options.create_stream:
            return
        try:
            await self._create_stream()
        except AwsError as error:
            if error.code != "ResourceNotFoundException" or not self._options.create_group:
                raise
            await self._make("CreateLogGroup", {"logGroupName": self._options.group})
            await self._create_stream()

    async def _create_stream(self) -> None:
        await self._make("CreateLogStream", self._name())

    async def _make(self, operation: str, request: dict[str, str]) -> None:
        try:
            await self._client.call("logs", operation, request)
        except AwsError as error:
            if error.code != "ResourceAlreadyExistsException":
                raise

    def _name(self) -> dict[str, str]:
        return {"logGroupName": self._options.group, "logStreamName": self._options.stream}

    async def put(
        self, producer: str, number: int, events: Sequence[tuple[int, str]], waiting: Waiting
    ) -> None:
        """Return when the events are stored, or given up; `waiting` runs before each new attempt.

        `number` is the first event's among those of the producer.
        """
        request: dict[str, Any] = {
            **self._name(),
            "sequenceToken": f"longshore:{producer}:{number}",
            "logEvents": [{"timestamp": time, "message": message} for time, message in events],
        }
        attempt = 0
        while not await self._attempt(request):
            await waiting()
            await self._host.clock.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
            attempt += 1

    async def _attempt(self, request: dict[str, Any]) -> bool:
        try:
            reply = await self._client.call("logs", "PutLogEvents", request)
        except OSError as error:
            log.debug("log events wait for the service", error=str(error))
            return False
        except AwsError as error:
            return await self._refused(error)
        self._refused_since = 0.0
        if reply.get("rejectedLogEventsInfo"):
            log.warning("log events were rejected", **self._name(), **reply)
        return True

    async def _refused(self, error: AwsError) -> bool:
        """Mend what can be mended; whether to go on without these events."""
        if error.code == "DataAlreadyAcceptedException":
            return True
        if error.status >= 500 or error.code in TRANSIENT:
            return False
        now = self._host.clock.monotonic()
        if not self._refused_since:
            self._refused_since = now
            log.warning("log events were refused", **self._name(), error=str(error))
        is_absent = error.code == "ResourceNotFoundException"
        if is_absent and self._options.create_stream and await self._recreated():
            return False
        # Who may not create it waits for nobody: a control plane's goes with its cluster.
        lost = error.code in HOPELESS or (is_absent and not self._options.create_stream)
        if lost or now - self._refused_since > GIVE_UP_SECONDS:
            log.error("log events are lost", **self._name(), error=str(error))
            return True
        return False

    async def _recreated(self) -> bool:
        try:
            await self.create()
        except (AwsError, OSError):
            return False
        return True
