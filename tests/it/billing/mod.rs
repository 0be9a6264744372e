//! Money through Stripe: a checkout, the webhooks that report the payment, and what the payment changes in the books.
//! `hard_cases` lists all hard cases of payments through Stripe, each with the test that covers it.

mod attribution;
pub mod checkout;
mod customer_change;
mod erased;
mod figures;
mod inbox;
mod other_currency;
mod polling;
mod webhook;

mod pack;
mod plan;
mod refund;

mod reconcile;
mod refused_request;
mod silence;
pub mod simulation;

mod hard_cases;
mod stripe_requests;
mod stripe_samples;
