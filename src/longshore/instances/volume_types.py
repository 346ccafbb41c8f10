"""What volumes of a type may be ("Amazon EBS volume types", "CreateVolume")."""

from collections.abc import Mapping

import msgspec

from longshore.model.errors import AwsError
from longshore.model.volumes import Performance


class VolumeType(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in GiB; `iops` and `throughput` (MiB/s) as least, most; 0 where they are not to be
    asked for. `ratio` is the most IOPS a GiB."""

    name: str
    least: int = 1
    most: int = 16_384
    iops: tuple[int, int] = (0, 0)
    default_iops: int = 0
    """0 where they must be asked for, or cannot be."""
    ratio: int = 0
    throughput: tuple[int, int] = (0, 0)


TYPES: Mapping[str, VolumeType] = {
    each.name: each
    for each in (
        VolumeType(
            name="gp3",
            most=65_536,
            iops=(3_000, 80_000),
            default_iops=3_000,
            ratio=500,
            throughput=(125, 2_000),
        ),
        VolumeType(name="gp2"),
        VolumeType(name="io1", least=4, iops=(100, 64_000), ratio=50),
        VolumeType(name="io2", least=4, most=65_536, iops=(100, 256_000), ratio=1_000),
        VolumeType(name="st1", least=125),
        VolumeType(name="sc1", least=125),
        VolumeType(name="standard", most=1_024),
    )
}
DEFAULT_TYPE = "gp2"
"""What CreateVolume makes where nothing is asked."""
THROUGHPUT_RATIO = 0.25
"""MiB/s an IOPS of gp3."""


def performance(
    kind: str, size: int, iops: int | None = None, throughput: int | None = None
) -> Performance:
    """A volume as it is asked for, with its type's defaults.

    AwsError UnknownVolumeType, InvalidParameterValue, InvalidParameterCombination.
    """
    found = TYPES.get(kind)
    if found is None:
        raise AwsError("UnknownVolumeType", f"Unknown volume type '{kind}'")
    _check_size(found, size)
    operations = _iops(found, size, iops)
    return Performance(
        size=size,
        type=kind,
        iops=operations,
        throughput=_throughput(found, operations, throughput),
    )


def _check_size(kind: VolumeType, size: int) -> None:
    if size < kind.least:
        raise _invalid(f"Volume of {size}GiB is too small for volume type {kind.name}; minimum is "
                       f"{kind.least}GiB.")  # fmt: skip
    if size > kind.most:
        raise _invalid(f"Volume of {size}GiB is too large for volume type {kind.name}; maximum is "
                       f"{kind.most}GiB.")  # fmt: skip


def _iops(kind: VolumeType, size: int, asked: int | None) -> int:
    least, most = kind.iops
    if not most:
        if asked is not None:
            raise _unsupported("iops", kind)
        # Three a GiB, within bounds ("General Purpose SSD volumes").
        return min(max(100, 3 * size), 16_000) if kind.name == "gp2" else 0
    wanted = kind.default_iops if asked is None else asked
    if not wanted and asked is None:
        raise AwsError(
            "InvalidParameterCombination",
            f"The parameter iops must be specified for {kind.name} volumes.",
        )
    if wanted < least:
        raise _invalid(f"Volume iops of {wanted} is too low; minimum is {least}.")
    if wanted > most:
        raise _invalid(f"Volume iops of {wanted} is too high; maximum is {most}.")
    if wanted > kind.ratio * size and asked is not None and wanted > kind.default_iops:
        raise _invalid(f"Iops to volume size ratio of {wanted / size:f} is too high; maximum is "
                       f"{kind.ratio:f}.")  # fmt: skip
    return wanted


def _throughput(kind: VolumeType, iops: int, asked: int | None) -> int:
    least, most = kind.throughput
    if not most:
        if asked is not None:
            raise _unsupported("throughput", kind)
        return 0
    wanted = least if asked is None else asked
    if wanted < least:
        raise _invalid(f"Volume throughput of {wanted} is too low; minimum is {least}.")
    if wanted > most:
        raise _invalid(f"Volume throughput of {wanted} is too high; maximum is {most}.")
    if wanted > THROUGHPUT_RATIO * iops:
        raise _invalid(
            f"Throughput (MiBps) to iops ratio of {wanted / iops:f} is too high; maximum is "
            f"{THROUGHPUT_RATIO:f} MiBps per iops."
        )
    return wanted


def _unsupported(parameter: str, kind: VolumeType) -> AwsError:
    return AwsError(
        "InvalidParameterCombination",
        f"The parameter {parameter} is not supported for {kind.name} volumes.",
    )


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)
