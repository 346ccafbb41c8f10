"""Rotation of key material ("Rotate AWS KMS keys", AWS KMS Developer Guide)."""

from typing import Any

import msgspec

from longshore.base.key_material import new_material
from longshore.base.sealing import Sealer
from longshore.model.errors import AwsError
from longshore.model.kms import Key, Material
from longshore.services.interface import Context, Response
from longshore.services.keys import check_usable
from longshore.services.kms.pages import page
from longshore.services.kms.resources import find_own, keep

DAY = 86_400.0
DEFAULT_DAYS = 365
ON_DEMAND = "ON_DEMAND"
MOST_ON_DEMAND = 25
"""Of a key ("Quotas", AWS KMS Developer Guide)."""
ROTATIONS_PAGE = 100


def enable(context: Context, request: Any) -> Response:
    """The first rotation is a period from now."""
    key = _usable(context, request)
    days = request.get("RotationPeriodInDays", key.rotation_days or DEFAULT_DAYS)
    rotates_at = key.rotates_at if days == key.rotation_days else context.now + days * DAY
    keep(context, msgspec.structs.replace(key, rotation_days=days, rotates_at=rotates_at))
    return {}


def disable(context: Context, request: Any) -> Response:
    key = _usable(context, request)
    keep(context, msgspec.structs.replace(key, rotation_days=0, rotates_at=0.0))
    return {}


def _usable(context: Context, request: Any) -> Key:
    key = find_own(context, request["KeyId"])
    check_usable(key)
    return key


def status(context: Context, request: Any) -> Response:
    key = find_own(context, request["KeyId"])
    answer: dict[str, Any] = {"KeyRotationEnabled": bool(key.rotation_days), "KeyId": key.arn}
    if key.rotation_days:
        answer |= {"RotationPeriodInDays": key.rotation_days, "NextRotationDate": key.rotates_at}
    return answer


def rotate(sealer: Sealer, context: Context, request: Any) -> Response:
    key = _usable(context, request)
    if sum(each.rotation == ON_DEMAND for each in key.materials) >= MOST_ON_DEMAND:
        raise AwsError(
            "LimitExceededException", f"A key can be rotated {MOST_ON_DEMAND} times on demand"
        )
    material, sealed = new_material(sealer, key.arn)
    made = Material(id=material, sealed=sealed, created_at=context.now, rotation=ON_DEMAND)
    keep(context, msgspec.structs.replace(key, materials=(*key.materials, made)))
    return {"KeyId": key.arn}


def list_rotations(context: Context, request: Any) -> Response:
    """The rotations that are through, or with ALL_KEY_MATERIAL the first material too."""
    key = find_own(context, request["KeyId"])
    everything = request.get("IncludeKeyMaterial") == "ALL_KEY_MATERIAL"
    found = [
        {
            "KeyId": key.arn,
            "KeyMaterialId": each.id,
            "KeyMaterialState": "CURRENT" if each == key.materials[-1] else "NON_CURRENT",
            **({"RotationDate": each.created_at, "RotationType": each.rotation} if number else {}),
        }
        for number, each in enumerate(key.materials)
        if everything or number
    ]
    shown, more = page(found, request, ROTATIONS_PAGE)
    return {"Rotations": list(shown), **more}
