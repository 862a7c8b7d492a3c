"""Request charges, by a formula.

Azure doesn't publish one; this one goes through the published points and keeps the published relations:

- A point read of 1 KiB costs 1 RU and one of 100 KiB costs 10; a write costs 5 and 50 (*Request units*,
  https://learn.microsoft.com/azure/cosmos-db/request-units). Between them: linear in the size.
- Under strong consistency, the account's default here, reads cost double (same page).
- A write pays for each entry that its item has in the index, by the container's indexing policy (*Indexing policies*,
  https://learn.microsoft.com/azure/cosmos-db/index-policy#index-size; that it costs is published, how much isn't).
- Replacing takes the old item out of the index and puts the new one in: both are paid for. A patch is a replace;
  an upsert is what it turns out to be; a delete pays for what it takes out.
- What fails (404, 409, 412) has read the item.
- A query pays for starting, for each document or index entry that it looks at and for what it returns. With ORDER BY it
  looks at the entries of the index that has this order, from the first that its filters on the leading properties leave
  to the last that it needs; without, at the documents that its filters on indexed properties leave: all of them, if it
  has none. Counting what the index alone can find is as one document.
- A batch costs the sum of its operations.

They are for comparing designs and for counting, not for a bill.
"""

STRONG_READ = 2.0


def _size(length: int) -> float:
    return 1 + max(0.0, length / 1024 - 1) / 11


def read(length: int) -> float:
    """A point read of an item of `length` bytes; also a failed attempt on it (0: there was none)."""
    return STRONG_READ * _size(length)


def write(length: int, entries: int) -> float:
    """Putting an item of so many bytes, with so many entries in the index, in, or taking it out."""
    return 5 * _size(length) + 0.2 * entries


def page(looked_at: int, length: int) -> float:
    """One page of a query or feed that looked at so many documents and returns so many bytes."""
    return STRONG_READ * (1.1 + 0.02 * looked_at + 0.03 * length / 1024)
