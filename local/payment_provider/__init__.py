"""The part of Stripe's API that the payments context uses: PaymentIntents by card, captured by hand.

It speaks to the real `stripe` SDK. Behaviour follows https://docs.stripe.com/api/payment_intents, /api/errors and
/api/idempotent_requests. What Stripe can do beyond that is refused by name.
"""
