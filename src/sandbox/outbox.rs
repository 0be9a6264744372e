//! The queue of webhooks: what waits, what is held back, what was sent and with what result. It decides which delivery
//! is next; `deliver` sends it. Source for retries: Stripe, "Webhooks", delivery and retries. The first retries come
//! sooner here, so that tests need not wait for hours.

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

#[derive(Debug)]
pub struct WebhookDelivery {
    pub id: u64,
    pub event: String,
    /// The type of the event.
    pub kind: String,
    pub endpoint: String,
    pub attempts: u32,
    /// The result of the last attempt: an HTTP status, or words.
    pub last: Option<String>,
    pub progress: DeliveryProgress,
    turn: u64,
    lane: u64,
}

#[derive(Debug)]
pub enum DeliveryProgress {
    /// Due when this has passed.
    Waiting(Deadline),
    Held,
    Sending,
    Delivered,
    Dropped,
    /// The last attempt has failed.
    GivenUp,
}

impl DeliveryProgress {
    /// The word for the control page and its JSON.
    pub fn word(&self) -> &'static str {
        match self {
            DeliveryProgress::Waiting(_) => "waiting",
            DeliveryProgress::Held => "held",
            DeliveryProgress::Sending => "sending",
            DeliveryProgress::Delivered => "delivered",
            DeliveryProgress::Dropped => "dropped",
            DeliveryProgress::GivenUp => "given_up",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseOrder {
    Made,
    Reverse,
}

#[derive(Debug, Default)]
pub struct Outbox {
    rows: VecDeque<WebhookDelivery>,
    holding: bool,
    dropping: u32,
    ids: u64,
    turns: u64,
}

impl Outbox {
    /// Queues an event for an endpoint. The switches decide whether it waits, is held back, or is dropped.
    pub fn queue(&mut self, event: &str, kind: &str, endpoint: &str) {
        let progress = if self.dropping > 0 {
            self.dropping -= 1;
            DeliveryProgress::Dropped
        } else if self.holding {
            DeliveryProgress::Held
        } else {
            DeliveryProgress::Waiting(Deadline::after(Duration::ZERO))
        };
        self.ids += 1;
        self.turns += 1;
        let (id, turn) = (self.ids, self.turns);
        let (event, kind, endpoint) = (event.to_owned(), kind.to_owned(), endpoint.to_owned());
        self.rows.push_back(WebhookDelivery {
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

    /// Holds back webhooks from now on.
    pub fn hold(&mut self) {
        self.holding = true;
    }

    pub fn is_holding(&self) -> bool {
        self.holding
    }

    /// Releases held webhooks, to be sent one after the other in this order, and stops holding back.
    pub fn release(&mut self, order: ReleaseOrder) {
        self.holding = false;
        let mut held: Vec<&mut WebhookDelivery> =
            self.rows.iter_mut().filter(|row| matches!(row.progress, DeliveryProgress::Held)).collect();
        if order == ReleaseOrder::Reverse {
            held.reverse();
        }
        let lane = self.turns + 1;
        for row in held {
            self.turns += 1;
            (row.turn, row.lane) = (self.turns, lane);
            row.progress = DeliveryProgress::Waiting(Deadline::after(Duration::ZERO));
        }
    }

    /// Drops the next `count` webhooks that are queued.
    pub fn drop_next(&mut self, count: u32) {
        self.dropping = count;
    }

    pub fn dropping(&self) -> u32 {
        self.dropping
    }

    /// Makes a dropped, held or failed delivery due now. `false`: there is none with this number, or it is being sent.
    pub fn send_now(&mut self, id: u64) -> bool {
        self.turns += 1;
        let turn = self.turns;
        match self.rows.iter_mut().find(|row| row.id == id && !matches!(row.progress, DeliveryProgress::Sending)) {
            Some(row) => {
                (row.turn, row.lane) = (turn, turn);
                row.progress = DeliveryProgress::Waiting(Deadline::after(Duration::ZERO));
                true
            }
            None => false,
        }
    }

    /// Takes the next delivery that is due and marks it as being sent. Deliveries of one release are sent one after the
    /// other; all others may be sent at the same time.
    pub fn take_due(&mut self) -> Option<(u64, String, String)> {
        let busy: Vec<u64> = self
            .rows
            .iter()
            .filter(|row| matches!(row.progress, DeliveryProgress::Sending))
            .map(|row| row.lane)
            .collect();
        let due = |row: &&mut WebhookDelivery| match row.progress {
            DeliveryProgress::Waiting(deadline) => deadline.left().is_zero() && !busy.contains(&row.lane),
            _ => false,
        };
        let row = self.rows.iter_mut().filter(due).min_by_key(|row| row.turn)?;
        row.progress = DeliveryProgress::Sending;
        row.attempts += 1;
        Some((row.id, row.event.clone(), row.endpoint.clone()))
    }

    /// The time until the next delivery is due.
    pub fn pause(&self) -> Option<Duration> {
        let waiting = self.rows.iter().filter_map(|row| match row.progress {
            DeliveryProgress::Waiting(deadline) => Some(deadline.left()),
            _ => None,
        });
        waiting.min()
    }

    /// Records the result of an attempt. A failed delivery waits for its next attempt, unless that was the last.
    pub fn record(&mut self, id: u64, delivered: bool, last: String) {
        self.turns += 1;
        let turn = self.turns;
        let Some(row) = self.rows.iter_mut().find(|row| row.id == id) else { return };
        row.last = Some(last);
        let pause = usize::try_from(row.attempts).ok().and_then(|tried| PAUSES.get(tried.saturating_sub(1)));
        row.progress = match (delivered, pause) {
            (true, _) => DeliveryProgress::Delivered,
            (false, Some(pause)) => DeliveryProgress::Waiting(Deadline::after(*pause)),
            (false, None) => DeliveryProgress::GivenUp,
        };
        (row.turn, row.lane) = (turn, turn);
    }

    /// Whether this endpoint has already confirmed this event.
    pub fn was_delivered(&self, event: &str, endpoint: &str) -> bool {
        let is_same = |row: &&WebhookDelivery| row.event == event && row.endpoint == endpoint;
        self.rows.iter().filter(is_same).any(|row| matches!(row.progress, DeliveryProgress::Delivered))
    }

    pub fn newest(&self) -> impl Iterator<Item = &WebhookDelivery> {
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
        for (order, expected) in [(ReleaseOrder::Made, ["a", "b", "c"]), (ReleaseOrder::Reverse, ["c", "b", "a"])] {
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
