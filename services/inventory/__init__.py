"""What the shop has, what is set aside for which order, and what was decided about it."""
