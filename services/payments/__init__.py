"""The money of each order: held, taken or let go at the payment provider."""
