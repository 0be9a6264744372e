//! The order of deliveries, with a clock that moves only when it is set: waits, parking, retry, and what is rolled back
//! with its transaction. On the library.

use std::sync::Arc;

use serde_json::json;
use till::app::App;
use till::clock::{Clock, DAY_SECONDS, Timestamp};
use till::config::{Need, Sources, load};
use till::error::{Fault, Result};
use till::notification::Topic;
use till::notification::sender::Sender;
use till::store::outbox::DeliveryOutcome;
use till::store::webhook_endpoints::WebhookEndpoint;
use till::usecase::notifications::deliver;
use till::usecase::notifications::endpoints;
use till::usecase::stripe_events::inbox;
use till::usecase::stripe_events::receive;
use till::usecase::units::grant::{self, GrantRequest};
use till::usecase::units::request::IdempotencyKey;
use till::usecase::users::{self, UserPatch};

use crate::api::notification::low_balance::logged;
use crate::harness::life::event;
use crate::harness::webhook::signature;
use crate::harness::{Folder, Receiver, log};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const SECRET: &str = "whsec_lines";

/// An appliance that delivers only when a test says so.
struct Desk {
    app: Arc<App>,
    clock: Clock,
    sender: Sender,
    receiver: Receiver,
    endpoint: WebhookEndpoint,
    _folder: Folder,
}

impl Desk {
    fn open() -> Desk {
        let folder = Folder::new();
        let variables = [
            ("SPRITE_DATABASE", folder.database("till.db")),
            ("SPRITE_HOOK_PRIVATE_NETWORKS", "127.0.0.0/8,::1/128".to_owned()),
            ("SPRITE_STRIPE_SECRET_KEY", "sk_test_lines".to_owned()),
            ("SPRITE_STRIPE_WEBHOOK_SECRET", SECRET.to_owned()),
            ("SPRITE_STRIPE_API_BASE", "http://127.0.0.1:9".to_owned()),
        ];
        let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
        let loaded = load(&Sources::from_variables(variables), Need::Nothing).unwrap();
        let clock = Clock::manual(NOW);
        let app = Arc::new(App::open(loaded.config, clock.clone()).unwrap());
        let (receiver, sender) = (Receiver::start(), endpoints::sender(&app));
        let endpoint = endpoints::add(&app, &receiver.url_by_name(), &[]).unwrap();
        for user in ["alice", "bob"] {
            users::put(&app, user, UserPatch::default()).unwrap();
        }
        Desk { app, clock, sender, receiver, endpoint, _folder: folder }
    }

    /// Makes a user's balance low once more: `number` units are left, of which no two calls have as many.
    /// A millisecond later than what was before, so that the order of different users' notifications is known as well.
    fn low(&self, user: &str, number: i64) {
        self.clock.set(Timestamp::from_millis(self.clock.now().millis() + 1));
        for (units, key) in [(100 + number, format!("up_{number}")), (-100, format!("down_{number}"))] {
            let now = users::show(&self.app, user).unwrap().balance.remaining;
            let units = if units > 0 { units - now } else { units };
            let key = IdempotencyKey::parse(&key).unwrap();
            let wanted = GrantRequest::new(units, "a test".into(), None, key).unwrap();
            grant::grant(&self.app, user, &wanted).unwrap();
        }
    }

    /// Delivers what is due, until nothing arrives any more; the users whose notifications were sent, in order.
    fn deliver(&self) -> Vec<String> {
        let before = self.receiver.got().len();
        while self.deliver_once() > 0 {}
        self.receiver.got()[before..].iter().map(|got| got.what().1).collect()
    }

    /// Sends what is due now, one after the other; how many arrived.
    fn deliver_once(&self) -> usize {
        let mut delivered = 0;
        for endpoint in deliver::endpoints_due(&self.app).unwrap() {
            for delivery in deliver::due(&self.app, &endpoint).unwrap() {
                let reply = delivery.send(&self.sender, self.clock.now());
                let outcome = deliver::record(&self.app, &delivery, &reply).unwrap();
                delivered += usize::from(outcome == DeliveryOutcome::Delivered);
            }
        }
        delivered
    }

    fn at(&self, seconds: i64) {
        self.clock.set(NOW.plus_seconds(seconds));
    }

    /// The balances in the user's notifications, in the order in which they arrived.
    fn remaining(&self, user: &str) -> Vec<i64> {
        let got = self.receiver.got();
        let theirs = got.iter().filter(|got| got.what().1 == user);
        theirs.map(|got| got.json()["data"]["remaining"].as_i64().unwrap()).collect()
    }

