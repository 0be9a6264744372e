//! The money rules. Nothing here imports from the rest of the crate, does I/O, asks the time, knows SQL, or computes
//! with floating point. Each function takes an account's state and a move, and returns a posting or a refusal.
//!
//! An [`Account`] is what a user has: the sum of all entries (`remaining`) and the lots that it lies in. A [`Posting`]
//! is one new [`Entry`] and the account after it. A posting is stored as a whole, in one transaction.
#![deny(clippy::arithmetic_side_effects, clippy::float_arithmetic, clippy::as_conversions)]

mod account;
mod allotment;
mod chain;
mod credit;
mod currency;
mod entry;
mod expiry;
mod form;
mod fraction;
mod head;
mod hold;
#[cfg(test)]
mod laws;
mod note;
mod replay;
mod reversal;
mod spend;
mod types;
mod value;

pub use account::{Account, Lot, Posting, Refusal};
pub use allotment::{Allotment, Share, allot, less_credited, part_left};
pub use chain::{Chain, Discrepancy};
pub use credit::{Credit, correct, credit};
pub use currency::{Cost, Currency};
pub use entry::{Entry, Kind, entry_id, parse_entry_id, parse_place};
pub use expiry::{due, end_grace, expire, extend};
pub use fraction::Fraction;
pub use head::BooksHead;
pub use hold::{Capture, HoldPosting, Part, capture, hold, release};
pub use note::{EntryNote, Salt};
pub use replay::{EntryEffect, LotFate, Replay, Subject};
pub use reversal::{DisputedFunds, Payment, Refunds, Reversal, reverse, units_to_take};
pub use spend::{Spend, spend};
pub use types::{BALANCE_LIMIT, GRACE_LIMIT_DAYS, Hash, Timestamp, UNITS_LIMIT, Units};
pub use value::{LotChange, ValueChange, split_cost, value_changes};
