//! The hard cases of subscriptions. Stories in a shop with the stand-in, where it can bring the situation about; else
//! events as Stripe signs them.

mod changes;
mod shapes;
mod states;
pub mod subscriber;
