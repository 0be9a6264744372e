//! The Stripe stand-in, used over HTTP as its users do. Where Stripe's OpenAPI description is on this machine, every API
//! answer here is checked against it.

mod calls;
mod checkout;
mod credit_notes;
mod currencies;
mod disputes;
mod fixture;
mod idempotency;
mod lists;
mod portal;
mod programs;
mod prorations;
mod refunds;
mod schedules;
mod stripe_library;
mod subscriptions;
mod terms;
mod trust;
mod versions;
mod webhooks;
