//! Changing plans in the middle of a period, credit, and invoices made by hand.

use serde_json::{Value, json};

use super::fixture::{Fixture, id};

const START: i64 = 1_790_000_000;
const DAY: i64 = 24 * 60 * 60;

/// A customer on a test clock, in the middle of a period of the monthly plan of $9.00. There are two more prices:
/// $29.00 a month and $90.00 a year.
struct Subscriber {
    fixture: Fixture,
    clock: String,
    customer: String,
    plan: String,
    item: String,
    pro: String,
    year: String,
}

impl Subscriber {
    fn new() -> Subscriber {
        let fixture = Fixture::new();
        let clock = id(&fixture.ok("POST", "/v1/test_helpers/test_clocks", &format!("frozen_time={START}")));
        let customer = fixture.customer("pm_card_visa", Some(&clock));
        let price = |amount: i64, interval: &str| {
            let form =
                format!("currency=usd&unit_amount={amount}&recurring[interval]={interval}&product_data[name]=Pro");
            id(&fixture.ok("POST", "/v1/prices", &form))
        };
        let (pro, year) = (price(2900, "month"), price(9000, "year"));
        let plan = fixture.ok("POST", "/v1/subscriptions", &format!("customer={customer}&items[0][price]=price_month"));
        let item = id(&plan["items"]["data"][0]);
        let subscriber = Subscriber { clock, customer, plan: id(&plan), item, pro, year, fixture };
        subscriber.advance(START + 15 * DAY); // of 30
        subscriber
    }

    fn advance(&self, to: i64) {
        let path = format!("/v1/test_helpers/test_clocks/{}/advance", self.clock);
        self.fixture.ok("POST", &path, &format!("frozen_time={to}"));
    }

    fn change(&self, form: &str) -> Value {
        let form = format!("items[0][id]={}&{form}", self.item);
        self.fixture.ok("POST", &format!("/v1/subscriptions/{}", self.plan), &form)
    }

    fn balance(&self) -> Value {
        self.fixture.get(&format!("/v1/customers/{}", self.customer))["balance"].clone()
    }

    fn last_lines(&self) -> Vec<(i64, bool, String)> {
        let page = self.fixture.ok("GET", "/v1/invoices", &format!("subscription={}", self.plan));
        let lines = self.fixture.get(&format!("/v1/invoices/{}/lines", id(&page["data"][0])));
        let row = |line: &Value| {
            let parent = &line["parent"];
            let details = &parent[parent["type"].as_str().expect("a type")];
            assert_eq!(details["subscription"], self.plan.as_str());
            let price = line["pricing"]["price_details"]["price"].as_str().expect("a price").to_owned();
            (line["amount"].as_i64().expect("cents"), details["proration"] == true, price)
        };
        lines["data"].as_array().expect("a list").iter().map(row).collect()
    }
}

fn line(amount: i64, is_proration: bool, price: &str) -> (i64, bool, String) {
    (amount, is_proration, price.to_owned())
}

#[test]
fn an_upgrade_at_once_costs_the_difference_and_a_downgrade_gives_credit() {
    let subscriber = Subscriber::new();
    let (pro, fixture) = (&subscriber.pro, &subscriber.fixture);
    let preview = format!(
        "subscription={}&subscription_details[items][0][id]={}&subscription_details[items][0][price]={pro}&subscription_details[proration_behavior]=always_invoice",
        subscriber.plan, subscriber.item
    );
    assert_eq!(fixture.ok("POST", "/v1/invoices/create_preview", &preview)["amount_due"], 1000);
    let upgraded = subscriber.change(&format!("items[0][price]={pro}&proration_behavior=always_invoice"));
    assert_eq!((&upgraded["items"]["data"][0]["price"]["id"], &upgraded["status"]), (&json!(pro), &json!("active")));
    assert_eq!(subscriber.last_lines(), [line(-450, true, "price_month"), line(1450, true, pro)]);
    subscriber.change("items[0][price]=price_month&proration_behavior=always_invoice");
    assert_eq!(subscriber.balance(), -1000);
    subscriber.change("items[0][quantity]=2&proration_behavior=none");
    subscriber.advance(START + 31 * DAY);
    assert_eq!(
        fixture.invoices(&subscriber.plan),
        [
            "subscription_create paid 900 900 900",
            "subscription_update paid 1000 1000 1000",
            "subscription_update paid -1000 0 0",
            "subscription_cycle paid 1800 800 800",
        ]
    );
    assert_eq!(subscriber.balance(), 0);
    let moves = fixture.get(&format!("/v1/customers/{}/balance_transactions", subscriber.customer));
    let moves: Vec<&Value> = moves["data"].as_array().expect("a list").iter().map(|row| &row["amount"]).collect();
    assert_eq!(moves, [&json!(1000), &json!(-1000)]);
    fixture.event_types("");
}

