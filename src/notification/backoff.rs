//! When a message that was not taken is sent again: a pure function. Waits grow from seconds to hours, for three days
//! from the message's creation; then it is parked.

/// How long a message is tried, in milliseconds.
pub const PATIENCE_MILLIS: i64 = 3 * 24 * 3600 * 1000;

/// The longest that a receiver may ask us to wait, in seconds.
const RETRY_AFTER_LIMIT: i64 = 12 * 3600;

/// Seconds after each failed attempt; the last one from then on.
const WAITS: [i64; 8] = [5, 30, 120, 600, 1800, 3600, 7200, 14_400];

/// Milliseconds to wait after attempt number `attempts` (from 1) failed. `random` is any number, all being equally
/// likely: it moves the wait by up to a fifth either way, so that many who failed together do not come back together.
/// `retry_after` is what the receiver asked for, in seconds: the wait is no shorter, within a bound.
pub fn wait_millis(attempts: i64, retry_after: Option<i64>, random: u64) -> i64 {
    let place = usize::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(WAITS.len() - 1);
    let base = WAITS[place] * 1000;
    let drawn = i64::try_from(random % 401).unwrap_or(0);
    let wait = base - base / 5 + base * drawn / 1000;
    let asked = retry_after.unwrap_or(0).clamp(0, RETRY_AFTER_LIMIT) * 1000;
    wait.max(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_are_drawn_and_follow_what_is_asked_within_bounds() {
        for (attempts, retry_after, random, expected) in [
            (1, None, 0, 4_000),
            (1, None, 200, 5_000),
            (1, None, 400, 6_000),
            (1, None, 401, 4_000),
            (2, None, 200, 30_000),
            (8, None, 200, 14_400_000),
            (9, None, 400, 17_280_000),
            (i64::MAX, None, u64::MAX, 14_400_000 - 2_880_000 + 14_400 * i64::try_from(u64::MAX % 401).unwrap()),
            (0, None, 200, 5_000),
            (1, Some(90), 0, 90_000),
            (8, Some(90), 0, 11_520_000),
            (1, Some(i64::MAX), 0, 43_200_000),
            (1, Some(-5), 0, 4_000),
        ] {
            assert_eq!(wait_millis(attempts, retry_after, random), expected, "{attempts} {retry_after:?} {random}");
        }
    }
}
