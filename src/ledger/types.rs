//! The words of the ledger: units and instants. Plain values with their bounds, nothing else.

/// The most units that one request may move (contract, section 4).
pub const UNITS_LIMIT: i64 = 1_000_000_000;

/// No balance goes beyond this, in either direction: a bound that keeps every sum far from overflow, and that the
/// database checks again.
pub const BALANCE_LIMIT: i64 = 1_000_000_000_000_000;

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

/// An instant: milliseconds since 1970-01-01T00:00:00Z. Made only by `clock`, or read back from where it was stored.
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

    /// This instant and so many milliseconds.
    pub fn plus_millis(self, millis: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(millis))
    }

    /// This instant and so many seconds.
    pub fn plus_seconds(self, seconds: i64) -> Timestamp {
        self.plus_millis(seconds.saturating_mul(1000))
    }
}
