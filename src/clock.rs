//! The time. This is the only file that asks for it; everything else is handed a [`Clock`] or a [`Timestamp`].

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use crate::ledger::Timestamp;

/// A day of 24 hours, in seconds. Days of a calendar are counted in UTC, so every day has these.
pub const DAY_SECONDS: i64 = 86_400;
/// The same in milliseconds.
pub const DAY_MILLIS: i64 = 1_000 * DAY_SECONDS;

/// Where the time comes from: the system, or a test's hand.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's wall clock.
    System,
    /// A clock that moves only when it is set: for tests.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `at` until [`Clock::set`] moves it.
    pub fn manual(at: Timestamp) -> Clock {
        Clock::Manual(Arc::new(AtomicI64::new(at.millis())))
    }

    /// Moves a manual clock; the system's clock is not ours to set, and stays.
    pub fn set(&self, at: Timestamp) {
        if let Clock::Manual(millis) = self {
            millis.store(at.millis(), Ordering::SeqCst);
        }
    }

    /// The instant now, in milliseconds.
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

/// A point on the monotonic clock by which something must have ended, however the wall clock is set meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    started: Instant,
    allowed: Duration,
}

impl Deadline {
    /// So long from now.
    pub fn after(allowed: Duration) -> Deadline {
        Deadline { started: Instant::now(), allowed }
    }

    /// What is left; zero when it has passed.
    pub fn left(&self) -> Duration {
        self.allowed.saturating_sub(self.started.elapsed())
    }

    /// What has gone by since it was made.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// RFC 3339 in UTC with milliseconds, as every time that leaves `till` is written: `2026-11-24T05:23:00.000Z`.
pub fn rfc3339(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.millis()) {
        Ok(instant) => format!("{instant:.3}"),
        Err(_) => String::from("-"),
    }
}

/// Reads an RFC 3339 time, any offset. `None` when it is not one.
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

/// The same moment of the day so many calendar months later, in UTC: on the month's last day where it has no such day.
/// `None` beyond the calendar's end.
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
