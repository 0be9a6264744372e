//! Units move: spends, holds, grants and expiry, each once. All of them enter the books through `posting`.

pub mod expire;
pub mod grant;
pub mod history;
pub mod hold;
pub(crate) mod posting;
pub mod spend;
