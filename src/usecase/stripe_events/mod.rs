//! What Stripe says, from the wire to the books. The way of an event:
//!
//! 1. [`receive`] verifies the signature and stores each event once.
//! 2. `prefetch` asks Stripe for what the event's object leaves out, before the transaction.
//! 3. [`apply`] changes the books, inside the transaction. It talks to nobody.
//! 4. [`retry`] records the outcome and tries again what waits.
//!
//! The other doors lead to the same `apply`: [`inbox`] for the operator, [`reconcile`] for what Stripe never sent, and
//! `usecase::checkout::confirm` for the buyer who comes back.
//!
//! To handle a further event type, add it to `stripe::event` and follow the compiler.

pub mod apply;
pub mod inbox;
mod prefetch;
pub mod receive;
pub mod reconcile;
pub mod retry;
