//! The time. No other file asks the system for it; everything else takes a [`Clock`], a [`Timestamp`] or a [`Deadline`].
#![expect(clippy::disallowed_types, reason = "the one place that asks for the time")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;

pub use crate::ledger::Timestamp;

/// Calendar days are counted in UTC, so every day has 24 hours.
pub const DAY_SECONDS: i64 = 86_400;
pub const DAY_MILLIS: i64 = 1_000 * DAY_SECONDS;

/// How far the clock may be beyond what is known of the time before it is implausible (rule 14).
const AHEAD_LIMIT_MILLIS: i64 = DAY_MILLIS;
/// How far it may be behind: as much as Stripe's signatures tolerate. A correction by NTP is smaller.
const BEHIND_LIMIT_MILLIS: i64 = 300_000;
/// Stripe has not stated its time.
const UNKNOWN: i64 = i64::MIN;

/// Where the time comes from. A test moves a manual one by hand.
#[derive(Clone, Debug)]
pub enum Clock {
    System,
    /// Moves only when it is set: for tests.
    Manual(Arc<ManualHands>),
    /// Another one's time while that is plausible, and else the last plausible time and what has passed since.
    Judged(Arc<ClockJudge>),
}

/// The time of day, and what has passed since some moment: two clocks of a machine, of which only the first is ever set.
#[derive(Debug)]
pub struct ManualHands {
    wall: AtomicI64,
    steady: AtomicI64,
    /// Whether it is judged as the system's clock is.
    is_doubted: bool,
}

/// Compares a clock with what is known of the time: the last time that the books were written, or that Stripe stated. What
/// has passed since is counted by a clock that nobody sets, and that counts on while the machine sleeps. All offsets are
/// milliseconds from that clock to the time of day.
#[derive(Debug)]
pub struct ClockJudge {
    source: Clock,
    /// Of the last plausible time.
    last: AtomicI64,
    /// Of the time that Stripe stated last.
    stripe: AtomicI64,
}

/// What a clock says, beside what is known of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What the clock says.
    pub wall: Timestamp,
    /// The least that the time can be, or Stripe's time where that is known.
    pub known: Timestamp,
    pub is_by_stripe: bool,
    pub is_plausible: bool,
}

impl Clock {
    /// A clock that stays at `at` until [`Clock::set`] moves it, and is never doubted.
    pub fn manual(at: Timestamp) -> Clock {
        Clock::of_hands(at, false)
    }

    /// The same, but judged as the system's clock is.
    pub fn doubted(at: Timestamp) -> Clock {
        Clock::of_hands(at, true)
    }

    fn of_hands(at: Timestamp, is_doubted: bool) -> Clock {
        let (wall, steady) = (AtomicI64::new(at.millis()), AtomicI64::new(0));
        Clock::Manual(Arc::new(ManualHands { wall, steady, is_doubted }))
    }

    /// Lets the time pass on a manual clock until `at`. The system's clock stays as it is.
    pub fn set(&self, at: Timestamp) {
        if let Clock::Manual(hands) = self {
            let before = hands.wall.swap(at.millis(), Ordering::SeqCst);
            hands.steady.fetch_add(at.millis().saturating_sub(before), Ordering::SeqCst);
        }
    }

    /// Sets a manual clock to `at` while no time passes, as somebody sets a clock wrong.
    pub fn set_wrong(&self, at: Timestamp) {
        if let Clock::Manual(hands) = self {
            hands.wall.store(at.millis(), Ordering::SeqCst);
        }
    }

