"""The orders context's own replica of the catalogue's prices."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Price:
    """What a product costs, in minor units, and whether it can be bought; `version` is the catalogue's."""

    sku: str
    price: int
    currency: str
    listed: bool
    version: int
    etag: str = field(default="", compare=False, metadata={"stored": False})
