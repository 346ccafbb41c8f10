"""Container instances chosen by an expression of the cluster query language."""

from collections.abc import Sequence

from longshore.model.ecs import ContainerInstance
from longshore.scheduler.query import QueryError, parse_query
from longshore.scheduler.view import columns_of
from longshore.services.ecs.naming import invalid
from longshore.store.interface import Reader


def matching(
    reader: Reader, instances: Sequence[ContainerInstance], expression: str
) -> list[ContainerInstance]:
    """The instances for which the expression holds; all of them where it is empty."""
    if not expression:
        return list(instances)
    try:
        mask = parse_query(expression)(columns_of(reader, instances))
    except QueryError as error:
        raise invalid(f"Invalid expression: {expression}") from error
    return [each for each, holds in zip(instances, mask.tolist(), strict=True) if holds]
