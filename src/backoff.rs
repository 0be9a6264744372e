//! When something that failed is tried again: three schedules, side by side because each is a decision about the same
//! question. Pure functions. The caller does the waiting, and passes in the randomness: any number, all being equally
//! likely, so that callers that failed together do not come back together.

use std::time::Duration;

use crate::clock::{DAY_MILLIS, Timestamp};

/// A call to Stripe. Somebody waits for the answer, so there are few attempts within seconds. Stripe's pages "Advanced
/// error handling" and "Rate limits" ask for waits that double and are drawn from their whole range ("full jitter").
#[derive(Clone, Copy, Debug)]
pub struct CallBackoff {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// The longest first wait; it doubles with each attempt.
    pub first_wait: Duration,
    /// The longest wait of ours; Stripe may ask for more.
    pub longest_wait: Duration,
}

impl Default for CallBackoff {
    fn default() -> CallBackoff {
        CallBackoff { attempts: 6, first_wait: Duration::from_millis(500), longest_wait: Duration::from_secs(4) }
    }
}

impl CallBackoff {
    /// How long to wait after attempt number `attempt` (from 1) failed. `None` when it was the last, or when the wait
    /// would use up what is `left` of the deadline. `at_least` is what Stripe asked for.
    pub fn wait(&self, attempt: u32, at_least: Duration, left: Duration, random: u64) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let doublings = attempt.saturating_sub(1).min(16);
        let ceiling = self.first_wait.saturating_mul(1 << doublings).min(self.longest_wait);
        let millis = u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX);
        let drawn = Duration::from_millis(random % millis.saturating_add(1));
        let wait = drawn.max(at_least);
        (wait < left).then_some(wait)
    }
}

/// How long a notification is tried after it was written, in milliseconds: over a weekend. Then it is parked.
pub const NOTIFICATION_PATIENCE_MILLIS: i64 = 3 * DAY_MILLIS;

/// Milliseconds to wait after attempt number `attempts` (from 1) to deliver a notification failed. The receiver is the
/// operator's own program: it may be back in seconds after a restart, or in hours after an outage. `random` moves the
/// wait by up to a fifth either way. `retry_after` is what the receiver asked for, in seconds: the wait is no shorter,
/// up to twelve hours.
pub fn notification_wait_millis(attempts: i64, retry_after: Option<i64>, random: u64) -> i64 {
    /// Seconds after each failed attempt; the last one from then on.
    const WAITS: [i64; 8] = [5, 30, 120, 600, 1800, 3600, 7200, 14_400];
    const RETRY_AFTER_LIMIT: i64 = 12 * 3600;
    let place = usize::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(WAITS.len() - 1);
    let base = WAITS[place] * 1000;
    let drawn = i64::try_from(random % 401).unwrap_or(0);
    let wait = base - base / 5 + base * drawn / 1000;
    let asked = retry_after.unwrap_or(0).clamp(0, RETRY_AFTER_LIMIT) * 1000;
    wait.max(asked)
}

/// When an event of Stripe's in the inbox is applied again, after `attempts` (from 1) that failed or had to wait: in one
/// minute, then twice as long each time up to six hours, for about a month. What it waits for mostly arrives within
/// minutes, and an outage of Stripe's ends within hours. After that it is applied only when what it waits for arrives,
/// or when the operator replays it: `None`. One process works through the inbox, so nothing is drawn at random.
pub fn next_event_attempt(attempts: i64, now: Timestamp) -> Option<Timestamp> {
    const ATTEMPTS: i64 = 130;
    const LONGEST_SECONDS: i64 = 6 * 3600;
    let doublings = u32::try_from(attempts - 1).unwrap_or(0).min(9);
    (attempts < ATTEMPTS).then(|| now.plus_seconds((60i64 << doublings).min(LONGEST_SECONDS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_stripe_grow_are_drawn_and_never_pass_the_deadline() {
        let backoff = CallBackoff::default();
        let millis = Duration::from_millis;
        let (nothing, long) = (Duration::ZERO, Duration::from_millis(20_000));
        let rows = [
            (1, nothing, long, 500, Some(millis(500))),
            (1, nothing, long, 501, Some(millis(0))),
            (2, nothing, long, 1000, Some(millis(1000))),
            (5, nothing, long, 4000, Some(millis(4000))),
            (5, nothing, long, 4001, Some(millis(0))),
            (6, nothing, long, 0, None),
            (1, nothing, millis(300), 300, None),
            (1, nothing, millis(0), 0, None),
            (1, millis(3000), long, 7, Some(millis(3000))),
            (1, millis(20_000), long, 7, None),
            (1, Duration::from_secs(u64::MAX), long, 7, None),
        ];
        for (attempt, at_least, left, random, expected) in rows {
            let wait = backoff.wait(attempt, at_least, left, random);
            assert_eq!(wait, expected, "{attempt} {at_least:?} {left:?} {random}");
        }
        let endless = CallBackoff { attempts: u32::MAX, ..backoff };
        assert!(endless.wait(u32::MAX - 1, nothing, long, u64::MAX).is_some());
    }

    #[test]
    fn waits_for_a_receiver_grow_are_drawn_and_follow_what_is_asked_within_bounds() {
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
            let wait = notification_wait_millis(attempts, retry_after, random);
            assert_eq!(wait, expected, "{attempts} {retry_after:?} {random}");
        }
    }

    #[test]
    fn an_event_is_tried_every_six_hours_in_the_end_and_stops_after_a_month() {
        let now = Timestamp::from_millis(1_790_000_000_000);
        for (attempts, seconds) in [
            (0, Some(60)),
            (1, Some(60)),
            (2, Some(120)),
            (9, Some(15_360)),
            (10, Some(21_600)),
            (11, Some(21_600)),
            (129, Some(21_600)),
            (130, None),
            (i64::MAX, None),
        ] {
            assert_eq!(
                next_event_attempt(attempts, now),
                seconds.map(|seconds| now.plus_seconds(seconds)),
                "{attempts}"
            );
        }
    }
}
