//! The money rules. Nothing here imports from the rest of the crate, does I/O, asks the time, knows SQL, or computes
//! with floating point: each function takes an account's state and a move, and answers a posting or a refusal.

mod types;

pub use types::{Timestamp, Units};
