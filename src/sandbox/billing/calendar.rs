//! When a billing period ends. Boundaries are counted from the anchor, so that 31 January is followed by 28 (or 29)
//! February and then by 31 March. In UTC, as at Stripe. Source: Stripe, "Set the billing cycle date".

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::Value;

use crate::clock::DAY_SECONDS;
use crate::sandbox::shape::{integer, text};

/// The `number`-th boundary after the anchor, in whole seconds. `recurring` is a price's.
pub fn boundary(anchor: i64, recurring: &Value, number: i64) -> i64 {
    let count = integer(recurring, "interval_count").max(1).saturating_mul(number);
    match text(recurring, "interval") {
        "day" => anchor.saturating_add(count.saturating_mul(DAY_SECONDS)),
        "week" => anchor.saturating_add(count.saturating_mul(7 * DAY_SECONDS)),
        "year" => months_after(anchor, count.saturating_mul(12)),
        _ => months_after(anchor, count),
    }
}

/// The first boundary after `after`, and not before the anchor.
pub fn next_after(anchor: i64, recurring: &Value, after: i64) -> i64 {
    let longest = match text(recurring, "interval") {
        "day" => DAY_SECONDS,
        "week" => 7 * DAY_SECONDS,
        "year" => 366 * DAY_SECONDS,
        _ => 31 * DAY_SECONDS,
    };
    let longest = longest.saturating_mul(integer(recurring, "interval_count").max(1));
    let mut number = (after.saturating_sub(anchor) / longest).max(0);
    loop {
        let at = boundary(anchor, recurring, number);
        // A boundary that equals the one before it is beyond the calendar, so it is never reached.
        if at > after || boundary(anchor, recurring, number + 1) == at {
            return at;
        }
        number += 1;
    }
}

/// An instant some months later: the same day and time, or the last day of the month.
pub fn months_after(at: i64, months: i64) -> i64 {
    let moved = Timestamp::from_second(at).ok().and_then(|instant| {
        let span = Span::new().try_months(months).ok()?;
        TimeZone::UTC.to_datetime(instant).checked_add(span).ok()
    });
    moved.and_then(|moved| TimeZone::UTC.to_timestamp(moved).ok()).map_or(i64::MAX, |moved| moved.as_second())
}

/// `amount × part / whole`, rounded half up.
pub fn share(amount: i64, part: i64, whole: i64) -> i64 {
    let (amount, part, whole) = (i128::from(amount), i128::from(part.max(0)), i128::from(whole.max(1)));
    let rounded = (amount * part * 2 + whole).div_euclid(whole * 2);
    i64::try_from(rounded).unwrap_or_default()
}

/// A day as Stripe writes it in the description of a line: `15 Oct 2026`.
pub fn day_in_words(at: i64) -> String {
    Timestamp::from_second(at)
        .map(|instant| TimeZone::UTC.to_datetime(instant).strftime("%-d %b %Y").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn periods_end_on_the_anchors_day_or_the_months_last() {
        for (anchor, interval, count, after, expected) in [
            ("2027-01-31T10:00:00Z", "month", 1, "2027-01-31T10:00:00Z", "2027-02-28T10:00:00Z"),
            ("2027-01-31T10:00:00Z", "month", 1, "2027-02-28T10:00:00Z", "2027-03-31T10:00:00Z"),
            ("2028-01-31T10:00:00Z", "month", 1, "2028-02-01T00:00:00Z", "2028-02-29T10:00:00Z"),
            ("2028-02-29T00:00:00Z", "year", 1, "2028-02-29T00:00:00Z", "2029-02-28T00:00:00Z"),
            ("2028-02-29T00:00:00Z", "year", 1, "2031-03-01T00:00:00Z", "2032-02-29T00:00:00Z"),
            ("2026-10-30T00:00:00Z", "month", 3, "2026-11-01T00:00:00Z", "2027-01-30T00:00:00Z"),
            ("2026-11-23T05:00:00Z", "week", 2, "2026-11-23T05:00:00Z", "2026-12-07T05:00:00Z"),
            ("2026-12-31T23:59:59Z", "day", 1, "2040-01-01T00:00:00Z", "2040-01-01T23:59:59Z"),
            ("2026-12-31T00:00:00Z", "month", 1, "2026-12-01T00:00:00Z", "2026-12-31T00:00:00Z"),
        ] {
            let recurring = json!({ "interval": interval, "interval_count": count });
            assert_eq!(next_after(at(anchor), &recurring, at(after)), at(expected), "{anchor} {interval} {after}");
        }
    }

    #[test]
    fn shares_are_rounded_half_up() {
        for (amount, part, whole, expected) in
            [(2900, 1, 2, 1450), (900, 1, 3, 300), (1, 1, 2, 1), (1, 1, 3, 0), (100, 0, 9, 0), (100, -5, 9, 0)]
        {
            assert_eq!(share(amount, part, whole), expected, "{amount} {part}/{whole}");
        }
        assert_eq!(day_in_words(at("2026-10-15T14:13:20Z")), "15 Oct 2026");
    }
}
