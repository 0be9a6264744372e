//! Units move: spends, holds, grants and expiry, each once. All of them enter the ledger through `posting`.

pub mod expire;
mod grace;
pub mod grant;
pub mod hold;
pub(crate) mod posting;
pub mod request;
pub mod spend;
