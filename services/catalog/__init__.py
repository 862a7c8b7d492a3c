"""The products of the shop, and what they cost."""
