"""Deterministic simulation: every context in one thread, in memory, through all that can go wrong; a seed decides it.

What runs is the application: its functions as the host would call them, dispatch, handlers, contracts, domain. What is
simulated is around it: stores and broker (`shared.adapters.memory`, which the contract tests hold to what the real ones
do), the payment provider, the host, clocks, chance and the people. Nothing waits for real: in the event loop of
`simulation.loop` the next timer is due as soon as nobody has anything to do, so that hours cost what happens in them.

Each message, request and run of a timer has a process of its own (`incarnation`). An adversary stands at every call of
a store, the broker or the provider: it lets others go first, for milliseconds or for hours, lets the call fail before
or after its effect, has it sent twice, shows an old state, or ends the process: then none of its code runs again, no
`except` and no `finally`, and whatever part of it is still about to do something never gets there. Messages come late,
twice, in another order, not at all, or are given up by the broker. There are outages, clocks jump, authorisations
lapse, and the broker forgets what it has seen.

A witness looks at every write, message and movement of money. In the end everything drains, and the invariants hold,
by the functions of `python -m local verify`. docs/simulation.md says what has been found so far, and what it can find.

- `world`, `topology`, `neighbours`, `callers`, `clock`, `provider`: all contexts, who calls, and what they stand on;
  the unit tests' world, too
- `loop`, `incarnation`, `host`: time, processes, and who hands them their work
- `faults`, `adversary`, `unreliable`, `unreliable_world`: what goes wrong, how often, and where it is brought in
- `people`, `history`: what is wished for, from the first order until all have come to their end
- `witness`, `verdict`, `trace`: what must never be; what must be in the end; what happened, to the letter
- `reach`, `seeds`, `report`, `__main__`: what was met; many seeds; what is said of them
"""
