//! Whatever order Stripe's events come in, however often, the books end the same: packs, plans, refunds, disputes.

use std::sync::Arc;

use serde_json::{Value, json};
use till::app::App;
use till::clock::{Clock, Timestamp};
use till::config::{Need, Sources, load};
use till::sandbox::{self, Options};
use till::usecase::operator::verify;
use till::usecase::stripe_events::receive;
use till::usecase::users::{self, UserPatch};

use crate::harness::{Folder, webhook::signature};

const SECRET: &str = "whsec_lives";
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// An appliance without a network of its own, at a time that stands still.
pub struct Life {
    pub app: Arc<App>,
    pub clock: Clock,
    _folder: Folder,
}

impl Life {
    /// With `alice`, whose customer is `cus_alice` by an earlier purchase's metadata.
    pub fn begin(stripe: &str) -> Life {
        Life::begin_with(stripe, None)
    }

    /// With another catalogue than the built-in one, whose prices are in it.
    pub fn begin_with(stripe: &str, catalog: Option<&str>) -> Life {
        let folder = Folder::new();
        let database = folder.path("till.db");
        let variables = [
            ("SPRITE_DATABASE", database.to_str().unwrap()),
            ("SPRITE_STRIPE_SECRET_KEY", "sk_test_lives"),
            ("SPRITE_STRIPE_WEBHOOK_SECRET", SECRET),
            ("SPRITE_STRIPE_API_BASE", stripe),
            ("SPRITE_STRIPE_STARTER_PRICE_ID", "price_starter"),
            ("SPRITE_STRIPE_PRO_PRICE_ID", "price_pro"),
            ("SPRITE_STRIPE_TOPUP_100_PRICE_ID", "price_topup_100"),
        ];
        let path = folder.path("catalog.toml");
        let mut variables = variables.to_vec();
        if let Some(text) = catalog {
            std::fs::write(&path, text).unwrap();
            variables.retain(|(name, _)| !name.ends_with("_PRICE_ID"));
            variables.push(("SPRITE_CATALOG", path.to_str().unwrap()));
        }
        let loaded = load(&Sources::from_variables(variables), Need::StripeKeyAndWebhookSecret).unwrap();
        let clock = Clock::manual(NOW);
        let app = Arc::new(App::open(loaded.config, clock.clone()).unwrap());
        users::put(&app, "alice", UserPatch::default()).unwrap();
        Life { app, clock, _folder: folder }
    }

    pub fn hear(&self, event: &Value) {
        let body = event.to_string();
        let header = signature(SECRET, body.as_bytes(), self.clock.now());
        receive::receive(&self.app, Some(header.as_bytes()), body.as_bytes()).unwrap();
    }

    pub fn remaining(&self) -> i64 {
        users::show(&self.app, "alice").unwrap().balance.remaining
    }

    pub fn prove(&self) {
        let proof = verify::verify(&self.app, |_| ()).unwrap();
        assert_eq!(proof.breaks, [], "the books must be provable");
    }
}

pub fn stripe() -> sandbox::Sandbox {
    let listen = "127.0.0.1:0".parse().unwrap();
    sandbox::start(Options { listen, public_url: None, endpoint: None, prices: vec![], clock: Clock::System }).unwrap()
}

pub fn event(id: &str, kind: &str, created: i64, object: Value) -> Value {
    json!({"id": format!("evt_{id}"), "object": "event", "type": kind, "created": 1_790_000_000 + created,
        "livemode": false, "api_version": "2026-05-27.dahlia", "data": {"object": object}})
}

fn session() -> Value {
    event(
        "session",
        "checkout.session.completed",
        0,
        json!({"id": "cs_test_1", "object": "checkout.session",
        "mode": "payment", "status": "complete", "payment_status": "paid", "payment_intent": "pi_1",
        "amount_total": 900, "amount_subtotal": 900, "currency": "usd",
        "metadata": {"user_id": "alice", "plan": "topup_100"}}),
    )
}

