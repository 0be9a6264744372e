//! `till`: a cash register for prepaid units of work. This page is the map.
//!
//! Money moves one way:
//! ```text
//!  network ──► http ──► usecase ──► ledger (pure) ──► store/entries
//!  Stripe  ──► http/webhook ──► usecase/receive ──► store/inbox, usecase/settle ──► ledger ──► store/entries   (one transaction)
//!  timer   ──► worker ──► usecase           operator ──► cli ──► usecase
//! ```
//! Only `http` (and the stand-in, `sandbox`) is asynchronous; everything below is ordinary blocking Rust. A spend or a
//! hold goes from the HTTP thread to the writer's queue and comes back by a callback after the commit; a short read is
//! done on the HTTP thread; everything else waits in a bounded pool. `ARCHITECTURE.md` has the threads and the tests.
//!
//! Who may use whom (lower never upper): `ledger, tls` → nothing; `error, clock, backoff, id, money, secret` → ledger;
//! `config, catalog, stripe, notification, store` → those; `metrics, app` → those; `usecase` → app and all below;
//! `http, worker` → usecase; `cli` → all; `sandbox` → only from `cli`, and knows nothing of till.
//!
//! Invariants, kept by tests:
//! 1. A balance changes only by what `ledger` decided, and is stored only by `store::entries`;
//!    nothing updates or deletes an entry. What is over is closed before anything else happens on an account.
//! 2. SQL only in `store/`; Stripe's JSON only in `stripe/`; the JSON of outgoing webhooks only in `notification/`; our other
//!    JSON and HTML only in `http/`; the time is asked only in `clock.rs`.
//! 3. No network inside a transaction: a use case is `transaction; network; transaction`.
//!    Write closures may run again, so they talk to nobody.
//! 4. The webhook handler decides nothing; what is paid is decided in `usecase::settle`, which webhook,
//!    return page and replay all enter by the same door.
//! 5. Everything is bounded: bodies, batches, pages, attempts, pools, names.
//! 6. Nobody is answered before the commit, and what is kept in memory is kept only until it may have changed.

pub mod ledger;

pub mod backoff;
pub mod clock;
pub mod error;
pub mod id;
pub mod money;
pub mod secret;
pub mod tls;

pub mod catalog;
pub mod config;
pub mod notification;
pub mod store;
pub mod stripe;

pub mod app;
pub mod metrics;
pub mod usecase;

pub mod http;
pub mod worker;

pub mod cli;
pub mod sandbox;
