"""What tags may be ("Tags for AWS Identity and Access Management resources")."""

from collections.abc import Mapping, Sequence
from typing import Any

from longshore.model.iam import Tags
from longshore.services.iam.failures import invalid_input, limit_exceeded

MOST_TAGS = 50


def checked_tags(given: Sequence[Mapping[str, Any]], before: Tags = ()) -> Tags:
    """`before` with the tags `given` over them; keys differ by more than case."""
    keys = [str(tag["Key"]) for tag in given]
    if len({key.lower() for key in keys}) != len(keys):
        raise invalid_input(
            "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        )
    if any(key.lower().startswith("aws:") for key in keys):
        raise invalid_input("Tag keys starting with 'aws:' are reserved for system use.")
    tags = {key.lower(): (key, value) for key, value in before}
    tags |= {str(tag["Key"]).lower(): (str(tag["Key"]), str(tag["Value"])) for tag in given}
    if len(tags) > MOST_TAGS:
        raise limit_exceeded("The number of tags has reached the maximum limit.")
    return tuple(tags.values())
