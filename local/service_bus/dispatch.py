"""Turns: each takes what all clients have sent, delivers messages, commits once, and only then answers."""

import asyncio
from collections import defaultdict

from local.service_bus.attempts import Action
from local.service_bus.broker import Broker
from local.service_bus.entities import Entity
from local.service_bus.links import SendingLink


class Dispatcher:
    """Hands the broker's messages to the links that clients receive on."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        # Each in the order in which their turns come, so that no receiver starves.
        self._links: defaultdict[Entity, dict[SendingLink, None]] = defaultdict(dict)
        self._flowed: set[SendingLink] = set()
        self._flushes: set[Action] = set()
        self._turn_due = False
        self._timer: asyncio.TimerHandle | None = None

    def touch(self, flush: Action) -> None:
        """A connection may have something to send: flush it after the next turn."""
        self._flushes.add(flush)
        self.soon()

    def flowed(self, link: SendingLink) -> None:
        """A client receives over this link from now on, has issued credit, or wants it drained."""
        self._links[link.entity].setdefault(link)
        self._flowed.add(link)
        self.broker.awake.add(link.entity)
        self.soon()

    def detached(self, link: SendingLink) -> None:
        """A client no longer receives."""
        self._flowed.discard(link)
        self._links[link.entity].pop(link, None)

    def soon(self) -> None:
        """Take a turn once what has arrived by now has been read."""
        if not self._turn_due:
            self._turn_due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._turn_due = False
        wait = self.broker.tick()
        while self.broker.awake:
            self._deliver(self.broker.awake.pop())
        for link in self._flowed:
            link.link.drained()
        self._flowed.clear()
        self.broker.store.commit()
        flushes, self._flushes = self._flushes, set()
        for flush in flushes:
            flush()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(wait, self.soon)

    def _deliver(self, entity: Entity) -> None:
        links = self._links[entity]
        while entity.ready and (link := next((link for link in links if link.credit > 0), None)):
            links[link] = links.pop(link)
            link.deliver()
            self._flushes.add(link.flush)
