"""The life of an intent, as the real `stripe` SDK sees it."""

import asyncio
import time
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import stripe
from pytest_mock import MockerFixture
from stripe import PaymentIntent, PaymentIntentService

from local.payment_provider import intents as operations
from local.payment_provider.store import Store
from tests.local.payment_provider.running import KEY, Running, asked


async def confirmed(intents: PaymentIntentService, **changes: Any) -> PaymentIntent:
    intent = await intents.create_async(asked(**changes))
    return await intents.confirm_async(intent.id)


async def unexpected_state(call: Any) -> PaymentIntent:
    """The intent that comes with the refusal."""
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await call
    assert caught.value.http_status == 400
    assert caught.value.error is not None
    assert caught.value.error.code == "payment_intent_unexpected_state"
    assert caught.value.error.payment_intent is not None
    return caught.value.error.payment_intent


async def test_an_intent_that_is_not_confirmed_holds_no_money(provider: Running, intents: PaymentIntentService) -> None:
    intent = await intents.create_async(asked())

    assert intent.status == "requires_confirmation"
    assert (intent.amount, intent.currency, intent.amount_capturable) == (1_999, "gbp", 0)
    assert await provider.ledger_of(intent.id) == []


async def test_an_intent_needs_a_payment_method_before_it_is_confirmed(intents: PaymentIntentService) -> None:
    params = asked()
    del params["payment_method"]
    intent = await intents.create_async(params)

    assert intent.status == "requires_payment_method"
    await unexpected_state(intents.confirm_async(intent.id))
    assert (await intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})).status == "requires_capture"


async def test_confirming_holds_the_money(provider: Running, intents: PaymentIntentService) -> None:
    intent = await confirmed(intents)

    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 1_999, 0)
    assert str(intent.latest_charge).startswith("ch_")
    assert await provider.ledger_of(intent.id) == [("hold", 1_999)]


async def test_capturing_takes_what_is_held(provider: Running, intents: PaymentIntentService) -> None:
    intent = await confirmed(intents)

    captured = await intents.capture_async(intent.id)

    assert (captured.status, captured.amount_capturable, captured.amount_received) == ("succeeded", 0, 1_999)
    assert await provider.ledger_of(intent.id) == [("hold", 1_999), ("capture", 1_999)]


async def test_capturing_less_releases_the_rest(provider: Running, intents: PaymentIntentService) -> None:
    intent = await confirmed(intents)

    captured = await intents.capture_async(intent.id, {"amount_to_capture": 1_500})

    assert captured.amount_received == 1_500
    assert await provider.ledger_of(intent.id) == [("hold", 1_999), ("capture", 1_500), ("release", 499)]


async def test_capturing_more_than_is_held_is_refused(provider: Running, intents: PaymentIntentService) -> None:
    intent = await confirmed(intents)

    with pytest.raises(stripe.InvalidRequestError) as caught:
        await intents.capture_async(intent.id, {"amount_to_capture": 2_000})

    assert caught.value.code == "amount_too_large"
    assert await provider.ledger_of(intent.id) == [("hold", 1_999)]


async def test_cancelling_releases_what_is_held(provider: Running, intents: PaymentIntentService) -> None:
    intent = await confirmed(intents)

    canceled = await intents.cancel_async(intent.id, {"cancellation_reason": "abandoned"})

    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    assert canceled.canceled_at is not None
    assert await provider.ledger_of(intent.id) == [("hold", 1_999), ("release", 1_999)]


async def test_an_intent_can_be_cancelled_before_it_holds_anything(
    provider: Running, intents: PaymentIntentService
) -> None:
    intent = await intents.create_async(asked())

    assert (await intents.cancel_async(intent.id)).status == "canceled"
    assert await provider.ledger_of(intent.id) == []


async def test_what_is_over_stays_over_and_the_refusal_shows_the_intent(
    provider: Running, intents: PaymentIntentService
) -> None:
    captured, canceled = await confirmed(intents), await confirmed(intents)
    await intents.capture_async(captured.id)
    await intents.cancel_async(canceled.id)

    for intent, status in ((captured, "succeeded"), (canceled, "canceled")):
        for action in (intents.confirm_async, intents.capture_async, intents.cancel_async):
            assert (await unexpected_state(action(intent.id))).status == status
    assert await provider.ledger_of(captured.id) == [("hold", 1_999), ("capture", 1_999)]
    assert await provider.ledger_of(canceled.id) == [("hold", 1_999), ("release", 1_999)]


