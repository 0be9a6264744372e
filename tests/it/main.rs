//! All integration tests, in one program so that they are linked once: stories through HTTP and the command line, the
//! binary itself, a real browser, Stripe's samples, and the house's own order. What they share is in `harness`.
//!
//! They look at the program from outside: no story reads the database. (`store` and `books` stand on the library, and do.)
#![allow(missing_docs, reason = "a test says in its name what it is for")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

mod access;
mod api_description;
mod api_grants;
mod api_users;
mod binary;
mod books;
mod browser;
mod checkout;
mod checks;
mod cli;
mod credit_notes;
mod faults;
mod hard_plans;
mod harness;
mod holds;
mod hooks;
mod hostile;
mod inbox;
mod late_payments;
mod lives;
mod losses;
mod openapi;
mod orders;
mod pages;
mod pipeline_example;
mod plans;
mod presses;
mod problems;
mod purchase;
mod purchases;
mod reconcile;
mod requests;
mod resuming;
mod reversals;
mod sandbox;
mod setup;
mod spends;
mod startup;
mod store;
mod stripe_library;
mod stripe_samples;
mod tidy;
mod webhook;
mod wire;
mod years;
