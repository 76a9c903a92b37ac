"""The logger for tasks and scripts of bgpy 0.3."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from ..errors import ConfigError
from .environment import LOG_DATETIME_FORMAT, LOG_FORMAT, LOG_LEVEL

_ROTATE_BYTES = 10 << 20
_KEPT = 5


class Log:
    """A logger that writes to standard output and error, and optionally to a file.

    Parameters
    ----------
    name : str
        Name of the logger, usually ``__name__``.
    level : str, default "INFO"
        DEBUG, INFO, WARNING, ERROR or CRITICAL.
    tag : str, optional
        Prefix of each message.
    file : path, optional
        File to append to; it is rotated at 10 MiB.
    clear : bool, default False
        Whether to truncate the file first.

    Raises
    ------
    ConfigError
        If the level is unknown.
    """

    __slots__ = ("file", "level", "logger", "name", "tag")

    def __init__(
        self,
        name: str,
        level: str = LOG_LEVEL,
        tag: str | None = None,
        file: Path | str | None = None,
        clear: bool = False,
    ) -> None:
        number = logging.getLevelNamesMapping().get(level.upper())
        if number is None:
            raise ConfigError(f"{level!r} is not a log level")
        self.name = name
        self.level = level
        self.tag = tag
        self.file = None if file is None else Path(file)
        if clear:
            self.clear_log_file()
        self.logger = logging.getLogger(name)
        self.logger.setLevel(number)
        self.logger.handlers.clear()
        quiet = logging.StreamHandler(sys.stdout)
        quiet.addFilter(lambda record: record.levelno <= logging.INFO)
        loud = logging.StreamHandler(sys.stderr)
        loud.setLevel(logging.WARNING)
        handlers: list[logging.Handler] = [quiet, loud]
        if self.file is not None:
            handlers.append(
                RotatingFileHandler(self.file, maxBytes=_ROTATE_BYTES, backupCount=_KEPT)
            )
        for handler in handlers:
            handler.setFormatter(logging.Formatter(LOG_FORMAT, LOG_DATETIME_FORMAT))
            self.logger.addHandler(handler)

    def __repr__(self) -> str:
        return f"Log({self.name!r}, {self.level!r}, {self.tag!r}, {self.file!r})"

    def __str__(self) -> str:
        return f"Logger {self.name!r} with level {self.level!r}"

    def clear_log_file(self) -> None:
        """Truncate the file."""
        if self.file is not None:
            self.file.write_text("")

    def debug(self, msg: str) -> None:
        """Log at level DEBUG."""
        self.logger.debug(self._format(msg))

    def info(self, msg: str) -> None:
        """Log at level INFO."""
        self.logger.info(self._format(msg))

    def warning(self, msg: str) -> None:
        """Log at level WARNING."""
        self.logger.warning(self._format(msg))

    def error(self, msg: str) -> None:
        """Log at level ERROR."""
        self.logger.error(self._format(msg))

    def critical(self, msg: str) -> None:
        """Log at level CRITICAL."""
        self.logger.critical(self._format(msg))

    def exception(self, msg: str) -> None:
        """Log at level ERROR, with the traceback of the current exception."""
        self.logger.exception(self._format(msg))

    def _format(self, msg: str) -> str:
        return msg if self.tag is None else f"{self.tag}: {msg}"