    /// The time to work by.
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System | Clock::Manual(_) => self.wall(),
            Clock::Judged(judge) => judge.time(),
        }
    }

    /// What the clock says, plausible or not.
    pub fn wall(&self) -> Timestamp {
        match self {
            Clock::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Clock::Manual(hands) => Timestamp::from_millis(hands.wall.load(Ordering::SeqCst)),
            Clock::Judged(judge) => judge.source.wall(),
        }
    }

    /// Milliseconds that have passed since some moment, sleep included.
    fn steady(&self) -> i64 {
        match self {
            Clock::System => {
                let passed = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
                passed.tv_sec.saturating_mul(1000).saturating_add(passed.tv_nsec / 1_000_000)
            }
            Clock::Manual(hands) => hands.steady.load(Ordering::SeqCst),
            Clock::Judged(judge) => judge.source.steady(),
        }
    }

    /// The clock, judged by the last time that is known; a manual one only if it is doubted. Without such a time it is
    /// believed as it is.
    pub fn judged(&self, last: Option<Timestamp>) -> Clock {
        match self {
            Clock::Manual(hands) if !hands.is_doubted => self.clone(),
            Clock::Judged(judge) => judge.source.judged(last),
            Clock::System | Clock::Manual(_) => {
                let last = AtomicI64::new(last.unwrap_or(self.wall()).millis().saturating_sub(self.steady()));
                let (source, stripe) = (self.clone(), AtomicI64::new(UNKNOWN));
                Clock::Judged(Arc::new(ClockJudge { source, last, stripe }))
            }
        }
    }

    /// Whether anything may be given or taken by time now (rule 14).
    pub fn is_plausible(&self) -> bool {
        self.judgement().is_none_or(|judgement| judgement.is_plausible)
    }

    /// What the clock says beside what is known. `None` where it is not judged.
    pub fn judgement(&self) -> Option<Judgement> {
        match self {
            Clock::Judged(judge) => Some(judge.judgement()),
            Clock::System | Clock::Manual(_) => None,
        }
    }

    /// Takes note of the time that Stripe has just stated. From then on it decides.
    pub fn stripe_said(&self, time: Timestamp) {
        if let Clock::Judged(judge) = self {
            judge.stripe.store(time.millis().saturating_sub(self.steady()), Ordering::SeqCst);
        }
    }

    /// Takes `time` for the time that it is now, whatever Stripe said before: the operator has confirmed it.
    pub fn confirm(&self, time: Timestamp) {
        if let Clock::Judged(judge) = self {
            judge.last.store(time.millis().saturating_sub(self.steady()), Ordering::SeqCst);
            judge.stripe.store(UNKNOWN, Ordering::SeqCst);
        }
    }

    /// Remembers the time if it is plausible, so that what comes later is compared with it. Call it every few seconds.
    pub fn keep_up(&self) {
        if let Clock::Judged(judge) = self
            && judge.judgement().is_plausible
        {
            judge.last.store(self.wall().millis().saturating_sub(self.steady()), Ordering::SeqCst);
        }
    }
}

impl ClockJudge {
    fn judgement(&self) -> Judgement {
        let (wall, steady) = (self.source.wall(), self.source.steady());
        let stripe = self.stripe.load(Ordering::SeqCst);
        let is_by_stripe = stripe != UNKNOWN;
        let offset = if is_by_stripe { stripe } else { self.last.load(Ordering::SeqCst) };
        let known = Timestamp::from_millis(steady.saturating_add(offset));
        let ahead = wall.millis().saturating_sub(known.millis());
        let is_plausible = (-BEHIND_LIMIT_MILLIS..=AHEAD_LIMIT_MILLIS).contains(&ahead);
        Judgement { wall, known, is_by_stripe, is_plausible }
    }

    fn time(&self) -> Timestamp {
        let judgement = self.judgement();
        if judgement.is_plausible {
            return judgement.wall;
        }
        Timestamp::from_millis(self.source.steady().saturating_add(self.last.load(Ordering::SeqCst)))
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
        Err(_) => civil(at).map_or_else(|| String::from("-"), |at| format!("{at:.3}Z")),
    }
}

/// Reads an RFC 3339 time with any offset, up to [`LAST`].
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let instant = text.parse::<jiff::Timestamp>().ok().map(|instant| Timestamp::from_millis(instant.as_millisecond()));
    instant.or_else(|| parse_last_day(text))
}

/// The last instant that RFC 3339 can write: `9999-12-31T23:59:59.999Z`.
pub const LAST: Timestamp = Timestamp::from_millis(253_402_300_799_999);

/// Reads a time of the last day of the year 9999, of which `jiff::Timestamp` has only what has a date at every offset.
fn parse_last_day(text: &str) -> Option<Timestamp> {
    let pieces = jiff::fmt::temporal::Pieces::parse(text).ok()?;
    let written = pieces.date().to_datetime(pieces.time()?);
    let offset = i64::from(pieces.to_numeric_offset()?.seconds()) * 1000;
    let millis = i64::try_from(written.duration_since(EPOCH).as_millis()).ok()? - offset;
    Some(Timestamp::from_millis(millis)).filter(|at| written.year() == 9999 && *at <= LAST)
}

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// The date and time of an instant, in UTC; `None` beyond the calendar's end.
pub fn civil(at: Timestamp) -> Option<DateTime> {
    EPOCH.checked_add(jiff::SignedDuration::from_millis(at.millis())).ok()
}

/// Reads the date of an HTTP header (RFC 9110, section 5.6.7): `Tue, 24 Nov 2026 05:23:00 GMT`.
pub fn parse_http_date(text: &str) -> Option<Timestamp> {
    let instant = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp::from_millis(instant.as_millisecond()))
}

