//! What Stripe says, from the network to the books. The path of an event:
//!
//! 1. [`receive`] verifies the signature and stores each event once.
//! 2. `prefetch` asks Stripe for what the event's object leaves out, before the transaction.
//! 3. [`apply`] changes the books, inside the transaction and without network.
//! 4. [`retry`] records the outcome and tries again what waits.
//!
//! [`inbox`], [`link`] and [`payments`] (the operator), [`reconcile`] (what Stripe never sent) and
//! `usecase::checkout::confirm` (the buyer who comes back) use the same `apply`.
//!
//! To handle another event type, add it to `stripe::event` and follow the compiler.

pub mod apply;
pub mod bodies;
pub mod changes;
pub(crate) mod completion;
pub mod inbox;
pub mod link;
mod origin;
pub mod payments;
mod prefetch;
mod prefetcher;
pub mod receive;
pub mod reconcile;
pub mod retry;
