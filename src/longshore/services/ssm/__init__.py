"""Systems Manager: Parameter Store.

Enters: calls of the SSM API. Leaves: records of parameters; what is a SecureString lies in them
sealed with a key that is not in the store.
"""

from functools import partial

from longshore.base.sealing import Sealer
from longshore.services.interface import Service
from longshore.services.ssm import labels, names, parameters, reading, tags


def service(sealer: Sealer) -> Service:
    """The service, with what seals its SecureStrings."""
    return Service(
        name="ssm",
        iam_prefix="ssm",
        operations={
            "AddTagsToResource": tags.add,
            "DeleteParameter": parameters.delete,
            "DeleteParameters": parameters.delete_several,
            "DescribeParameters": reading.describe,
            "GetParameter": partial(reading.get, sealer),
            "GetParameterHistory": partial(reading.history, sealer),
            "GetParameters": partial(reading.get_several, sealer),
            "GetParametersByPath": partial(reading.get_by_path, sealer),
            "LabelParameterVersion": labels.label,
            "ListTagsForResource": tags.list_tags,
            "PutParameter": partial(parameters.put, sealer),
            "RemoveTagsFromResource": tags.remove,
            "UnlabelParameterVersion": labels.unlabel,
        },
        resources={
            "AddTagsToResource": names.tagged,
            "DeleteParameter": names.named,
            "DeleteParameters": names.all_named,
            "DescribeParameters": names.every_parameter,
            "GetParameter": names.named,
            "GetParameterHistory": names.named,
            "GetParameters": names.all_named,
            "GetParametersByPath": names.under_path,
            "LabelParameterVersion": names.named,
            "ListTagsForResource": names.tagged,
            "PutParameter": names.named,
            "RemoveTagsFromResource": names.tagged,
            "UnlabelParameterVersion": names.named,
        },
    )
