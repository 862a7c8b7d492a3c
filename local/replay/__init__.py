"""Replays real sales against the API: plans catalogue, stock and orders from a file of invoices, then places them."""
