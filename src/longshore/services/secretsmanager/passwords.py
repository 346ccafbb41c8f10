"""GetRandomPassword."""

import secrets
import string
from typing import TYPE_CHECKING

from longshore.services.interface import Context, Response
from longshore.services.secretsmanager.resources import invalid_parameter

if TYPE_CHECKING:
    from types_boto3_secretsmanager import type_defs as t

DEFAULT_LENGTH = 32
LONGEST = 4096


def get_random_password(context: Context, request: "t.GetRandomPasswordRequestTypeDef") -> Response:
    """Unpredictable on purpose: from the kernel's random source, not from the context's ids."""
    del context
    length = request.get("PasswordLength", DEFAULT_LENGTH)
    if not 1 <= length <= LONGEST:
        raise invalid_parameter(f"PasswordLength must be between 1 and {LONGEST}.")
    kinds = _kinds(request)
    if not kinds:
        raise invalid_parameter("The excluded characters leave nothing to make a password of.")
    each_once = request.get("RequireEachIncludedType", True)
    if each_once and length < len(kinds):
        raise invalid_parameter(
            "The password length is too short for one character of each included type."
        )
    characters = [secrets.choice(kind) for kind in kinds] if each_once else []
    every = "".join(kinds)
    characters += [secrets.choice(every) for _ in range(length - len(characters))]
    secrets.SystemRandom().shuffle(characters)
    return {"RandomPassword": "".join(characters)}


def _kinds(request: "t.GetRandomPasswordRequestTypeDef") -> list[str]:
    """The characters of each type that may occur, types without any left out."""
    kinds = (
        (string.ascii_lowercase, not request.get("ExcludeLowercase")),
        (string.ascii_uppercase, not request.get("ExcludeUppercase")),
        (string.digits, not request.get("ExcludeNumbers")),
        (string.punctuation, not request.get("ExcludePunctuation")),
        (" ", bool(request.get("IncludeSpace"))),
    )
    excluded = request.get("ExcludeCharacters", "")
    left = ("".join(each for each in kind if each not in excluded) for kind, used in kinds if used)
    return [kind for kind in left if kind]