/// The calendar day of an instant, in UTC: whole days since 1970-01-01.
pub fn day_of(at: Timestamp) -> i64 {
    at.millis().div_euclid(DAY_MILLIS)
}

/// The first instant of a day, in UTC.
pub fn day_start(day: i64) -> Timestamp {
    Timestamp::from_millis(day.saturating_mul(DAY_MILLIS))
}

/// A day as `2026-11-27`.
pub fn date_of(day: i64) -> String {
    rfc3339(day_start(day)).chars().take(10).collect()
}

/// The calendar month of an instant, in UTC: `2026-11`.
pub fn month_of(at: Timestamp) -> String {
    rfc3339(at).chars().take(7).collect()
}

/// The first instant of a calendar month in UTC, written as `2026-11`. `None` for anything else.
pub fn month_start(month: &str) -> Option<Timestamp> {
    let is_shaped = month.len() == 7
        && month.bytes().enumerate().all(|(at, byte)| match at {
            4 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    parse_rfc3339(&format!("{month}-01T00:00:00Z")).filter(|_| is_shaped)
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
        for (text, written) in [
            ("9999-12-30T22:00:01Z", Some("9999-12-30T22:00:01.000Z")),
            ("9999-12-31T23:59:59.999Z", Some("9999-12-31T23:59:59.999Z")),
            ("9999-12-31T23:59:59+14:00", Some("9999-12-31T09:59:59.000Z")),
            ("9999-12-31T23:59:59-00:01", None),
        ] {
            assert_eq!(parse_rfc3339(text).map(rfc3339).as_deref(), written, "{text}");
        }
    }

    #[test]
    fn a_day_begins_in_utc_also_before_1970() {
        for (millis, day, date) in
            [(0, 0, "1970-01-01"), (-1, -1, "1969-12-31"), (1_790_000_000_007, 20_717, "2026-09-21")]
        {
            let at = Timestamp::from_millis(millis);
            assert_eq!((day_of(at), date_of(day).as_str()), (day, date), "{millis}");
            assert!(day_start(day) <= at && at < day_start(day + 1), "{millis}");
        }
    }

    #[test]
    fn a_month_begins_in_utc_and_is_written_in_one_way() {
        assert_eq!(month_start("2026-12").map(rfc3339).as_deref(), Some("2026-12-01T00:00:00.000Z"));
        for bad in [
            "",
            "2026",
            "2026-13",
            "2026-00",
            "2026-1",
            "26-11",
            "2026-11-01",
            "2026/11",
            "November",
            "+026-11",
            "２026-1",
        ] {
            assert_eq!(month_start(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_clock_is_plausible_within_a_day_beyond_what_is_known_and_not_before_it() {
        const NOON: Timestamp = Timestamp::from_millis(1_790_000_000_000);
        let source = Clock::doubted(NOON);
        let clock = source.judged(Some(NOON));
        let day = DAY_SECONDS;
        for (seconds, is_plausible) in
            [(0, true), (-300, true), (-301, false), (day, true), (day + 1, false), (3_650 * day, false)]
        {
            source.set_wrong(NOON.plus_seconds(seconds));
            assert_eq!(clock.is_plausible(), is_plausible, "{seconds}");
            assert_eq!(clock.now(), if is_plausible { NOON.plus_seconds(seconds) } else { NOON }, "{seconds}");
        }
        // Time that passes is not taken for a wrong clock, and goes on while the clock is wrong.
        source.set_wrong(NOON);
        source.set(NOON.plus_seconds(40 * day));
        assert_eq!((clock.is_plausible(), clock.now()), (true, NOON.plus_seconds(40 * day)));
        source.set_wrong(NOON);
        assert_eq!((clock.is_plausible(), clock.now()), (false, NOON.plus_seconds(40 * day)));
        // Stripe decides against what was known, either way.
        clock.stripe_said(NOON);
        assert_eq!((clock.is_plausible(), clock.now()), (true, NOON));
        clock.stripe_said(NOON.plus_seconds(400));
        assert!(!clock.is_plausible());
        clock.confirm(NOON);
        clock.keep_up();
        assert_eq!((clock.is_plausible(), clock.now()), (true, NOON));
        // A manual clock that is not doubted, and the first start of all, are believed.
        assert!(Clock::manual(NOON).judged(Some(NOON.plus_seconds(-9 * day))).is_plausible());
        assert!(Clock::doubted(NOON).judged(None).is_plausible());
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
