//! Subscriptions from start to end, and their invoices.

use serde_json::{Value, json};
use till::clock::Timestamp;

use super::fixture::{Fixture, id};

const DAY: i64 = 24 * 60 * 60;
const START: i64 = 1_790_000_000;

fn status(fixture: &Fixture, id: &str) -> Value {
    fixture.get(&format!("/v1/subscriptions/{id}"))["status"].clone()
}

#[test]
fn a_plan_is_bought_renewed_and_not_renewed() {
    let fixture = Fixture::new();
    let session = fixture.new_plan_session("&subscription_data[metadata][user_id]=alice&metadata[user_id]=alice");
    assert!(fixture.page("GET", &format!("/c/pay/{session}"), "").text.contains("Subscribe for $9.00"));
    assert_eq!(fixture.pay(&session, "card=4000000000000002").status, 402);
    assert_eq!(fixture.pay(&session, "card=4000000000000341").status, 402);
    assert_eq!(fixture.pay(&session, "method=bank_debit").status, 400);
    assert_eq!(fixture.session(&session)["subscription"], Value::Null);
    assert_eq!(fixture.get("/v1/subscriptions")["data"], json!([]), "made only after paying");
    assert_eq!(fixture.pay(&session, "card=4000000000003220").status, 402);
    assert_eq!(fixture.pay(&session, "card=4000000000003220&authenticated=true").status, 303);
    let paid = fixture.ok(
        "GET",
        &format!("/v1/checkout/sessions/{session}"),
        "expand[]=subscription.latest_invoice.payments&expand[]=customer",
    );
    assert_eq!((&paid["payment_status"], &paid["payment_intent"]), (&json!("paid"), &Value::Null));
    let plan = &paid["subscription"];
    let invoice = &plan["latest_invoice"];
    assert_eq!((&plan["status"], &plan["metadata"]), (&json!("active"), &json!({"user_id": "alice"})));
    assert_eq!((&invoice["billing_reason"], &invoice["amount_paid"]), (&json!("subscription_create"), &json!(900)));
    assert_eq!(
        invoice["parent"]["subscription_details"],
        json!({"metadata": {"user_id": "alice"}, "subscription": plan["id"]})
    );
    let line = &invoice["lines"]["data"][0];
    assert_eq!(
        (&line["pricing"]["price_details"]["price"], &line["parent"]["subscription_item_details"]["proration"]),
        (&json!("price_month"), &json!(false))
    );
    let intent = id(&json!({ "id": invoice["payments"]["data"][0]["payment"]["payment_intent"] }));
    let found = fixture.ok(
        "GET",
        "/v1/invoice_payments",
        &format!("payment[type]=payment_intent&payment[payment_intent]={intent}"),
    );
    assert_eq!((&found["data"][0]["invoice"], &found["data"][0]["status"]), (&invoice["id"], &json!("paid")));

    // The card that needs authentication pays only the first time.
    let plan = id(plan);
    let customer = id(&paid["customer"]);
    fixture.control("clock/advance", "by=month");
    assert_eq!(status(&fixture, &plan), "past_due");
    let card = fixture.ok("POST", "/v1/payment_methods/pm_card_visa/attach", &format!("customer={customer}"));
    fixture.ok("POST", &format!("/v1/subscriptions/{plan}"), &format!("default_payment_method={}", id(&card)));
    fixture.control("clock/advance", "by=day&times=4");
    assert_eq!(status(&fixture, &plan), "active");
    fixture.ok("POST", &format!("/v1/subscriptions/{plan}"), "cancel_at_period_end=true");
    let resumed = fixture.ok("POST", &format!("/v1/subscriptions/{plan}"), "cancel_at_period_end=false");
    assert_eq!((&resumed["cancel_at"], &resumed["canceled_at"]), (&Value::Null, &Value::Null));
    fixture.ok("POST", &format!("/v1/subscriptions/{plan}"), "cancel_at_period_end=true");
    fixture.control("clock/advance", "by=month");
    let ended = fixture.get(&format!("/v1/subscriptions/{plan}"));
    assert_eq!(
        (&ended["status"], &ended["ended_at"]),
        (&json!("canceled"), &ended["items"]["data"][0]["current_period_end"])
    );
    assert_eq!(
        fixture.invoices(&plan),
        ["subscription_create paid 900 900 900", "subscription_cycle paid 900 900 900"]
    );
    let types = fixture.event_types("customer.subscription").join(" ").replace("customer.subscription.", "");
    assert_eq!(types, "created updated updated updated updated updated updated updated deleted");
    let types = fixture.event_types("invoice").join(" ").replace("invoice.", "");
    assert_eq!(
        types,
        "created finalized paid payment_succeeded invoice_payment.paid created finalized payment_failed paid \
                      payment_succeeded invoice_payment.paid"
    );
}

