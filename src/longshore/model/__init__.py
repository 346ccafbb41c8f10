"""Resources, states, ARNs and errors: frozen values without I/O.

Enters: nothing but values. Leaves: the msgspec structs that the store keeps and every room above
speaks of, `AwsError`, `Arn`, `Principal`.
"""