    /// The user, status and attempts of each delivery, the oldest notification first.
    fn queue(&self) -> Vec<String> {
        let rows = endpoints::deliveries(&self.app, false, None, 100).unwrap();
        rows.iter().rev().map(|row| format!("{} {} {}", row.user_id, row.status(), row.attempts)).collect()
    }
}

#[test]
fn a_users_notifications_wait_for_each_other_and_for_nobody_elses() {
    let desk = Desk::open();
    desk.receiver.answer(|got| Some((if got.what().1 == "alice" { 500 } else { 200 }, "")));
    for (user, number) in [("alice", 1), ("alice", 2), ("bob", 1), ("alice", 3)] {
        desk.low(user, number);
    }
    assert_eq!(desk.deliver(), ["alice", "bob"]);
    assert_eq!(desk.queue(), ["alice due 1", "alice waiting 0", "bob delivered 1", "alice waiting 0"]);
    desk.low("bob", 2);
    desk.at(3);
    assert_eq!(desk.deliver(), ["bob"], "alice's first wait is not over");
    desk.at(7);
    assert_eq!(desk.deliver(), ["alice"]);

    desk.receiver.answer(|_| Some((200, "")));
    desk.at(7 + 40);
    assert_eq!(desk.deliver(), ["alice", "alice", "alice"]);
    assert_eq!(desk.remaining("alice"), [1, 1, 1, 2, 3]);
    let got = desk.receiver.got();
    let ids: Vec<&str> = got.iter().filter(|got| got.what().1 == "alice").map(|got| got.header("webhook-id")).collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3], "{ids:?}");
    assert!(desk.queue().iter().all(|row| row.contains("delivered")), "{:?}", desk.queue());
}

#[test]
fn after_three_days_a_notification_is_parked_and_the_operator_has_it_sent_again() {
    let desk = Desk::open();
    desk.receiver.answer(|_| Some((503, "retry-after: 3600\r\n")));
    desk.low("alice", 1);
    desk.deliver();
    desk.at(3599);
    assert_eq!(desk.deliver(), Vec::<String>::new(), "the receiver asked for an hour");
    let mut hours = 1;
    while desk.queue()[0].contains("due") {
        desk.at(hours * 3600);
        desk.deliver();
        hours += 1;
        assert!(hours <= 3 * 24 + 2, "{:?}", desk.queue());
    }
    assert!(hours > 3 * 24, "{hours}");
    let parked = endpoints::deliveries(&desk.app, true, None, 10).unwrap();
    assert_eq!((parked.len(), parked[0].status(), parked[0].last_status), (1, "parked", Some(503)));
    let attempts = parked[0].attempts;
    assert!((15..=30).contains(&attempts), "{attempts}");
    desk.low("alice", 2);
    desk.receiver.answer(|_| Some((200, "")));
    assert_eq!(desk.deliver(), ["alice"], "what is parked keeps nobody waiting");

    assert!(endpoints::retry(&desk.app, "msg_x").is_err());
    assert_eq!(endpoints::retry(&desk.app, &parked[0].message).unwrap(), 1);
    assert_eq!(desk.deliver(), ["alice"]);
    assert_eq!(endpoints::retry(&desk.app, &parked[0].message).unwrap(), 0, "what has arrived is not sent again");
    assert_eq!(endpoints::retry_parked(&desk.app).unwrap(), 0);

    assert_eq!(deliver::remove_old(&desk.app).unwrap(), 0);
    desk.at(40 * DAY_SECONDS);
    assert_eq!(deliver::remove_old(&desk.app).unwrap(), 4, "two messages, each delivered once");
    assert_eq!(desk.queue(), Vec::<String>::new());
}

#[test]
fn everything_parked_goes_again_in_its_order() {
    let desk = Desk::open();
    desk.receiver.answer(|_| Some((302, "location: http://localhost:1/\r\n")));
    for number in 1..=3 {
        desk.low("alice", number);
    }
    desk.deliver();
    desk.at(4 * DAY_SECONDS);
    desk.deliver();
    desk.deliver();
    desk.deliver();
    assert_eq!(desk.queue(), ["alice parked 2", "alice parked 1", "alice parked 1"], "a redirect is no delivery");
    desk.low("alice", 4);
    assert_eq!(endpoints::retry_parked(&desk.app).unwrap(), 3);
    assert_eq!(desk.queue(), ["alice due 0", "alice waiting 0", "alice waiting 0", "alice waiting 0"]);
    desk.receiver.answer(|_| Some((200, "")));
    assert_eq!(desk.deliver().len(), 4);
    assert_eq!(desk.remaining("alice"), [1, 1, 2, 3, 1, 2, 3, 4]);
}

