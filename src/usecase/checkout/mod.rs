//! A purchase starts with a Stripe Checkout Session ([`start`]) and ends when the buyer comes back ([`confirm`]).
//! Afterwards the user changes a plan in the customer [`portal`]. `stripe_events::apply` decides what a payment is
//! worth.

pub mod confirm;
mod customer;
pub mod customer_change;
pub mod erased;
pub(crate) mod one_plan;
pub mod portal;
mod session;
pub mod start;
