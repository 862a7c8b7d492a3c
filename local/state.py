"""The state folder: all that a stack keeps, in one place.

.orderflow        marks the folder as ours; locked while a process of its stack lives
keys.json         what opens which stand-in: only its owner may read it
ports.json        the ports that the parts were given, kept from one start to the next
stack.json        the stack that runs now; absent when none does
logs/<part>.log   what each part printed since the stack started
<part>/           each part's own
"""

import base64
import fcntl
import json
import os
import random
import secrets
import shutil
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

# Below the ports that Linux and macOS give to outgoing connections: while a part is down, a connection that
# tries to reach it could otherwise be given the part's own port, and keep it from coming back.
_PORTS = range(20000, 32768)
_ANEW = "Start anew with scripts/run --fresh, which forgets all state, or name another folder with --state."


class StackError(Exception):
    """A stack can't start, go on or be asked. The message is for the person who wanted it and says what to do; `status`
    is the exit status of a command that ends so."""

    status = 1


class NoStackError(StackError):
    """No stack has told in this folder where it is."""

    status = 2


@dataclass(frozen=True, slots=True)
class StateFolder:
    """A state folder that this process holds, and whichever process it hands `lock` to, a file descriptor."""

    path: Path
    lock: int

    def log(self, part: str) -> Path:
        """Where a part's output goes."""
        return self.path / "logs" / f"{part}.log"

    def keys(self, contexts: Iterable[str]) -> Mapping[str, Any]:
        """The stand-ins' keys, made on first use; a context that is new gets its own."""
        file = self.path / "keys.json"
        keys = read_kept(self.path, file.name) if file.exists() else {}
        before = json.dumps(keys)
        for service, size in (("cosmos", 64), ("serviceBus", 32)):
            of_service = keys.setdefault(service, {})
            for owner in ("operator", *contexts):
                of_service.setdefault(owner, base64.b64encode(secrets.token_bytes(size)).decode())
        keys.setdefault("paymentProvider", f"sk_test_local_{secrets.token_hex(16)}")
        keys.setdefault("operationsClient", secrets.token_urlsafe(32))
        if json.dumps(keys) != before:
            write_private(file, keys)
        return keys

    def ports(self, names: Iterable[str], *, but: int) -> Mapping[str, int]:
        """A port for each name, never `but`: the one it had, if that is free; else a new one, which it keeps."""
        file = self.path / "ports.json"
        kept = read_kept(self.path, file.name) if file.exists() else {}
        for name in names:
            while kept.get(name, but) == but or kept[name] not in _PORTS or not is_free(kept[name]):
                kept[name] = random.choice([port for port in _PORTS if port not in kept.values()])
        write_private(file, kept)
        return kept

    def write_stack(self, stack: Mapping[str, Any]) -> None:
        """Say in stack.json what runs."""
        write_private(self.path / "stack.json", stack)

    def remove_stack(self) -> None:
        """Say that nothing runs."""
        (self.path / "stack.json").unlink(missing_ok=True)


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@contextmanager
def hold(path: Path, *, fresh: bool = False, patience: float = 45.0) -> Iterator[StateFolder]:
    """Take the folder, making it where it isn't there and emptying it first if `fresh`.

    StackError when another stack runs on it, or when it holds anything and isn't a state folder. The parts of
    a stack whose supervisor was killed are waited for, up to `patience` seconds.
    """
    path = path.absolute()
    mark = path / ".orderflow"
    if path.exists() and not mark.exists() and (not path.is_dir() or any(path.iterdir())):
        raise StackError(f"{path} is not a state folder of this stack: name another, or a new one, with --state.")
    path.mkdir(parents=True, exist_ok=True)
    with mark.open("a+") as lock:
        _lock(path, lock, patience)
        if fresh:
            _empty(path, keep=mark)
        (path / "logs").mkdir(exist_ok=True)
        folder = StateFolder(path, lock.fileno())
        folder.remove_stack()
        try:
            yield folder
        finally:
            folder.remove_stack()


def _lock(path: Path, lock: IO[str], patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            lock.seek(0)
            holder = int(said) if (said := lock.read()).isdecimal() else 0
            if time.monotonic() > deadline or (holder and _lives(holder)):
                raise StackError(
                    f"Another stack runs on {path} (process {holder}): end it, or name another --state."
                ) from None
            time.sleep(0.1)
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True


def _empty(path: Path, keep: Path) -> None:
    for entry in path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry != keep:
            entry.unlink()


def read_kept(state: Path, name: str, *fields: str) -> dict[str, Any]:
    """A JSON file of a state folder, which has these fields. NoStackError where it isn't there, StackError where what
    is there can't be it."""
    file = state / name
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise NoStackError(f"No stack runs with the state folder {state}: start one with scripts/run") from None
    except (OSError, ValueError) as error:
        raise StackError(f"{file} can't be read: {error}. {_ANEW}") from None
    if not isinstance(kept, dict) or not kept.keys() >= {*fields}:
        raise StackError(f"{file} is no object with {', '.join(fields) or 'fields'}. {_ANEW}")
    return kept


def write_private(file: Path, document: Mapping[str, Any]) -> None:
    """Write the whole of a JSON file or nothing of it, for its owner's eyes only."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with open(new, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
        json.dump(document, stream, indent=2)
    new.replace(file)
