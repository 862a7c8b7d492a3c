"""Amounts in the minor units of a currency (ISO 4217)."""

import re
from decimal import ROUND_HALF_UP, Decimal

_WITHOUT = re.compile("BIF|CLP|DJF|GNF|ISK|JPY|KMF|KRW|PYG|RWF|UGX|UYI|VND|VUV|XAF|XOF|XPF")
_IN_THOUSANDTHS = re.compile("BHD|IQD|JOD|KWD|LYD|OMR|TND")


def decimals(currency: str) -> int:
    """How many digits follow the point."""
    return 0 if _WITHOUT.fullmatch(currency) else 3 if _IN_THOUSANDTHS.fullmatch(currency) else 2


def minor_units(amount: Decimal, currency: str) -> int:
    """The amount, rounded half up to hundredths at the finest: a provider takes no thousandths, even where a currency
    has them."""
    finest = Decimal(1).scaleb(-min(decimals(currency), 2))
    return int(amount.quantize(finest, ROUND_HALF_UP).scaleb(decimals(currency)))
