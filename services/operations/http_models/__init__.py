"""Operations' bodies."""
