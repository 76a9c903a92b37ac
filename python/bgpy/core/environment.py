"""Defaults, under their names of bgpy 0.3."""

HOST = "127.0.0.1"
"""Host of the functions in `bgpy.interface`."""

PORT = 54321
"""Port of the functions in `bgpy.interface`."""

STARTUP_TIME = 1
"""Seconds that bgpy 0.3 slept after a start. Nothing sleeps here; scripts may still import it."""

LOG_LEVEL = "INFO"
"""Default level of logs."""

LOG_FORMAT = "[%(asctime)s %(process)d %(levelname)s] %(message)s (%(name)s)"
"""Format of the lines of `bgpy.core.log.Log`."""

LOG_DATETIME_FORMAT = "%Y-%m-%d %H:%M:%S"
"""Format of their times."""

ENV_TOKEN = "BGPY_TOKEN"
"""Environment variable that holds a token."""
