"""Logs: one line of JSON each on stderr, with the function and the invocation that they come from."""

import json
import logging
import sys
from datetime import UTC, datetime

from local.functions_host import worker

_USUAL = logging.makeLogRecord({}).__dict__.keys() | {"message", "asctime"}


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
        }
        if invocation := worker.current():
            line["function"], line["invocationId"] = invocation
        line |= {name: value for name, value in record.__dict__.items() if name not in _USUAL}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def set_up() -> None:
    """Send every logger's records of level INFO and above to stderr, warnings of Python included."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    # The SDKs log every request at INFO.
    for name in ("azure", "uvicorn", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
