"""What each AWS service does: one folder a service, one function an operation.

Enters: a `Context` and a request already parsed and validated against botocore's model.
Leaves: desired state in the transaction, and the response as plain values. A function validates,
authorises beyond the generic rule and writes what is wanted; it never acts (controllers do).
Services never import each other: they meet in the store. `interface.py` defines the terms,
`roles.py` finds a role by its ARN.
"""
