//! The queue of webhooks: what is to be sent, is held back, was sent, and how that went. It decides who is next; it
//! sends nothing. Source for retries: Stripe, "Webhooks", delivery and retries; the first ones are quicker here so that
//! a test need not wait hours.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Deadline;

const LIMIT: usize = 5_000;

/// The pauses before the second and later attempts.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(300),
    Duration::from_secs(3_600),
];

/// One event on its way to one endpoint.
#[derive(Debug)]
pub struct Delivery {
    /// Counts up from 1.
    pub id: u64,
    /// `evt_…`.
    pub event: String,
    /// The event's type.
    pub kind: String,
    /// `we_…`.
    pub endpoint: String,
    /// How often it was sent.
    pub attempts: u32,
    /// What the last attempt ended in: an HTTP status, or words.
    pub last: Option<String>,
    /// Where it stands.
    pub progress: Progress,
    turn: u64,
    lane: u64,
}

/// Where a delivery stands.
#[derive(Debug)]
pub enum Progress {
    /// To be sent when its time has come.
    Waiting(Deadline),
    /// Held back by hand until released.
    Held,
    /// On its way now.
    Sending,
    /// Answered with a 2xx.
    Delivered,
    /// Lost on purpose.
    Dropped,
    /// Tried as often as it is tried.
    GivenUp,
}

impl Progress {
    /// One word for the control page.
    pub fn word(&self) -> &'static str {
        match self {
            Progress::Waiting(_) => "waiting",
            Progress::Held => "held",
            Progress::Sending => "sending",
            Progress::Delivered => "delivered",
            Progress::Dropped => "dropped",
            Progress::GivenUp => "given_up",
        }
    }
}

/// In which order held webhooks leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they were made.
    Made,
    /// The last one first.
    Reverse,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Outbox {
    rows: VecDeque<Delivery>,
    holding: bool,
    dropping: u32,
    ids: u64,
    turns: u64,
}

impl Outbox {
    /// Takes an event for an endpoint: to be sent at once, or held back, or lost, as the switches stand.
    pub fn queue(&mut self, event: &str, kind: &str, endpoint: &str) {
        let progress = if self.dropping > 0 {
            self.dropping -= 1;
            Progress::Dropped
        } else if self.holding {
            Progress::Held
        } else {
            Progress::Waiting(Deadline::after(Duration::ZERO))
        };
        self.ids += 1;
        self.turns += 1;
        let (id, turn) = (self.ids, self.turns);
        let (event, kind, endpoint) = (event.to_owned(), kind.to_owned(), endpoint.to_owned());
        self.rows.push_back(Delivery {
            id,
            event,
            kind,
            endpoint,
            attempts: 0,
            last: None,
            progress,
            turn,
            lane: turn,
        });
        while self.rows.len() > LIMIT {
            self.rows.pop_front();
        }
    }

    /// Holds back what is queued from now on.
    pub fn hold(&mut self) {
        self.holding = true;
    }

    /// Whether webhooks are held back.
    pub fn is_holding(&self) -> bool {
        self.holding
    }

    /// Sends what is held, one after the other in the order asked for, and holds nothing back any more.
    pub fn release(&mut self, order: Order) {
        self.holding = false;
        let mut held: Vec<&mut Delivery> =
            self.rows.iter_mut().filter(|row| matches!(row.progress, Progress::Held)).collect();
        if order == Order::Reverse {
            held.reverse();
        }
        let lane = self.turns + 1;
        for row in held {
            self.turns += 1;
            (row.turn, row.lane) = (self.turns, lane);
            row.progress = Progress::Waiting(Deadline::after(Duration::ZERO));
        }
    }

    /// Loses the next `count` webhooks that are queued.
    pub fn drop_next(&mut self, count: u32) {
        self.dropping = count;
    }

    /// How many of the next will be lost.
    pub fn dropping(&self) -> u32 {
        self.dropping
    }

    /// Sends a lost, held or failed delivery now. `false`: there is none with this number, or it is on its way.
    pub fn send_now(&mut self, id: u64) -> bool {
        self.turns += 1;
        let turn = self.turns;
        match self.rows.iter_mut().find(|row| row.id == id && !matches!(row.progress, Progress::Sending)) {
            Some(row) => {
                (row.turn, row.lane) = (turn, turn);
                row.progress = Progress::Waiting(Deadline::after(Duration::ZERO));
                true
            }
            None => false,
        }
    }

