"""Operations: what became of every order, told from what all contexts announce."""