fn refund(name: &str, id: &str, status: &str, amount: i64) -> Value {
    let kind = if status == "failed" { "refund.failed" } else { "refund.updated" };
    event(
        name,
        kind,
        0,
        json!({"id": id, "object": "refund", "status": status, "amount": amount, "currency": "usd",
        "payment_intent": "pi_1", "charge": "ch_1"}),
    )
}

fn charge_refunded(name: &str, amount_refunded: i64) -> Value {
    event(
        name,
        "charge.refunded",
        0,
        json!({"id": "ch_1", "object": "charge", "status": "succeeded", "amount": 900,
        "amount_refunded": amount_refunded, "refunded": amount_refunded == 900, "currency": "usd",
        "payment_intent": "pi_1"}),
    )
}

fn dispute(name: &str, kind: &str, status: &str, funds: &[i64]) -> Value {
    let moves: Vec<Value> =
        funds.iter().map(|amount| json!({"id": "txn", "amount": amount, "currency": "usd"})).collect();
    event(
        name,
        &format!("charge.dispute.{kind}"),
        0,
        json!({"id": "du_1", "object": "dispute", "status": status,
        "amount": 900, "currency": "usd", "reason": "fraudulent", "charge": "ch_1", "payment_intent": "pi_1",
        "balance_transactions": moves}),
    )
}

/// Every order of `events`.
pub fn permutations(events: &[Value]) -> Vec<Vec<Value>> {
    if events.is_empty() {
        return vec![vec![]];
    }
    let rest = |at: usize| {
        events.iter().enumerate().filter(move |(i, _)| *i != at).map(|(_, e)| e.clone()).collect::<Vec<_>>()
    };
    (0..events.len())
        .flat_map(|at| {
            permutations(&rest(at)).into_iter().map(move |mut order| {
                order.insert(0, events[at].clone());
                order
            })
        })
        .collect()
}

/// All orders, with every second event heard twice, must end in `units`.
pub fn check(stripe: &str, name: &str, events: &[Value], units: i64) {
    for order in permutations(events) {
        let life = Life::begin(stripe);
        for (i, event) in order.iter().enumerate() {
            life.hear(event);
            if i % 2 == 0 {
                life.hear(event);
            }
        }
        let heard: Vec<&str> = order.iter().filter_map(|event| event["id"].as_str()).collect();
        assert_eq!(life.remaining(), units, "{name}, heard as {heard:?}");
        life.prove();
    }
}

#[test]
fn refunds_and_disputes_of_a_pack_end_the_same_in_any_order() {
    let stripe = stripe();
    let url = stripe.url();
    let lost = [
        dispute("d1", "created", "needs_response", &[]),
        dispute("d2", "funds_withdrawn", "needs_response", &[-900]),
        dispute("d3", "closed", "lost", &[-900]),
    ];
    for (name, events, units) in [
        ("paid", vec![], 100),
        ("half refunded", vec![refund("r1", "re_1", "succeeded", 450), charge_refunded("c1", 450)], 50),
        ("cumulative alone", vec![charge_refunded("c1", 450)], 50),
        (
            "twice a third",
            vec![
                refund("r1", "re_1", "succeeded", 300),
                refund("r2", "re_2", "succeeded", 300),
                charge_refunded("c1", 600),
            ],
            34,
        ),
        ("all refunded", vec![charge_refunded("c1", 450), charge_refunded("c2", 900)], 0),
        ("pending", vec![refund("r1", "re_1", "pending", 450)], 100),
        (
            "failed after all",
            vec![
                refund("r1", "re_1", "succeeded", 450),
                refund("r2", "re_1", "failed", 450),
                charge_refunded("c1", 450),
            ],
            100,
        ),
        ("cancelled", vec![refund("r1", "re_1", "pending", 450), refund("r2", "re_1", "canceled", 450)], 100),
        ("disputed", lost[..2].to_vec(), 0),
        ("disputed and lost", lost.to_vec(), 0),
        ("disputed and won", vec![lost[0].clone(), lost[1].clone(), dispute("d3", "closed", "won", &[-900, 900])], 100),
        ("won, told before the funds", vec![lost[0].clone(), dispute("d3", "closed", "won", &[-900])], 100),
        (
            "reinstated without a word of closing",
            vec![lost[1].clone(), dispute("d3", "funds_reinstated", "under_review", &[-900, 900])],
            100,
        ),
        ("reinstated in part", vec![lost[1].clone(), dispute("d3", "funds_reinstated", "lost", &[-900, 450])], 50),
        (
            "an inquiry",
            vec![
                dispute("d1", "created", "warning_needs_response", &[]),
                dispute("d3", "closed", "warning_closed", &[]),
            ],
            100,
        ),
        ("refund and dispute", vec![refund("r1", "re_1", "succeeded", 450), lost[1].clone(), lost[2].clone()], 0),
        (
            "a won dispute does not shield a refund",
            vec![refund("r1", "re_1", "succeeded", 450), dispute("d3", "closed", "won", &[-900, 900])],
            50,
        ),
    ] {
        let mut all = vec![session()];
        all.extend(events);
        check(&url, name, &all, units);
    }
}

