"""Two kinds of records for the suite."""

import msgspec

from longshore.model.kind import Kind


class Thing(msgspec.Struct, frozen=True):
    number: int = 0
    colors: tuple[str, ...] = ()
    text: str = ""


class Other(msgspec.Struct, frozen=True):
    number: int = 0


THING = Kind("test.thing", Thing, {"color": lambda thing: thing.colors})
OTHER = Kind("test.other", Other)
ACCOUNT, REGION = "123456789012", "us-east-1"
