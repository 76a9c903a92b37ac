"""Default values, under their names in bgpy 0.3."""

HOST = "127.0.0.1"
"""Default host of the functions in `bgpy.interface`."""

PORT = 54321
"""Default port of the functions in `bgpy.interface`."""

STARTUP_TIME = 1
"""Seconds that bgpy 0.3 slept after a start. Unused; kept for scripts that import it."""

LOG_LEVEL = "INFO"
"""Default log level."""

LOG_FORMAT = "[%(asctime)s %(process)d %(levelname)s] %(message)s (%(name)s)"
"""Format of the lines of `bgpy.core.log.Log`."""

LOG_DATETIME_FORMAT = "%Y-%m-%d %H:%M:%S"
"""Format of the times in these lines."""

ENV_TOKEN = "BGPY_TOKEN"
"""Environment variable that holds a token."""
