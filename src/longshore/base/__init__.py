"""What every room stands on and what knows nothing of AWS: time, ids, logging, settings.

Enters: environment variables, the system clock, random bytes.
Leaves: `Clock`, `Ids`, loggers, `Installation`. Imports nothing of Longshore.
"""
