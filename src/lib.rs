//! `till`: a cash register for prepaid units of work.
//!
//! A request comes in through `http`, a timer through `worker`, an operator through `cli`. Each calls a function in `usecase`,
//! which reads and writes in transactions of `store`, moves units by the pure rules of `ledger`, and calls Stripe through
//! `stripe`, never inside a transaction. `notification` is outgoing webhooks on the wire, `mail` letters to people;
//! `sandbox` is a stand-in for Stripe, which knows nothing of till. The modules below stand in reading order: each uses
//! only those above it. `ARCHITECTURE.md` has the exact table, the invariants, and the test that keeps each.

pub mod ledger;

pub mod actor;
pub mod backoff;
pub mod clock;
pub mod database;
pub mod email;
pub mod error;
pub mod id;
pub mod language;
pub mod log_pace;
pub mod money;
pub mod plain_text;
pub mod private_file;
pub mod secret;
mod slot;
pub mod tls;
pub mod totp;

pub mod catalog;
pub mod config;
pub mod mail;
pub mod notification;
pub mod oidc;
pub mod passkey;
pub mod store;
pub mod stripe;

pub mod metrics;

pub mod app;

pub mod usecase;

pub mod http;
pub mod worker;

pub mod sandbox;

pub mod cli;