async def test_an_intent_is_neither_confirmed_twice_nor_captured_unconfirmed(intents: PaymentIntentService) -> None:
    held, fresh = await confirmed(intents), await intents.create_async(asked())

    assert (await unexpected_state(intents.confirm_async(held.id))).status == "requires_capture"
    assert (await unexpected_state(intents.capture_async(fresh.id))).status == "requires_confirmation"


async def test_of_many_confirmations_at_once_one_holds_the_money(
    provider: Running, intents: PaymentIntentService
) -> None:
    intent = await intents.create_async(asked())

    answers = await asyncio.gather(*(intents.confirm_async(intent.id) for _ in range(8)), return_exceptions=True)

    assert sum(isinstance(answer, PaymentIntent) for answer in answers) == 1
    assert sum(isinstance(answer, stripe.InvalidRequestError) for answer in answers) == 7
    assert await provider.ledger_of(intent.id) == [("hold", 1_999)]


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ],
)
async def test_a_declined_card_is_an_error_and_the_intent_wants_another_one(
    provider: Running, intents: PaymentIntentService, method: str, code: str, decline_code: str
) -> None:
    intent = await intents.create_async(asked(payment_method=method))

    with pytest.raises(stripe.CardError) as caught:
        await intents.confirm_async(intent.id)

    assert caught.value.http_status == 402
    assert caught.value.error is not None
    assert (caught.value.code, caught.value.error.decline_code) == (code, decline_code)
    found = await intents.retrieve_async(intent.id)
    assert (found.status, found.payment_method) == ("requires_payment_method", None)
    assert found.last_payment_error is not None
    assert found.last_payment_error.decline_code == decline_code
    assert await provider.ledger_of(intent.id) == []
    assert (await intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})).status == "requires_capture"


async def test_a_card_that_wants_its_holder_is_no_error(provider: Running, intents: PaymentIntentService) -> None:
    intent = await confirmed(intents, payment_method="pm_card_authenticationRequired")

    assert intent.status == "requires_action"
    assert await provider.ledger_of(intent.id) == []
    assert (await intents.cancel_async(intent.id)).status == "canceled"


async def test_a_payment_method_that_nobody_knows_is_refused_at_creation_and_at_confirmation(
    intents: PaymentIntentService,
) -> None:
    intent = await intents.create_async(asked())

    for call in (
        intents.create_async(asked(payment_method="pm_nobody")),
        intents.confirm_async(intent.id, {"payment_method": "pm_nobody"}),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await call
        assert caught.value.http_status == 400
        assert (caught.value.code, caught.value.param) == ("resource_missing", "payment_method")
    assert (await intents.retrieve_async(intent.id)).status == "requires_confirmation"


async def test_a_payment_method_of_live_mode_is_refused_to_a_key_of_test_mode(intents: PaymentIntentService) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="exists in live mode, but a test mode key was used") as caught:
        await intents.create_async(asked(payment_method="pm_card_visa_otherMode"))
    assert (caught.value.code, caught.value.param) == ("resource_missing", "payment_method")


async def test_an_intent_that_nobody_knows_is_not_found(intents: PaymentIntentService) -> None:
    for call in (intents.retrieve_async("pi_nobody"), intents.capture_async("pi_nobody")):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await call
        assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


async def test_an_intent_for_any_payment_method_needs_a_way_back_for_the_customer(
    intents: PaymentIntentService,
) -> None:
    params = asked()
    del params["payment_method_types"]
    intent = await intents.create_async(params)

    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        await intents.confirm_async(intent.id)

    there = await intents.confirm_async(intent.id, {"return_url": "https://shop.example/paid"})
    assert there.status == "requires_capture"


async def test_an_authorisation_that_lapses_is_cancelled_and_cannot_be_captured(
    provider: Running, intents: PaymentIntentService
) -> None:
    intent = await confirmed(intents)

    assert (await provider.control.post(f"/_lapse/{intent.id}")).status_code == 200

    left = await unexpected_state(intents.capture_async(intent.id))
    assert (left.status, left.cancellation_reason) == ("canceled", "automatic")
    assert await provider.ledger_of(intent.id) == [("hold", 1_999), ("release", 1_999)]
    assert (await provider.control.post(f"/_lapse/{intent.id}")).status_code == 400
    assert (await provider.control.post("/_lapse/pi_nobody")).status_code == 404