#[test]
fn renewals_keep_the_day_of_the_month() {
    let fixture = Fixture::new();
    fixture.clock.set(Timestamp::from_seconds(1_801_389_600)); // 2027-01-31T10:00:00Z
    let plan = id(&fixture.subscribe("4242424242424242", ""));
    let ends = |to: i64| {
        fixture.clock.set(Timestamp::from_seconds(to));
        let plan = fixture.get(&format!("/v1/subscriptions/{plan}"));
        plan["items"]["data"][0]["current_period_end"].as_i64().expect("a time")
    };
    let (feb, mar, apr) = (1_803_808_800, 1_806_487_200, 1_809_079_200); // 28 February, 31 March, 30 April, 10:00
    assert_eq!((ends(feb - 1), ends(feb), ends(mar + 60)), (feb, mar, apr));
    assert_eq!(fixture.invoices(&plan).len(), 3);
}

#[test]
fn retries_end_as_the_account_says() {
    let fixture = Fixture::new();
    for (setting, expected) in [("cancel", "canceled"), ("unpaid", "unpaid"), ("past_due", "past_due")] {
        fixture.control(&format!("retries/{setting}"), "");
        let shown =
            fixture.page("GET", "/control/state", "").json()["after_retries"].as_str().expect("words").to_owned();
        assert!(fixture.page("GET", "/", "").text.contains(&shown), "{shown}");
        let plan = fixture.subscribe("4242424242424242", "");
        let (plan, customer) = (id(&plan), plan["customer"].as_str().expect("an id").to_owned());
        let card = fixture.ok(
            "POST",
            "/v1/payment_methods/pm_card_chargeCustomerFail/attach",
            &format!("customer={customer}"),
        );
        fixture.ok("POST", &format!("/v1/subscriptions/{plan}"), &format!("default_payment_method={}", id(&card)));
        fixture.control("clock/advance", "by=month");
        let statuses: Vec<Value> = (0..16)
            .map(|_| {
                fixture.control("clock/advance", "by=day");
                status(&fixture, &plan)
            })
            .collect();
        assert_eq!((&statuses[13], &statuses[15]), (&json!("past_due"), &json!(expected)));
        let invoice = fixture.ok("GET", "/v1/invoices", &format!("subscription={plan}&status=open"))["data"][0].clone();
        assert_eq!((&invoice["attempt_count"], &invoice["next_payment_attempt"]), (&json!(4), &Value::Null));
        let path = format!("/v1/invoices/{}", id(&invoice));
        if setting == "unpaid" {
            fixture.ok("POST", &format!("{path}/pay"), "paid_out_of_band=true");
            assert_eq!(status(&fixture, &plan), "active");
        }
        if setting == "past_due" {
            assert_eq!(fixture.error("POST", &format!("{path}/pay"), ""), (402, "card_declined".to_owned()));
            fixture.ok("POST", &format!("{path}/mark_uncollectible"), "");
            assert_eq!(status(&fixture, &plan), "active");
            fixture.ok("POST", &format!("{path}/void"), "");
            fixture.ok("DELETE", &format!("/v1/customers/{customer}"), "");
            assert_eq!(status(&fixture, &plan), "canceled");
        }
    }
    fixture.event_types("");
}

