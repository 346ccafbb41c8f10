"""What `aws eks get-token` makes its tokens with."""

import os
from unittest import mock

with mock.patch.dict(os.environ):
    # It sets AWS_DATA_PATH, by which another version of the AWS CLI would read this one's models.
    from awscli.customizations.eks.get_token import (  # type: ignore[import-untyped]
        STSClientFactory,
        TokenGenerator,
    )

__all__ = ["STSClientFactory", "TokenGenerator"]
