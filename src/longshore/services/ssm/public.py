"""Public parameters: what AWS's own services say, in every account ("Discovering public
parameters in Parameter Store")."""

from longshore.instances.images import CREATED_AT, public_parameters
from longshore.model.ssm import Parameter, ParameterVersion, parameter_arn

PREFIX = "/aws/service/"


def public_parameter(region: str, name: str) -> Parameter | None:
    """The public parameter of this name, or None."""
    value = public_parameters(region).get(name)
    if value is None:
        return None
    version = ParameterVersion(
        number=1, value=value, type="String", modified_at=CREATED_AT, modified_by=""
    )
    return Parameter(name=name, versions=(version,))


def under(region: str, prefix: str) -> list[Parameter]:
    """The public parameters whose names begin so, in order."""
    if not prefix.startswith(PREFIX):
        return []
    names = sorted(name for name in public_parameters(region) if name.startswith(prefix))
    return [found for name in names if (found := public_parameter(region, name)) is not None]


def arn_of(account: str, region: str, name: str) -> str:
    """A parameter's ARN: public ones are of no account."""
    return parameter_arn("" if name.startswith(PREFIX) else account, region, name)
