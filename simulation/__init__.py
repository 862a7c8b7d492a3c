"""Deterministic simulation: every context in one thread, in memory, through all that can go wrong; a seed decides it.

What runs is the application: its functions as the host would call them, dispatch, handlers, contracts, domain, with
every context's settings. What is simulated is around it: the stores and the broker (`shared.adapters.memory`, which the
contract tests hold to what the real ones do), the payment provider, the host that delivers messages and runs timers,
clocks, chance, and the people. An adversary stands at every call between the two. At each of them it lets others go
first, for short or for longer than anybody waits (a frozen copy), lets the call fail before or after its effect, lets
the SDK send a batch twice, shows an old state, or kills the handler. Messages are delivered in any order, some twice at
a time, and again while a copy is frozen; some are lost, on some the broker gives up, and a person replays them, and it
forgets what it has seen. Authorisations lapse, and the contexts' clocks are apart.

A witness looks at every write, message and movement of money; in the end everything drains, and the invariants hold,
by the functions of `python -m local verify`.

Not simulated: the SDKs and their protocols, and the hosts (the local stack has those, and tests/e2e kills its
processes); who may call (tests/e2e); load and time-outs of the machine.

- `world`, `callers`, `clock`, `provider`, `loop`: all contexts, who calls, and what they stand on
- `faults`, `adversary`, `unreliable`, `unreliable_world`: what goes wrong, and where
- `people`, `history`: what is wished for, delivered and swept, from a seed to its end
- `witness`, `verdict`: what must never be, at any moment; what must be in the end
- `reach`, `seeds`, `__main__`: what was met; many seeds; the command line
"""
