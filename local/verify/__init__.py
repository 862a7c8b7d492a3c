"""Examines a stack from outside: whether what is stored everywhere agrees, what became of an order, what is parked."""