async def test_a_charge_comes_as_its_id_unless_it_is_asked_for_whole(intents: PaymentIntentService) -> None:
    intent = await confirmed(intents)
    assert isinstance((await intents.retrieve_async(intent.id)).latest_charge, str)
    whole = await intents.retrieve_async(intent.id, {"expand": ["latest_charge"]})
    assert isinstance(whole.latest_charge, stripe.Charge)
    assert whole.to_dict()["latest_charge"]["payment_method_details"]["card"]["capture_before"] > time.time()
    [listed] = (await intents.list_async({"limit": 1})).data
    assert isinstance(listed.latest_charge, str)
    [listed] = (await intents.list_async({"limit": 1, "expand": ["data.latest_charge"]})).data
    assert isinstance(listed.latest_charge, stripe.Charge)


def test_an_authorisation_that_is_too_old_has_lapsed_for_whoever_looks(tmp_path: Path, mocker: MockerFixture) -> None:
    wanted = {"amount": "1999", "currency": "gbp", "capture_method": "manual", "payment_method": "pm_card_visa"}
    with closing(Store(tmp_path / "provider.db")) as store:
        with store.transaction():
            id = operations.create(store, "", wanted | {"automatic_payment_methods[allow_redirects]": "never"})["id"]
            operations.confirm(store, id, {})
        mocker.patch("time.time", return_value=time.time() + 8 * 24 * 3600)

        with store.transaction():
            looked = operations.retrieve(store, id, {})

        assert (looked["status"], looked["cancellation_reason"]) == ("canceled", "automatic")
        assert [movement["kind"] for movement in store.ledger()[0]["movements"]] == ["hold", "release"]


async def test_intents_are_listed_newest_first_page_by_page(intents: PaymentIntentService) -> None:
    made = [(await intents.create_async(asked(metadata={"order_id": f"ord_{n}"}))).id for n in range(5)]

    first = await intents.list_async({"limit": 2})
    second = await intents.list_async({"limit": 2, "starting_after": made[3]})

    assert [intent.id for intent in first.data] == [made[4], made[3]]
    assert [intent.metadata["order_id"] for intent in second.data] == ["ord_2", "ord_1"]
    assert (first.has_more, second.has_more) == (True, True)
    following = [intent.id async for intent in (await intents.list_async({"limit": 2})).auto_paging_iter()]
    assert following[:5] == made[::-1]
    assert (await intents.list_async({"limit": 1, "starting_after": following[-1]})).data == []


async def test_intents_are_listed_of_a_time(tmp_path: Path, mocker: MockerFixture) -> None:
    running = Running(tmp_path)
    wanted = {"amount": "1999", "currency": "gbp", "capture_method": "manual"}
    (folder := tmp_path / "payment_provider").mkdir()
    with closing(Store(folder / "payment_provider.sqlite")) as store, store.transaction():
        made = []
        for seconds in (1_000, 2_000, 2_000, 3_000):
            mocker.patch("time.time", return_value=seconds)
            made.append(operations.create(store, "", wanted)["id"])
    mocker.stopall()
    await running.start()
    intents = running.client().v1.payment_intents

    async def listed(**created: int) -> list[str]:
        return [intent.id for intent in (await intents.list_async({"created": cast(Any, created)})).data]

    assert await listed(gte=2_000) == [made[3], made[2], made[1]]
    assert await listed(gt=2_000) == [made[3]]
    assert await listed(gte=2_000, lt=3_000) == [made[2], made[1]]
    assert await listed(gte=0, lte=1_000) == [made[0]]
    assert await listed(gt=3_000) == []
    page = await intents.list_async({"created": {"lt": 3_000}, "limit": 2})
    assert [intent.id async for intent in page.auto_paging_iter()] == [made[2], made[1], made[0]]
    assert page.has_more

    with pytest.raises(stripe.InvalidRequestError) as caught:
        await listed(gte=-1)
    assert (caught.value.http_status, caught.value.code) == (400, "parameter_invalid_integer")
    assert caught.value.param == "created[gte]"
    with pytest.raises(stripe.InvalidRequestError, match=r"created\[from\]"):
        await listed(**{"from": 1})
    await running.close()