    /// The next delivery whose time has come, marked as being sent. Deliveries of one release follow one another; all
    /// others may be on their way at once.
    pub fn take_due(&mut self) -> Option<(u64, String, String)> {
        let busy: Vec<u64> =
            self.rows.iter().filter(|row| matches!(row.progress, Progress::Sending)).map(|row| row.lane).collect();
        let due = |row: &&mut Delivery| match row.progress {
            Progress::Waiting(deadline) => deadline.left().is_zero() && !busy.contains(&row.lane),
            _ => false,
        };
        let row = self.rows.iter_mut().filter(due).min_by_key(|row| row.turn)?;
        row.progress = Progress::Sending;
        row.attempts += 1;
        Some((row.id, row.event.clone(), row.endpoint.clone()))
    }

    /// How long until the next waiting one is due.
    pub fn pause(&self) -> Option<Duration> {
        let waiting = self.rows.iter().filter_map(|row| match row.progress {
            Progress::Waiting(deadline) => Some(deadline.left()),
            _ => None,
        });
        waiting.min()
    }

    /// Notes how an attempt went; a failed one waits for its next, unless it was the last.
    pub fn record(&mut self, id: u64, delivered: bool, last: String) {
        self.turns += 1;
        let turn = self.turns;
        let Some(row) = self.rows.iter_mut().find(|row| row.id == id) else { return };
        row.last = Some(last);
        let pause = usize::try_from(row.attempts).ok().and_then(|tried| PAUSES.get(tried.saturating_sub(1)));
        row.progress = match (delivered, pause) {
            (true, _) => Progress::Delivered,
            (false, Some(pause)) => Progress::Waiting(Deadline::after(*pause)),
            (false, None) => Progress::GivenUp,
        };
        (row.turn, row.lane) = (turn, turn);
    }

    /// Whether this endpoint has confirmed this event before.
    pub fn was_delivered(&self, event: &str, endpoint: &str) -> bool {
        let is_same = |row: &&Delivery| row.event == event && row.endpoint == endpoint;
        self.rows.iter().filter(is_same).any(|row| matches!(row.progress, Progress::Delivered))
    }

    /// All deliveries, the newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Delivery> {
        self.rows.iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(outbox: &mut Outbox) -> Vec<String> {
        let mut events = Vec::new();
        while let Some((id, event, _)) = outbox.take_due() {
            outbox.record(id, true, "200".to_owned());
            events.push(event);
        }
        events
    }

    #[test]
    fn held_webhooks_leave_in_the_order_asked_for_and_one_after_the_other() {
        for (order, expected) in [(Order::Made, ["a", "b", "c"]), (Order::Reverse, ["c", "b", "a"])] {
            let mut outbox = Outbox::default();
            outbox.hold();
            for event in ["a", "b", "c"] {
                outbox.queue(event, "x", "we");
            }
            assert!(outbox.take_due().is_none());
            outbox.release(order);
            let first = outbox.take_due().unwrap();
            assert!(outbox.take_due().is_none(), "the second waits for the first");
            outbox.record(first.0, true, "200".to_owned());
            assert_eq!(
                (first.1.as_str(), drained(&mut outbox)),
                (expected[0], expected[1..].iter().map(|e| (*e).to_owned()).collect())
            );
        }
    }

    #[test]
    fn dropped_ones_are_lost_and_others_go_at_once() {
        let mut outbox = Outbox::default();
        outbox.drop_next(1);
        for event in ["a", "b", "c"] {
            outbox.queue(event, "x", "we");
        }
        assert_eq!(
            (outbox.take_due().map(|d| d.1), outbox.take_due().map(|d| d.1)),
            (Some("b".into()), Some("c".into()))
        );
        assert!(outbox.send_now(1));
        assert_eq!(drained(&mut outbox), ["a"]);
    }

    #[test]
    fn a_failed_attempt_is_tried_again_and_given_up_at_last() {
        let mut outbox = Outbox::default();
        outbox.queue("a", "x", "we");
        for attempt in 1..=6 {
            assert!(attempt == 1 || outbox.send_now(1));
            let (id, ..) = outbox.take_due().unwrap();
            outbox.record(id, false, "500".to_owned());
            let row = outbox.newest().next().unwrap();
            assert_eq!(
                (row.attempts, row.progress.word()),
                (attempt, if attempt == 6 { "given_up" } else { "waiting" })
            );
        }
        assert!(outbox.take_due().is_none() && outbox.pause().is_none());
    }
}