#[test]
fn prorations_wait_for_the_renewal_and_another_interval_starts_a_new_period() {
    let subscriber = Subscriber::new();
    let (pro, fixture) = (&subscriber.pro, &subscriber.fixture);
    subscriber.change(&format!("items[0][price]={pro}"));
    let waiting = fixture.ok("GET", "/v1/invoiceitems", &format!("customer={}&pending=true", subscriber.customer));
    assert_eq!(waiting["data"].as_array().map(Vec::len), Some(2));
    let preview = fixture.ok("POST", "/v1/invoices/create_preview", &format!("subscription={}", subscriber.plan));
    assert_eq!(preview["total"], 3900);
    subscriber.advance(START + 30 * DAY);
    let draft =
        fixture.ok("GET", "/v1/invoices", &format!("subscription={}&status=draft", subscriber.plan))["data"][0].clone();
    assert_eq!((&draft["total"], &draft["auto_advance"]), (&json!(3900), &json!(true)), "a draft for an hour");
    subscriber.advance(START + 30 * DAY + 3600);
    assert_eq!(
        subscriber.last_lines(),
        [line(2900, false, pro), line(-450, true, "price_month"), line(1450, true, pro)]
    );
    assert_eq!(fixture.invoices(&subscriber.plan)[1], "subscription_cycle paid 3900 3900 3900");
    subscriber.advance(START + 45 * DAY);
    let yearly = subscriber.change(&format!("items[0][price]={}", subscriber.year));
    assert_eq!(yearly["billing_cycle_anchor"], START + 45 * DAY);
    let end = yearly["items"]["data"][0]["current_period_end"].as_i64().expect("a time");
    assert_eq!(end - (START + 45 * DAY), 365 * DAY);
    let lines = subscriber.last_lines();
    assert_eq!((&lines[0], lines[1].1, lines[1].0 < 0), (&line(9000, false, &subscriber.year), true, true));
    // Not checked against the description: it was cut to calls without a body here.
    let cancel = format!("/v1/subscriptions/{}", subscriber.plan);
    let ended = fixture.call("DELETE", &cancel, "prorate=true&invoice_now=true", None).json();
    assert_eq!((&ended["status"], subscriber.balance()), (&json!("canceled"), json!(-9000)));
    fixture.event_types("");
}

