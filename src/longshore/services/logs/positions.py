"""The agent's place in a stream, carried where AWS once had sequence tokens.

CloudWatch Logs takes any `sequenceToken` nowadays ("The sequence token is now ignored in
PutLogEvents"). Longshore's agent numbers the events of each stream and puts

    longshore:<producer>:<number of the batch's first event, from 0>

there. A batch, or a part of one, that was stored before is then left out, so that an agent which
sends again after a crash makes no duplicates. The `nextSequenceToken` of the answer, and the
`uploadSequenceToken` of DescribeLogStreams, say in the same form where to go on. Every other token
is ignored.
"""

import re

from longshore.telemetry.interface import Position, StreamState

TOKEN = re.compile(r"longshore:([A-Za-z0-9_.-]{1,128}):(\d{1,18})")


def position_of(token: str | None) -> Position | None:
    """The position in a sequence token; None where it is not one of the agent's."""
    found = TOKEN.fullmatch(token or "")
    return Position(found[1], int(found[2])) if found else None


def token_of(position: Position) -> str:
    return f"longshore:{position.producer}:{position.number}"


def upload_token(state: StreamState) -> str | None:
    """Where the stream's producer goes on; None where it has not one producer only."""
    if len(state.positions) != 1:
        return None
    ((producer, number),) = state.positions.items()
    return token_of(Position(producer, number))
