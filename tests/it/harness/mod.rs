//! What the stories stand on: the real binary (`process`), the Stripe stand-in beside it (`shop`), a browser without a
//! screen and one with a real engine (`client`, `chromium`), Stripe's signature (`webhook`), somebody who takes outgoing
//! webhooks (`receiver`), somebody who answers in Stripe's place what the stand-in does not do (`canned`), and waiting for a
//! condition instead of for a while (`wait`).
//! Nothing here reads the database or calls into the appliance; the stand-in is the only part that runs in this process.

pub mod canned;
pub mod chromium;
pub mod client;
pub mod folder;
pub mod left_out;
pub mod openapi;
pub mod process;
pub mod python;
pub mod receiver;
pub mod recorder;
pub mod shop;
pub mod wait;
pub mod webhook;
pub mod wire;

pub use chromium::Chromium;
pub use client::{Answer, Client};
pub use folder::Folder;
pub use left_out::left_out;
pub use process::Till;
pub use receiver::Receiver;
pub use recorder::Recorder;
pub use shop::Shop;
pub use wait::eventually;
