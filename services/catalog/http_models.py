"""Catalog's bodies."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SkipValidation, ValidationError

from services.catalog.domain import Product
from services.catalog.handlers import Failure, Outcome
from shared.fields import Body, MoneyView, ShopCurrency, Sku, Text, View, optional, payable
from shared.problems import field_errors

MOST_PRODUCTS = 5000
_HIGHEST_PRICE = 99_999_999


class Price(Body):
    """What one piece costs, in minor units of the shop's currency."""

    amount: Annotated[int, Field(ge=1, le=_HIGHEST_PRICE), AfterValidator(payable)]
    currency: ShopCurrency
    """The shop's."""


class ProductImport(Body):
    """One product of an import."""

    sku: Sku
    """No other product of the import has it."""
    name: Text
    price: Price
    listed: bool = True
    """Whether it can be bought."""

    def product(self) -> Product:
        """The product that it describes."""
        return Product(self.sku, self.name, self.price.amount, self.price.currency, self.listed)


class ProductsImport(Body):
    """Products, each looked at by itself: a bad one is refused alone."""

    products: Annotated[list[SkipValidation[ProductImport]], Field(max_length=MOST_PRODUCTS)]

    def examined(self, context: dict[str, Any]) -> tuple[list[Product], list["ImportResult | None"]]:
        """The products that can be imported, and, in the order of the body, the refusals of the others."""
        good: dict[str, Product] = {}
        results: list[ImportResult | None] = []
        for data in self.products:
            try:
                product = ProductImport.model_validate(data, context=context).product()
            except ValidationError as error:
                results.append(ImportResult.refused(_sku_of(data), error))
                continue
            if product.sku in good:
                results.append(ImportResult.repeated(product.sku))
            else:
                good[product.sku] = product
                results.append(None)
        return list(good.values()), results


def _sku_of(data: Any) -> str | None:
    sku = data.get("sku") if isinstance(data, dict) else None
    return sku[:40] if isinstance(sku, str) else None


class FieldErrorView(View):
    """One wrong field (RFC 6901 pointer into the product)."""

    pointer: str
    detail: str


class ImportResult(View):
    """What became of one product; `sku` as it is stored, or as it was sent where it was refused."""

    sku: str | None
    status: Outcome | Literal["refused", "failed"]
    errors: list[FieldErrorView] | None = optional()
    reason: Failure | None = optional()

    @classmethod
    def of(cls, product: Product, outcome: Outcome | Failure) -> "ImportResult":
        """What its import came to."""
        if isinstance(outcome, Failure):
            return cls(sku=product.sku, status="failed", reason=outcome)
        return cls(sku=product.sku, status=outcome)

    @classmethod
    def refused(cls, sku: str | None, error: ValidationError) -> "ImportResult":
        """Refused for its fields."""
        errors = [FieldErrorView(pointer=each.pointer, detail=each.detail) for each in field_errors(error)]
        return cls(sku=sku, status="refused", errors=errors)

    @classmethod
    def repeated(cls, sku: str) -> "ImportResult":
        """Refused because the same import names it earlier."""
        detail = "is named earlier in the same import"
        return cls(sku=sku, status="refused", errors=[FieldErrorView(pointer="/sku", detail=detail)])


class ImportReport(View):
    """What became of each product, in the order of the request."""

    results: list[ImportResult]

    @classmethod
    def of(
        cls,
        products: Sequence[Product],
        outcomes: Sequence[Outcome | Failure],
        refusals: Sequence[ImportResult | None],
    ) -> "ImportReport":
        """Refusals in their places, outcomes in the others."""
        done = (ImportResult.of(product, outcome) for product, outcome in zip(products, outcomes, strict=True))
        return cls(results=[refusal or next(done) for refusal in refusals])


class ProductView(View):
    """A product of the catalogue."""

    sku: str
    name: str
    price: MoneyView
    listed: bool

    @classmethod
    def of(cls, product: Product) -> "ProductView":
        """The product as callers see it."""
        price = MoneyView(amount=product.price, currency=product.currency)
        return cls(sku=product.sku, name=product.name, price=price, listed=product.listed)
