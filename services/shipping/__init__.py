"""What the warehouse has to send, and what it has sent."""
