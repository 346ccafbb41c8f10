"""Messages of our own on the ACS session, sent only to agents that registered the attribute
`longshore.host` (Longshore's own agent).

`NetworkMessage` carries the host's whole network; it precedes, on the same session, every
`PayloadMessage` whose tasks need it. The agent answers with `NetworkAckRequest` when the kernel has
it. An ENI reaches the agent in `NetworkMessage.network.interfaces` and, by id, in the task's
`elasticNetworkInterfaces[].ec2Id`.
"""

import msgspec

from longshore.model.network import Network

HOST_ATTRIBUTE = "longshore.host"


class NetworkMessage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Control plane to agent: the network that the host is to have."""

    message_id: str
    network: Network


class NetworkAckRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Agent to control plane: the kernel has this revision, or why it does not."""

    message_id: str
    revision: int
    error: str = ""
