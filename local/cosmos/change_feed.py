"""The change feed, latest version: each document once, as it is now, in the order of its last change."""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from local.cosmos import charges, errors
from local.cosmos.container import Container
from local.cosmos.identity import MICROSECONDS


@dataclass(frozen=True, slots=True)
class Changes:
    """A page of changes, possibly none; `etag` is where the next begins."""

    documents: list[str]
    etag: str
    charge: float


def changes(
    container: Container, partition: str | None, after: str | None, since: str | None, size: int, now: int
) -> Changes:
    """About `size` changes behind the ETag `after` (`*`: `now`, a transaction's number), none before `since`.

    A page ends between transactions, so that it may be longer than asked for. 400 for what isn't an ETag or a date.
    """
    try:
        behind = now if after == "*" else int(after.strip('"')) if after else 0
        if since is not None:
            behind = max(behind, int(parsedate_to_datetime(since).timestamp()) * MICROSECONDS - 1)
    except ValueError as error:
        raise errors.bad_request("If-None-Match or If-Modified-Since isn't one of the change feed's.") from error
    documents, length, last = list[str](), 0, behind
    where, order = ["lsn > :behind"], "ORDER BY lsn, row"
    rows = container.select("lsn, pk, body", where, {"behind": behind}, order, f"{container.table}_lsn")
    for lsn, key, body in rows:
        if len(documents) >= size and lsn != last:
            break
        last = lsn
        if partition in (None, key):
            documents.append(f'{body[:-1]},"_lsn":{lsn}}}')
            length += len(body)
    return Changes(documents, f'"{last}"', charges.page(len(documents), length))
