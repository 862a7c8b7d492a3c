"""What every bounded context stands on: contracts, messaging, the outbox, dispatch, storage and HTTP."""