fn invoice(name: &str, id: &str, created: i64, lines: &[(&str, i64)]) -> Value {
    let line = |(price, amount): &(&str, i64)| {
        json!({"id": "il_1", "object": "line_item", "amount": amount, "quantity": 1,
        "pricing": {"price_details": {"price": price}}, "period": {"start": 1_790_000_000, "end": 1_792_592_000},
        "parent": {"subscription_item_details": {"proration": *amount < 0, "subscription": "sub_1"}}})
    };
    event(
        name,
        "invoice.paid",
        created,
        json!({"id": id, "object": "invoice", "status": "paid", "billing_reason": "subscription_cycle",
        "customer": "cus_alice", "amount_paid": 900, "total": 900, "currency": "usd",
        "parent": {"subscription_details": {"subscription": "sub_1", "metadata": {"user_id": "alice"}}},
        "lines": {"object": "list", "has_more": false, "data": lines.iter().map(line).collect::<Vec<_>>()}}),
    )
}

fn subscription(name: &str, kind: &str, created: i64, status: &str, price: &str) -> Value {
    event(
        name,
        &format!("customer.subscription.{kind}"),
        created,
        json!({"id": "sub_1", "object": "subscription", "status": status,
        "customer": "cus_alice", "created": 1_790_000_000, "metadata": {"user_id": "alice"}, "cancel_at_period_end": false,
        "ended_at": (status == "canceled").then_some(1_790_000_000 + created),
        "items": {"object": "list", "has_more": false, "data": [{"id": "si_1", "price": {"id": price}, "quantity": 1,
            "current_period_start": 1_790_000_000, "current_period_end": 1_792_592_000}]}}),
    )
}

#[test]
fn a_plan_allots_once_for_each_invoice_and_its_state_never_goes_back() {
    let stripe = stripe();
    let url = stripe.url();
    let first = invoice("i1", "in_1", 1, &[("price_starter", 900)]);
    let mut again = first.clone();
    again["id"] = json!("evt_i1b");
    again["type"] = json!("invoice.payment_succeeded");
    for (name, events, units) in [
        ("first month", vec![first.clone(), again, subscription("s1", "created", 1, "active", "price_starter")], 100),
        (
            "upgrade",
            vec![first.clone(), invoice("i2", "in_2", 2, &[("price_starter", -450), ("price_pro", 1450)])],
            300,
        ),
        ("trial", vec![invoice("i0", "in_0", 0, &[("price_starter", 0)])], 0),
        (
            "an unknown price beside",
            vec![invoice("i3", "in_3", 0, &[("price_starter", 900), ("price_other", 100)])],
            100,
        ),
    ] {
        check(&url, name, &events, units);
    }
    let ended = [
        subscription("s1", "created", 1, "active", "price_starter"),
        subscription("s2", "deleted", 3, "canceled", "price_starter"),
        subscription("s3", "updated", 3, "active", "price_starter"),
    ];
    for order in permutations(&ended) {
        let life = Life::begin(&url);
        order.iter().for_each(|event| life.hear(event));
        let alice = users::show(&life.app, "alice").unwrap();
        assert_eq!((alice.plan.as_str(), alice.subscription), ("free", None), "an ended subscription was revived");
    }
}
