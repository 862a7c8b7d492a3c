"""Currencies: the minor units of ISO 4217, and what the payment provider takes of each.

The provider's rules: https://docs.stripe.com/currencies.
"""

from decimal import Decimal

from pydantic_core import PydanticCustomError

_WITHOUT_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_OF_TWO = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY
COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR
MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP
STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
"""
_OF_THREE = "BHD IQD JOD KWD LYD OMR TND"
_OF_FOUR = "CLF UYW"


def _by_code(table: dict[int, str]) -> dict[str, int]:
    return {code: number for number, codes in table.items() for code in codes.split()}


DECIMALS = _by_code({0: _WITHOUT_DECIMALS, 2: _OF_TWO, 3: _OF_THREE, 4: _OF_FOUR})
"""Of every currency that has minor units; gold, units of account, codes for tests and the like have none."""

_COUNTED_OTHERWISE = {"ISK", "MGA", "UGX"}
"""The provider takes krónur and Ugandan shillings in hundredths, which they don't have, and ariary without."""

_LEAST = _by_code(
    {
        30: "GBP",
        50: "AUD BRL CAD CHF EUR INR JPY NZD SGD USD",
        200: "AED MYR PLN RON",
        250: "DKK",
        300: "NOK SEK",
        400: "HKD",
        1000: "MXN THB",
        1500: "CZK",
        17_500: "HUF",
    }
)


def shop_currency(code: str) -> str:
    """Validator of the shop's currency."""
    if code not in DECIMALS:
        raise PydanticCustomError("currency", "should be a currency of ISO 4217 that has minor units, such as GBP")
    if code in _COUNTED_OTHERWISE:
        raise PydanticCustomError(
            "currency", "the payment provider counts it otherwise than ISO 4217 does: not supported"
        )
    return code


def in_words(amount: int, code: str) -> str:
    """So many minor units as people write them: `2.50 GBP`. What isn't known to have any stays as it is."""
    decimals = DECIMALS.get(code, 0)
    return f"{Decimal(amount).scaleb(-decimals):.{decimals}f} {code}"


def amount_step(code: str) -> int:
    """What every amount is a multiple of: the provider takes no thousandths."""
    return int(10 ** max(DECIMALS[code] - 2, 0))


def least_total(code: str) -> int:
    """The least that the provider takes, in minor units, where that is fixed: of the rest it follows the day's rate."""
    return _LEAST.get(code, amount_step(code))