#[test]
fn a_receiver_that_has_gone_is_turned_off_until_it_is_turned_on() {
    let desk = Desk::open();
    // A name of its own in the log, which all tests share.
    users::put(&desk.app, "low_gone", UserPatch::default()).unwrap();
    log::capture();
    desk.receiver.answer(|_| Some((410, "")));
    desk.low("low_gone", 1);
    desk.deliver();
    assert!(endpoints::show(&desk.app, &desk.endpoint.id).unwrap().disabled_at.is_some());
    desk.low("low_gone", 2);
    desk.at(DAY_SECONDS);
    assert_eq!(desk.deliver(), Vec::<String>::new());
    assert_eq!(desk.queue(), ["low_gone due 1"], "nothing is queued for one that is off");
    desk.receiver.answer(|_| Some((200, "")));
    endpoints::enable(&desk.app, &desk.endpoint.id).unwrap();
    assert_eq!(desk.deliver(), ["low_gone"]);
    endpoints::remove(&desk.app, &desk.endpoint.id).unwrap();
    desk.low("low_gone", 3);
    assert!(endpoints::list(&desk.app).unwrap().is_empty() && desk.queue().is_empty());
    assert_eq!(logged("low_gone"), [1, 2, 3], "each is logged once, with and without an endpoint");
}

#[test]
fn for_a_day_after_a_roll_both_secrets_sign() {
    let desk = Desk::open();
    let old = desk.endpoint.secret.reveal().to_owned();
    let new = endpoints::roll(&desk.app, &desk.endpoint.id).unwrap().reveal().to_owned();
    for (number, seconds, by_old) in [(1, 0, true), (2, DAY_SECONDS - 1, true), (3, DAY_SECONDS, false)] {
        desk.at(seconds);
        desk.low("alice", number);
        desk.deliver();
        let got = desk.receiver.got().pop().unwrap();
        assert_eq!((got.is_signed_by(&new), got.is_signed_by(&old)), (true, by_old), "{seconds}");
        assert_eq!(got.header("webhook-timestamp"), (NOW.seconds() + seconds).to_string());
    }
}

#[test]
fn an_endpoint_gets_the_topics_it_asked_for_and_there_are_sixteen_at_most() {
    let desk = Desk::open();
    endpoints::disable(&desk.app, &desk.endpoint.id).unwrap();
    endpoints::add(&desk.app, &desk.receiver.url_by_name(), &[Topic::ToppedUp, Topic::Reversed]).unwrap();
    desk.low("alice", 1);
    assert_eq!(desk.queue(), Vec::<String>::new());
    for _ in 2..16 {
        endpoints::add(&desk.app, "https://app.example.com/", &[Topic::LowBalance]).unwrap();
    }
    assert!(endpoints::add(&desk.app, "https://app.example.com/", &[]).is_err());
    desk.low("alice", 2);
    assert_eq!(desk.queue().len(), 14);
}

#[test]
fn what_is_rolled_back_or_a_dry_run_is_not_sent() {
    let desk = Desk::open();
    let app = &desk.app;
    let session = event(
        "1",
        "checkout.session.completed",
        0,
        json!({"id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "complete",
            "payment_status": "paid", "payment_intent": "pi_1", "amount_total": 900, "amount_subtotal": 900,
            "currency": "usd", "line_items": {"object": "list", "has_more": false, "data": [{"id": "li_1", "price": {"id": "price_topup_100"}, "quantity": 1}]}, "metadata": {"user_id": "carol", "plan": "topup_100"}}),
    );
    let body = session.to_string();
    let header = signature(SECRET, body.as_bytes(), desk.clock.now());
    receive::receive(app, Some(header.as_bytes()), body.as_bytes()).unwrap();
    users::put(app, "carol", UserPatch::default()).unwrap();
    inbox::replay(app, "evt_1", true).unwrap();
    assert_eq!(desk.queue(), Vec::<String>::new());
    inbox::replay(app, "evt_1", false).unwrap();
    inbox::replay(app, "evt_1", false).unwrap();
    assert_eq!(desk.queue(), ["carol due 0"]);

    let endpoint = desk.endpoint.id.clone();
    let undone: Result<()> = app.store.write(move |tx| {
        let message = till::store::outbox::Message {
            id: "msg_undone",
            account: 1,
            kind: "user.low_balance",
            body: "{}",
            now: NOW,
            give_up_at: NOW,
        };
        till::store::outbox::write(tx, &message, std::slice::from_ref(&endpoint))?;
        Err(Fault::bare("undone").into())
    });
    assert!(undone.is_err());
    assert_eq!(desk.queue(), ["carol due 0"]);
}
