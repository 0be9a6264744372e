//! The basic types of the ledger, units and instants, with their bounds.

/// The most units that one movement may move (`docs/rules.md`, rule 11).
pub const UNITS_LIMIT: i64 = 1_000_000_000;

/// No balance passes this, in either direction (rule 11). The bound keeps every sum far from overflow. The database
/// checks it again.
pub const BALANCE_LIMIT: i64 = 1_000_000_000_000_000;

/// No lot lives longer than this beyond its own time (rule 9), in seconds: 30 days. `till ledger verify` checks it.
pub const GRACE_LIMIT_SECONDS: i64 = 30 * 86_400;

/// A positive count of units (pictures, say), from 1 to [`UNITS_LIMIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Units(i64);

impl Units {
    /// `None` unless `count` is from 1 to [`UNITS_LIMIT`].
    pub fn new(count: i64) -> Option<Units> {
        (1..=UNITS_LIMIT).contains(&count).then_some(Units(count))
    }

    /// The count, always positive.
    pub fn count(self) -> i64 {
        self.0
    }
}

/// An instant: milliseconds since 1970-01-01T00:00:00Z. Only `clock` makes one; others are read from the database or
/// from Stripe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis)
    }

    /// From whole seconds since the epoch, as Stripe writes times.
    pub fn from_seconds(seconds: i64) -> Timestamp {
        Timestamp(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The instant `millis` milliseconds after this one.
    pub fn plus_millis(self, millis: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(millis))
    }

    /// The instant `seconds` seconds after this one.
    pub fn plus_seconds(self, seconds: i64) -> Timestamp {
        self.plus_millis(seconds.saturating_mul(1000))
    }
}
