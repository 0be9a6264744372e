//! A purchase: it starts with a Stripe Checkout Session ([`start`]) and ends when the buyer comes back ([`confirm`]).
//! Afterwards the customer [`portal`] changes it. What a payment is worth is decided in `stripe_events::apply`.

pub mod confirm;
pub mod portal;
pub mod start;
