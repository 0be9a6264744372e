//! What Stripe says, from the wire to the books. The way of an event:
//!
//! 1. [`receive`] verifies the signature and stores each event once.
//! 2. `prefetch` asks Stripe for what the event does not say, before the transaction.
//! 3. [`apply`] changes the books, inside the transaction.
//! 4. `receive` records the outcome in the inbox.
//! 5. [`retry`] tries again what waits; [`inbox`] lets the operator do so; [`reconcile`] finds what Stripe never sent.

pub mod apply;
pub mod inbox;
mod prefetch;
pub mod receive;
pub mod reconcile;
pub mod retry;
