//! The time. No other file asks the system for it; everything else takes a [`Clock`], a [`Timestamp`] or a [`Deadline`].
#![expect(clippy::disallowed_types, reason = "the one place that asks for the time")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use crate::ledger::Timestamp;

/// Calendar days are counted in UTC, so every day has 24 hours.
pub const DAY_SECONDS: i64 = 86_400;
pub const DAY_MILLIS: i64 = 1_000 * DAY_SECONDS;

/// Where the time comes from. A test moves a manual one by hand.
#[derive(Clone, Debug)]
pub enum Clock {
    System,
    /// Moves only when it is set: for tests.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stays at `at` until [`Clock::set`] moves it.
    pub fn manual(at: Timestamp) -> Clock {
        Clock::Manual(Arc::new(AtomicI64::new(at.millis())))
    }

    /// Moves a manual clock. The system's clock stays as it is.
    pub fn set(&self, at: Timestamp) {
        if let Clock::Manual(millis) = self {
            millis.store(at.millis(), Ordering::SeqCst);
        }
    }

    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Clock::Manual(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
        }
    }
}

/// A point on the monotonic clock by which something must have ended, even if the wall clock is changed meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    started: Instant,
    allowed: Duration,
}

impl Deadline {
    pub fn after(allowed: Duration) -> Deadline {
        Deadline { started: Instant::now(), allowed }
    }

    /// The time left; zero after the deadline.
    pub fn left(&self) -> Duration {
        self.allowed.saturating_sub(self.started.elapsed())
    }

    /// The time since the deadline was set.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// RFC 3339 in UTC with milliseconds, the form of every time in an answer: `2026-11-24T05:23:00.000Z`.
pub fn rfc3339(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.millis()) {
        Ok(instant) => format!("{instant:.3}"),
        Err(_) => String::from("-"),
    }
}

/// Reads an RFC 3339 time with any offset.
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|instant| Timestamp::from_millis(instant.as_millisecond()))
}

/// Reads the date of an HTTP header (RFC 9110, section 5.6.7): `Tue, 24 Nov 2026 05:23:00 GMT`.
pub fn parse_http_date(text: &str) -> Option<Timestamp> {
    let instant = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp::from_millis(instant.as_millisecond()))
}

/// The calendar month of an instant, in UTC: `2026-11`.
pub fn month_of(at: Timestamp) -> String {
    rfc3339(at).chars().take(7).collect()
}

/// The same day and time, UTC, so many calendar months later; the month's last day where it has no such day. `None` beyond
/// the calendar's end.
pub fn months_after(at: Timestamp, months: i64) -> Option<Timestamp> {
    let instant = jiff::Timestamp::from_millisecond(at.millis()).ok()?;
    let date = jiff::tz::TimeZone::UTC.to_datetime(instant);
    let later = date.checked_add(jiff::Span::new().try_months(months).ok()?).ok()?;
    let instant = jiff::tz::TimeZone::UTC.to_timestamp(later).ok()?;
    Some(Timestamp::from_millis(instant.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        assert_eq!(rfc3339(Timestamp::from_millis(1_790_000_000_007)), "2026-09-21T14:13:20.007Z");
        assert_eq!(rfc3339(Timestamp::from_seconds(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(parse_rfc3339("2026-09-21T16:13:20.007+02:00"), Some(Timestamp::from_millis(1_790_000_000_007)));
        assert_eq!(parse_rfc3339("yesterday"), None);
    }

    #[test]
    fn months_are_calendar_months_counted_from_the_first_day() {
        let day = |text: &str| parse_rfc3339(text).unwrap();
        for (from, months, to) in [
            ("2026-01-31T10:00:00Z", 1, "2026-02-28T10:00:00Z"),
            ("2026-01-31T10:00:00Z", 2, "2026-03-31T10:00:00Z"),
            ("2028-01-31T00:00:00Z", 1, "2028-02-29T00:00:00Z"),
            ("2028-02-29T23:59:59Z", 12, "2029-02-28T23:59:59Z"),
            ("2026-12-15T00:00:00Z", 1, "2027-01-15T00:00:00Z"),
            ("2026-05-05T05:05:05Z", 0, "2026-05-05T05:05:05Z"),
        ] {
            assert_eq!(months_after(day(from), months), Some(day(to)), "{from} and {months} months");
        }
    }
}
