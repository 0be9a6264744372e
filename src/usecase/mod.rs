//! What the appliance does, one verb a file. A use case is a function that is handed the [`App`](crate::app::App) first;
//! where it talks to Stripe it is transaction, network, transaction, never network inside a transaction. Nothing here
//! knows HTTP, HTML or SQL.

mod announce;
mod ask;
mod books;
mod told;

pub mod buy;
pub mod check;
pub mod confirm;
pub mod deliver;
pub mod expire;
pub mod export;
pub mod grant;
pub mod history;
pub mod hold;
pub mod hook;
pub mod inbox;
pub mod overview;
pub mod portal;
pub mod receive;
pub mod reconcile;
pub mod settle;
pub mod sign_in;
pub mod spend;
pub mod stripe_setup;
pub mod subscribe;
pub mod tokens;
pub mod users;
pub mod verify;
