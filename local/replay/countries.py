"""ISO 3166-1 codes of the countries that the Online Retail data set names."""

_TABLE = """
    AE United Arab Emirates; AT Austria; AU Australia; BE Belgium; BH Bahrain; BR Brazil; CA Canada; CH Switzerland;
    CY Cyprus; CZ Czech Republic; DE Germany; DK Denmark; ES Spain; FI Finland; FR France; GB United Kingdom; GR Greece;
    HK Hong Kong; IE EIRE; IL Israel; IS Iceland; IT Italy; JP Japan; LB Lebanon; LT Lithuania; MT Malta;
    NL Netherlands; NO Norway; PL Poland; PT Portugal; SA Saudi Arabia; SE Sweden; SG Singapore; US USA; ZA RSA
"""
CODES = {name.casefold(): code for code, _, name in (row.strip().partition(" ") for row in _TABLE.split(";"))}


def code_of(country: str) -> str | None:
    """The country's two letters; None where its name stands for no one country, such as "Channel Islands"."""
    return CODES.get(country.casefold())
