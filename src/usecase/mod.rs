//! What the appliance does. A use case is a function that takes the [`App`](crate::app::App) first. One that calls Stripe
//! is transaction, network, transaction: no network inside a transaction. Nothing here knows HTTP, HTML or SQL.
//!
//! | room | what happens there |
//! | --- | --- |
//! | [`checkout`] | a purchase starts, and the buyer comes back |
//! | [`stripe_events`] | what Stripe says, from the wire to the books |
//! | [`units`] | units are posted, spent, held, granted, expired |
//! | [`users`] | people, their plan, their statement, how they sign in |
//! | [`notifications`] | outgoing webhooks |
//! | [`mail`] | letters to people, and who wants which |
//! | [`operator`] | proof, export, checks and set-up |
//!
//! Beside the rooms: [`audit`], long work in bounded parts (`batches`), and what both the operator's and the people's files need
//! ([`spreadsheet`]).

mod batches;
mod log_events;

pub mod audit;
pub mod checkout;
pub mod mail;
pub mod notifications;
pub mod operator;
pub mod spreadsheet;
pub mod stripe_events;
pub mod units;
pub mod users;