#[test]
fn an_upgrade_that_is_not_paid_leaves_an_open_invoice_or_nothing() {
    let subscriber = Subscriber::new();
    let fixture = &subscriber.fixture;
    let card = "/v1/payment_methods/pm_card_chargeCustomerFail/attach".to_owned();
    let card = id(&fixture.ok("POST", &card, &format!("customer={}", subscriber.customer)));
    fixture.ok("POST", &format!("/v1/subscriptions/{}", subscriber.plan), &format!("default_payment_method={card}"));
    let form = format!(
        "items[0][id]={}&items[0][price]={}&proration_behavior=always_invoice",
        subscriber.item, subscriber.pro
    );
    let path = format!("/v1/subscriptions/{}", subscriber.plan);
    let refused = fixture.error("POST", &path, &format!("{form}&payment_behavior=error_if_incomplete"));
    assert_eq!(refused, (402, "card_declined".to_owned()));
    assert_eq!(fixture.get(&path)["items"]["data"][0]["price"]["id"], "price_month");
    assert_eq!(fixture.ok("POST", &path, &form)["status"], "past_due");
    assert_eq!(fixture.invoices(&subscriber.plan)[1], "subscription_update open 1000 1000 0");
    for (form, code) in [
        ("items[0][id]=si_no", "resource_missing"),
        ("items[0][price]=price_100", "The price specified is set to `type=one_time`"),
        ("cancel_at=5", "Invalid timestamp"),
        ("trial_end=5", "Invalid timestamp"),
        ("default_payment_method=pm_no", "resource_missing"),
        ("automatic_tax[liability][type]=self", "stand_in_not_built"),
    ] {
        let refused = fixture.error("POST", &path, form);
        assert!(refused.0 == 400 && refused.1.starts_with(code), "{form}: {refused:?}");
    }
}

#[test]
fn invoices_by_hand_and_long_ones() {
    let fixture = Fixture::new();
    let customer = fixture.customer("pm_card_visa", None);
    for _ in 0..12 {
        fixture.ok("POST", "/v1/invoiceitems", &format!("customer={customer}&pricing[price]=price_month"));
    }
    let new = || {
        id(&fixture.ok("POST", "/v1/invoices", &format!("customer={customer}&pending_invoice_items_behavior=include")))
    };
    let long = new();
    let path = format!("/v1/invoices/{long}");
    let draft = fixture.get(&path);
    assert_eq!(
        (&draft["status"], &draft["total"], &draft["lines"]["has_more"]),
        (&json!("draft"), &json!(10_800), &json!(true))
    );
    let first = fixture.ok("GET", &format!("{path}/lines"), "limit=10");
    let after = id(&first["data"][9]);
    let rest = fixture.ok("GET", &format!("{path}/lines"), &format!("starting_after={after}"));
    assert_eq!((rest["data"].as_array().map(Vec::len), &rest["has_more"]), (Some(2), &json!(false)));
    fixture.ok("POST", &path, "metadata[a]=b&description=x");
    assert_eq!(fixture.ok("POST", &format!("{path}/finalize"), "")["status"], "open");
    let paid = fixture.ok("POST", &format!("{path}/pay"), "");
    assert_eq!((&paid["status"], &paid["attempt_count"], &paid["parent"]), (&json!("paid"), &json!(1), &Value::Null));
    assert_eq!(fixture.error("POST", &format!("{path}/void"), "").0, 400);

    let by_hand = |path: &str| {
        let item = format!("customer={customer}&amount=500&currency=usd&description=By%20hand");
        fixture.ok("POST", "/v1/invoiceitems", &item);
        let invoice = format!("/v1/invoices/{}", new());
        fixture.ok("POST", &format!("{invoice}/finalize"), "");
        fixture.ok("POST", &format!("{invoice}/{path}"), if path == "pay" { "paid_out_of_band=true" } else { "" })
    };
    let out = by_hand("pay");
    assert_eq!(
        (&out["status"], &out["amount_paid"], &out["amount_paid_off_stripe"]),
        (&json!("paid"), &json!(500), &json!(500))
    );
    assert_eq!(by_hand("void")["status"], "void");
    assert_eq!(by_hand("mark_uncollectible")["status"], "uncollectible");
    let types = fixture.event_types("invoice.").join(" ").replace("invoice.", "");
    let begun = "created finalized";
    let expected = format!(
        "created updated finalized paid payment_succeeded {begun} paid {begun} voided {begun} marked_uncollectible"
    );
    assert_eq!(types, expected, "out of band, no payment succeeds");
    let empty = new();
    fixture.ok("DELETE", &format!("/v1/invoices/{empty}"), "");
    assert_eq!(fixture.error("GET", &format!("/v1/invoices/{empty}"), "").0, 404);
}
