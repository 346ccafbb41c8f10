"""The steps of a request's path, one a file; `app.py` has their order.

Enters: an `Exchange`. Leaves: the same, with what the step is for filled in, or an `AwsError`.
"""
