//! What the tests stand on: the real binary (`process`) with the Stripe stand-in beside it (`shop`), a browser without a
//! screen and one with a real engine (`client`, `chromium`), requests as bytes (`wire`), Stripe's signature (`webhook`), a
//! receiver of outgoing webhooks (`receiver`), a recorder of what is asked of Stripe (`recorder`), fixed answers in
//! Stripe's place (`canned`), a mail server (`mail_server`), an authenticator that
//! keeps passkeys (`authenticator`), providers of OpenID Connect (`oidc_provider`), Stripe's OpenAPI
//! description as a judge (`openapi`), Python's libraries (`python`), Node's (`npm`) and Debian's programs (`debian`), a small
//! disk that can be full (`disk`), a PostgreSQL (`postgres`) and a hand in the books past till (`hand`), Prometheus' tool (`promtool`), a judge of accessible pages (`axe`), programs that a test makes (`executable`),
//! a Debian with its own systemd (`machine`), and waiting for a condition instead of for a while (`wait`). Only `hand` reads the database. Only `life`
//! calls into the appliance; everything else meets it from outside.

pub mod authenticator;
pub mod axe;
pub mod canned;
pub mod chromium;
pub mod client;
pub mod debian;
pub mod devtools;
pub mod disk;
pub mod executable;
pub mod folder;
pub mod hand;
pub mod left_out;
pub mod life;
pub mod log;
pub mod lots;
pub mod machine;
pub mod mail_server;
pub mod npm;
pub mod oidc_provider;
pub mod openapi;
pub mod port;
pub mod postgres;
pub mod process;
pub mod promtool;
pub mod python;
pub mod receiver;
pub mod recorder;
pub mod shop;
pub mod wait;
pub mod webhook;
pub mod wire;

pub use axe::Axe;
pub use chromium::Chromium;
pub use client::{Answer, Client};
pub use disk::Disk;
pub use folder::Folder;
pub use hand::Hand;
pub use left_out::{is_about_a_file, is_about_a_server, is_about_sqlite, left_out};
pub use machine::Machine;
pub use process::Till;
pub use receiver::Receiver;
pub use recorder::Recorder;
pub use shop::Shop;
pub use wait::eventually;
