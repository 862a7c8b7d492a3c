"""Orders' bodies."""
