"""What a person types after `longshore`, apart from starting and ending it.

Enters: arguments, `installation.json`, the administrator's key. Leaves: lines on standard output.
An ordinary client of the API: it never opens the store.
"""