async def test_the_ledger_orders_the_movements_of_an_orders_intents(
    provider: Running, intents: PaymentIntentService
) -> None:
    first, second = [await confirmed(intents, metadata={"order_id": "ord_two_intents"}) for _ in range(2)]
    await intents.cancel_async(first.id)

    ledger = (await provider.control.get("/_ledger")).json()["intents"]

    of_order = [intent for intent in ledger if intent["order_id"] == "ord_two_intents"]
    assert [intent["id"] for intent in of_order] == [first.id, second.id]
    movements = sorted((move["seq"], move["kind"]) for intent in of_order for move in intent["movements"])
    assert [kind for _, kind in movements] == ["hold", "hold", "release"]


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"amount": 29}, "amount_too_small", "amount"),
        ({"amount": 49, "currency": "eur"}, "amount_too_small", "amount"),
        ({"amount": 49, "currency": "usd"}, "amount_too_small", "amount"),
        ({"amount": 49, "currency": "jpy"}, "amount_too_small", "amount"),
        ({"amount": 5_125, "currency": "kwd"}, None, "amount"),
        ({"amount": 100_000_000}, "amount_too_large", "amount"),
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"amount": -5}, "parameter_invalid_integer", "amount"),
        ({"amount": "19.99"}, "parameter_invalid_integer", "amount"),
        ({"amount": None}, "parameter_missing", "amount"),
        ({"currency": "xyz"}, None, "currency"),
        ({"payment_method": ""}, "parameter_invalid_empty", "payment_method"),
        ({"metadata": {"k" * 41: "v"}}, None, "metadata"),
        ({"order": "ord_1"}, "parameter_unknown", "order"),
        ({"metadata": {"a": {"b": "c"}}}, "parameter_unknown", "metadata[a][b]"),
        ({"idempotency_key": "inside the parameters"}, "parameter_unknown", "idempotency_key"),
    ],
)
async def test_what_is_wrong_with_an_intent_is_named(
    intents: PaymentIntentService, changes: dict[str, Any], code: str | None, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await intents.create_async(asked(**changes))

    assert (caught.value.http_status, caught.value.code, caught.value.param) == (400, code, param)


@pytest.mark.parametrize(
    "changes",
    [{"amount": 30}, {"amount": 99_999_999}, {"amount": 50, "currency": "EUR"}, {"amount": 5_120, "currency": "kwd"}],
)
async def test_amounts_at_the_limits_are_taken(intents: PaymentIntentService, changes: dict[str, Any]) -> None:
    assert (await intents.create_async(asked(**changes))).amount == changes["amount"]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"confirm": True}, "confirm at creation"),
        ({"capture_method": "automatic"}, "capture_method"),
        ({"payment_method_types": ["paypal"]}, "paypal"),
    ],
)
async def test_what_the_stand_in_lacks_is_refused_by_name(
    intents: PaymentIntentService, changes: dict[str, Any], name: str
) -> None:
    with pytest.raises(stripe.APIError, match=name) as caught:
        await intents.create_async(asked(**changes))

    assert caught.value.http_status == 501


async def test_other_parts_of_the_api_are_refused_by_name(provider: Running) -> None:
    with pytest.raises(stripe.APIError, match="POST /v1/refunds") as caught:
        await provider.client().v1.refunds.create_async({"payment_intent": "pi_1"})

    assert caught.value.http_status == 501


async def test_a_wrong_key_opens_nothing(provider: Running) -> None:
    with pytest.raises(stripe.AuthenticationError) as caught:
        await provider.client("sk_test_other").v1.payment_intents.list_async()

    assert caught.value.http_status == 401
    assert (await provider.control.get("/v1/payment_intents")).status_code == 401


async def test_a_body_in_another_encoding_is_refused(provider: Running) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=provider.address, headers=headers) as client:
        json = await client.post("/v1/payment_intents", json=asked())
        broken = await client.post("/v1/payment_intents", data={"amount": "30"}, content=None, params={"amount": "30"})

    assert (json.status_code, broken.status_code) == (400, 400)
    assert "content type" in json.json()["error"]["message"]
    assert "more than once" in broken.json()["error"]["message"]
