//! All integration tests, in one program so that they are linked once. What they share is in `harness`; `house` checks
//! the layout of the sources.
//!
//! They look at the program from outside: no test reads the database. Only `store` stands on the library, and does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

mod api;
mod billing;
mod mail;
mod pages;

mod cli;
mod cluster;
mod faults;
mod machine;
mod proxies;
mod store;

mod harness;
mod house;
mod sandbox;