#[test]
fn unpaid_subscriptions_expire_and_free_ones_need_no_payment() {
    let fixture = Fixture::new();
    let plans = "/v1/subscriptions";
    let fails = fixture.customer("pm_card_chargeCustomerFail", None);
    let form = format!("customer={fails}&items[0][price]=price_month");
    let incomplete = fixture.ok("POST", plans, &form);
    assert_eq!(incomplete["status"], "incomplete");
    assert_eq!(fixture.error("POST", plans, &format!("{form}&payment_behavior=error_if_incomplete")).0, 402);
    let later = fixture.ok("POST", plans, &format!("{form}&payment_behavior=default_incomplete&expand[]=latest_invoice.confirmation_secret&expand[]=latest_invoice.payments"));
    let intent = later["latest_invoice"]["payments"]["data"][0]["payment"]["payment_intent"].as_str().expect("an id");
    assert_eq!(
        fixture.ok("POST", &format!("/v1/payment_intents/{intent}/confirm"), "payment_method=pm_card_visa")["status"],
        "succeeded"
    );
    assert_eq!(status(&fixture, &id(&later)), "active");
    fixture.control("clock/advance", "by=day");
    assert_eq!(status(&fixture, &id(&incomplete)), "incomplete_expired");
    assert_eq!(fixture.invoices(&id(&incomplete)), ["subscription_create void 900 900 0"]);

    let session = fixture.new_plan_session("&subscription_data[trial_period_days]=10");
    assert_eq!(fixture.pay(&session, "card=4242424242424242").status, 303);
    assert_eq!(fixture.session(&session)["payment_status"], "no_payment_required");
    let trial = fixture.session(&session)["subscription"].as_str().expect("an id").to_owned();
    assert_eq!(
        (status(&fixture, &trial), fixture.invoices(&trial)),
        (json!("trialing"), vec!["subscription_create paid 0 0 0".to_owned()])
    );
    fixture.control("clock/advance", "by=day&times=8");
    assert_eq!(fixture.event_types("customer.subscription.trial_will_end").len(), 1);
    fixture.control("clock/advance", "by=day&times=3");
    assert_eq!(
        (status(&fixture, &trial), fixture.invoices(&trial)[1].clone()),
        (json!("active"), "subscription_cycle paid 900 900 900".to_owned())
    );

    let free = fixture.new_plan_session("");
    assert_eq!(fixture.pay(&free, "promotion_code=FREE100&card=4242424242424242").status, 303);
    let free = fixture.session(&free)["subscription"].as_str().expect("an id").to_owned();
    fixture.control("clock/advance", "by=month");
    assert_eq!(
        fixture.invoices(&free),
        ["subscription_create paid 0 0 0", "subscription_cycle paid 900 900 900"],
        "100% off once"
    );

    let bare = id(&fixture.ok("POST", "/v1/customers", "name=Bare"));
    let form = format!(
        "customer={bare}&items[0][price]=price_month&trial_period_days=1&trial_settings[end_behavior][missing_payment_method]=pause"
    );
    let paused = id(&fixture.ok("POST", plans, &form));
    fixture.control("clock/advance", "by=day&times=2");
    assert_eq!(status(&fixture, &paused), "paused");
    fixture.ok("POST", &format!("/v1/payment_methods/{}/attach", "pm_card_visa"), &format!("customer={bare}"));
    let card = id(&fixture.get(&format!("/v1/customers/{bare}/payment_methods"))["data"][0]);
    fixture.ok("POST", &format!("/v1/customers/{bare}"), &format!("invoice_settings[default_payment_method]={card}"));
    assert_eq!(fixture.ok("POST", &format!("/v1/subscriptions/{paused}/resume"), "")["status"], "active");
    let types = fixture.event_types("customer.subscription.");
    for kind in ["paused", "resumed"] {
        assert!(types.contains(&format!("customer.subscription.{kind}")), "{kind}");
    }
}

#[test]
fn a_test_clock_has_its_own_time_and_paused_collection_bills_nothing() {
    let fixture = Fixture::new();
    let clocks = "/v1/test_helpers/test_clocks";
    let clock = id(&fixture.ok("POST", clocks, &format!("frozen_time={START}&name=x")));
    let customer = fixture.customer("pm_card_visa", Some(&clock));
    let plan = fixture.ok(
        "POST",
        "/v1/subscriptions",
        &format!("customer={customer}&items[0][price]=price_month&items[0][quantity]=3"),
    );
    assert_eq!(
        (&plan["status"], &plan["test_clock"], &plan["created"]),
        (&json!("active"), &json!(clock), &json!(START))
    );
    let plan = id(&plan);
    let advance = |days: i64| {
        let answer =
            fixture.ok("POST", &format!("{clocks}/{clock}/advance"), &format!("frozen_time={}", START + days * DAY));
        assert_eq!(
            (&answer["status"], &fixture.get(&format!("{clocks}/{clock}"))["status"]),
            (&json!("advancing"), &json!("ready"))
        );
    };
    advance(31);
    assert_eq!(
        fixture.invoices(&plan),
        ["subscription_create paid 2700 2700 2700", "subscription_cycle paid 2700 2700 2700"]
    );
    assert_eq!(fixture.page("GET", "/control/state", "").json()["now"], START, "the stand-in's own time stands");
    assert_eq!(fixture.error("POST", &format!("{clocks}/{clock}/advance"), "frozen_time=1").0, 400);
    fixture.ok("POST", &format!("/v1/subscriptions/{plan}"), "pause_collection[behavior]=void");
    advance(62);
    assert_eq!(
        (fixture.invoices(&plan)[2].clone(), status(&fixture, &plan)),
        ("subscription_cycle void 2700 2700 0".to_owned(), json!("active"))
    );
    fixture.ok("POST", &format!("/v1/subscriptions/{plan}"), "pause_collection=");
    assert_eq!(fixture.ok("GET", "/v1/customers", "")["data"], json!([]), "listed by their clock only");
    assert_eq!(id(&fixture.ok("GET", "/v1/customers", &format!("test_clock={clock}"))["data"][0]), customer);
    assert_eq!(
        id(&fixture.ok("GET", "/v1/subscriptions", &format!("test_clock={clock}&price=price_month"))["data"][0]),
        plan
    );
    fixture.ok("DELETE", &format!("{clocks}/{clock}"), "");
    assert_eq!(status(&fixture, &plan), "canceled");
    let types = fixture.event_types("test_helpers");
    assert_eq!(types.len(), 6, "{types:?}");
}
