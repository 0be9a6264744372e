//! Three processes behind nginx, which die and come back, while what callers and Stripe send is shuffled, doubled and lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::fleet::Fleet;
use super::load::spend_once;
use super::place::server_programs;
use crate::billing::simulation::Chance;
use crate::harness::life::events;
use crate::harness::postgres::Postgres;
use crate::harness::shop::{GOOD_CARD, WEBHOOK_SECRET};
use crate::harness::webhook::{now, signature};
use crate::harness::{Client, eventually};

const USERS: usize = 5;
/// Spends of each user, of one unit each.
const SPENDS: usize = 15;
/// What a pack gives.
const PACK: i64 = 100;
/// Callers and webhooks at once.
const SENDERS: usize = 6;

/// One thing that is sent, perhaps several times, and each time until it is acknowledged.
#[derive(Clone)]
enum Message {
    Spend { user: String, key: String },
    Event(Value),
}

#[test]
fn each_payment_and_spend_counts_once_whatever_is_doubled_lost_or_killed() {
    if server_programs("several processes on one database").is_none() {
        return;
    }
    let database = Postgres::get().database("scale_traffic");
    let Some(fleet) = Fleet::start_behind_nginx(&database, 3) else { return };
    let users: Vec<String> = (0..USERS).map(|number| format!("u{number}")).collect();
    users.iter().for_each(|user| fleet.user(user, i64::try_from(SPENDS).unwrap()));
    // Each buys a pack, of which nobody has told till; of some nobody ever does.
    users.iter().for_each(|user| buy(&fleet, user));
    let stripe = Client::new(&fleet.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    let mut chance = Chance(20_261_127);
    let told = events(&stripe).into_iter().filter(|_| chance.below(4) != 0).map(Message::Event);
    let spends = users
        .iter()
        .flat_map(|user| (0..SPENDS).map(|number| Message::Spend { user: user.clone(), key: format!("k{number}") }));
    let mut messages: Vec<Message> = spends.chain(told).collect();
    let doubled: Vec<Message> = messages.iter().filter(|_| chance.below(2) == 0).cloned().collect();
    messages.extend(doubled);
    for at in (1..messages.len()).rev() {
        messages.swap(at, usize::try_from(chance.below(at as u64 + 1)).unwrap());
    }

    let told = send(&fleet, messages, chance);
    let expected = [0, 201, 200, 429, 500, 502, 503, 504];
    assert!(told.keys().all(|status| expected.contains(status)), "{told:?}");
    fleet.till_prints(&["reconcile"]);
    let (reasons, left) = fleet.books();
    for user in &users {
        let own: BTreeSet<&str> =
            reasons.iter().filter(|(of, _)| of == user).map(|(_, reason)| reason.as_str()).collect();
        let payments = own.iter().filter(|reason| reason.starts_with("topup_")).count();
        let spends = own.iter().filter(|reason| reason.starts_with("spend_")).count();
        assert_eq!((payments, spends, left[user]), (1, SPENDS, PACK), "{user}: {own:?}");
    }
    let again: Value = serde_json::from_str(&fleet.till_prints(&["reconcile", "--json"])).unwrap();
    assert_eq!(again["agrees"], true, "{again}");
}

fn buy(fleet: &Fleet, user: &str) {
    let api = fleet.program();
    let made = api.call("POST", &format!("/v1/users/{user}/checkout"), &json!({"plan": "topup_100"})).must(200).json();
    let page = made["checkout_url"].as_str().unwrap();
    Client::browser(&fleet.stripe.url()).post_form(page, &[("card", GOOD_CARD)]).must(303);
}

/// Sends all of them while one process after the other is killed and started again; how often callers were told what.
fn send(fleet: &Fleet, messages: Vec<Message>, mut chance: Chance) -> BTreeMap<u16, u64> {
    let (queue, told) = (Mutex::new(messages), Mutex::new(BTreeMap::new()));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(|| send_some(fleet, &queue, &told))).collect();
        let killer = scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                let number = usize::try_from(chance.below(3)).unwrap();
                fleet.kill_member(number);
                fleet.start_member(number);
            }
        });
        let ended: Vec<_> = senders.into_iter().map(thread::ScopedJoinHandle::join).collect();
        is_over.store(true, Ordering::SeqCst);
        killer.join().unwrap();
        ended.into_iter().for_each(|sender| sender.unwrap());
    });
    told.into_inner().unwrap()
}

fn send_some(fleet: &Fleet, queue: &Mutex<Vec<Message>>, told: &Mutex<BTreeMap<u16, u64>>) {
    let patient = fleet.program();
    // One who gives up before most answers come, and asks again: what it sent has happened, or not.
    let impatient = fleet.program().waiting_at_most(Duration::from_millis(3));
    let mut is_patient = false;
    loop {
        let Some(message) = queue.lock().unwrap().pop() else { return };
        eventually("an acknowledgement", || {
            is_patient = !is_patient;
            let client = if is_patient { &patient } else { &impatient };
            let status = match &message {
                Message::Spend { user, key } => spend_once(client, user, key).unwrap_or(0),
                Message::Event(event) => tell(client, event).unwrap_or(0),
            };
            *told.lock().unwrap().entry(status).or_default() += 1;
            [200, 201].contains(&status).then_some(())
        });
    }
}

/// Sends an event as Stripe would.
fn tell(client: &Client, event: &Value) -> Option<u16> {
    let body = event.to_string();
    let signature = signature(WEBHOOK_SECRET, body.as_bytes(), now());
    let headers = [("content-type", "application/json"), ("stripe-signature", signature.as_str())];
    Some(client.try_send("POST", "/billing/webhook", &headers, body.as_bytes()).ok()?.status)
}
