"""The bounded contexts. None imports another; they know one another through `shared.contracts` alone."""
