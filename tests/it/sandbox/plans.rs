//! Subscriptions: begun, renewed, unpaid, paused, ended; and the invoices that they leave.

use serde_json::{Value, json};
use till::clock::Timestamp;

use super::world::World;

const DAY: i64 = 24 * 60 * 60;
const START: i64 = 1_790_000_000;

fn id(object: &Value) -> String {
    object["id"].as_str().expect("an id").to_owned()
}

fn status(world: &World, id: &str) -> Value {
    world.get(&format!("/v1/subscriptions/{id}"))["status"].clone()
}

#[test]
fn a_plan_is_bought_renewed_and_not_renewed() {
    let world = World::new();
    let session = world.plan_session("&subscription_data[metadata][user_id]=alice&metadata[user_id]=alice");
    assert!(world.page("GET", &format!("/c/pay/{session}"), "").text.contains("Subscribe for $9.00"));
    assert_eq!(world.pay(&session, "card=4000000000000002").status, 402);
    assert_eq!(world.pay(&session, "card=4000000000000341").status, 402);
    assert_eq!(world.pay(&session, "method=bank_debit").status, 400);
    assert_eq!(world.session(&session)["subscription"], Value::Null);
    assert_eq!(world.get("/v1/subscriptions")["data"], json!([]), "made only after paying");
    assert_eq!(world.pay(&session, "card=4000000000003220").status, 402);
    assert_eq!(world.pay(&session, "card=4000000000003220&authenticated=true").status, 303);
    let paid = world.ok(
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
    let found = world.ok(
        "GET",
        "/v1/invoice_payments",
        &format!("payment[type]=payment_intent&payment[payment_intent]={intent}"),
    );
    assert_eq!((&found["data"][0]["invoice"], &found["data"][0]["status"]), (&invoice["id"], &json!("paid")));

    // The card that asks for its owner pays the first time only.
    let plan = id(plan);
    let customer = id(&paid["customer"]);
    world.press("clock/advance", "by=month");
    assert_eq!(status(&world, &plan), "past_due");
    let card = world.ok("POST", "/v1/payment_methods/pm_card_visa/attach", &format!("customer={customer}"));
    world.ok("POST", &format!("/v1/subscriptions/{plan}"), &format!("default_payment_method={}", id(&card)));
    world.press("clock/advance", "by=day&times=4");
    assert_eq!(status(&world, &plan), "active");
    world.ok("POST", &format!("/v1/subscriptions/{plan}"), "cancel_at_period_end=true");
    let resumed = world.ok("POST", &format!("/v1/subscriptions/{plan}"), "cancel_at_period_end=false");
    assert_eq!((&resumed["cancel_at"], &resumed["canceled_at"]), (&Value::Null, &Value::Null));
    world.ok("POST", &format!("/v1/subscriptions/{plan}"), "cancel_at_period_end=true");
    world.press("clock/advance", "by=month");
    let ended = world.get(&format!("/v1/subscriptions/{plan}"));
    assert_eq!(
        (&ended["status"], &ended["ended_at"]),
        (&json!("canceled"), &ended["items"]["data"][0]["current_period_end"])
    );
    assert_eq!(world.invoices(&plan), ["subscription_create paid 900 900 900", "subscription_cycle paid 900 900 900"]);
    let told = world.told("customer.subscription").join(" ").replace("customer.subscription.", "");
    assert_eq!(told, "created updated updated updated updated updated updated updated deleted");
    let told = world.told("invoice").join(" ").replace("invoice.", "");
    assert_eq!(
        told,
        "created finalized paid payment_succeeded invoice_payment.paid created finalized payment_failed paid \
                      payment_succeeded invoice_payment.paid"
    );
}

#[test]
fn days_of_the_calendar_are_kept() {
    let world = World::new();
    world.clock.set(Timestamp::from_seconds(1_801_389_600)); // 2027-01-31T10:00:00Z
    let plan = id(&world.subscribed("4242424242424242", ""));
    let ends = |to: i64| {
        world.clock.set(Timestamp::from_seconds(to));
        let plan = world.get(&format!("/v1/subscriptions/{plan}"));
        plan["items"]["data"][0]["current_period_end"].as_i64().expect("a time")
    };
    let (feb, mar, apr) = (1_803_808_800, 1_806_487_200, 1_809_079_200); // 28 February, 31 March, 30 April, 10:00
    assert_eq!((ends(feb - 1), ends(feb), ends(mar + 60)), (feb, mar, apr));
    assert_eq!(world.invoices(&plan).len(), 3);
}

#[test]
fn retries_end_as_the_account_has_it() {
    let world = World::new();
    for (setting, expected) in [("cancel", "canceled"), ("unpaid", "unpaid"), ("past_due", "past_due")] {
        world.press(&format!("retries/{setting}"), "");
        let shown = world.page("GET", "/control/state", "").json()["after_retries"].as_str().expect("words").to_owned();
        assert!(world.page("GET", "/", "").text.contains(&shown), "{shown}");
        let plan = world.subscribed("4242424242424242", "");
        let (plan, customer) = (id(&plan), plan["customer"].as_str().expect("an id").to_owned());
        let card =
            world.ok("POST", "/v1/payment_methods/pm_card_chargeCustomerFail/attach", &format!("customer={customer}"));
        world.ok("POST", &format!("/v1/subscriptions/{plan}"), &format!("default_payment_method={}", id(&card)));
        world.press("clock/advance", "by=month");
        let statuses: Vec<Value> = (0..16)
            .map(|_| {
                world.press("clock/advance", "by=day");
                status(&world, &plan)
            })
            .collect();
        assert_eq!((&statuses[13], &statuses[15]), (&json!("past_due"), &json!(expected)));
        let invoice = world.ok("GET", "/v1/invoices", &format!("subscription={plan}&status=open"))["data"][0].clone();
        assert_eq!((&invoice["attempt_count"], &invoice["next_payment_attempt"]), (&json!(4), &Value::Null));
        let path = format!("/v1/invoices/{}", id(&invoice));
        if setting == "unpaid" {
            world.ok("POST", &format!("{path}/pay"), "paid_out_of_band=true");
            assert_eq!(status(&world, &plan), "active");
        }
        if setting == "past_due" {
            assert_eq!(world.refused("POST", &format!("{path}/pay"), ""), (402, "card_declined".to_owned()));
            world.ok("POST", &format!("{path}/mark_uncollectible"), "");
            assert_eq!(status(&world, &plan), "active");
            world.ok("POST", &format!("{path}/void"), "");
            world.ok("DELETE", &format!("/v1/customers/{customer}"), "");
            assert_eq!(status(&world, &plan), "canceled");
        }
    }
    world.told("");
}

#[test]
fn what_is_never_paid_expires_and_what_is_free_is_paid_by_nothing() {
    let world = World::new();
    let plans = "/v1/subscriptions";
    let fails = world.customer("pm_card_chargeCustomerFail", None);
    let form = format!("customer={fails}&items[0][price]=price_month");
    let incomplete = world.ok("POST", plans, &form);
    assert_eq!(incomplete["status"], "incomplete");
    assert_eq!(world.refused("POST", plans, &format!("{form}&payment_behavior=error_if_incomplete")).0, 402);
    let later = world.ok("POST", plans, &format!("{form}&payment_behavior=default_incomplete&expand[]=latest_invoice.confirmation_secret&expand[]=latest_invoice.payments"));
    let intent = later["latest_invoice"]["payments"]["data"][0]["payment"]["payment_intent"].as_str().expect("an id");
    assert_eq!(
        world.ok("POST", &format!("/v1/payment_intents/{intent}/confirm"), "payment_method=pm_card_visa")["status"],
        "succeeded"
    );
    assert_eq!(status(&world, &id(&later)), "active");
    world.press("clock/advance", "by=day");
    assert_eq!(status(&world, &id(&incomplete)), "incomplete_expired");
    assert_eq!(world.invoices(&id(&incomplete)), ["subscription_create void 900 900 0"]);

    let session = world.plan_session("&subscription_data[trial_period_days]=10");
    assert_eq!(world.pay(&session, "card=4242424242424242").status, 303);
    assert_eq!(world.session(&session)["payment_status"], "no_payment_required");
    let trial = world.session(&session)["subscription"].as_str().expect("an id").to_owned();
    assert_eq!(
        (status(&world, &trial), world.invoices(&trial)),
        (json!("trialing"), vec!["subscription_create paid 0 0 0".to_owned()])
    );
    world.press("clock/advance", "by=day&times=8");
    assert_eq!(world.told("customer.subscription.trial_will_end").len(), 1);
    world.press("clock/advance", "by=day&times=3");
    assert_eq!(
        (status(&world, &trial), world.invoices(&trial)[1].clone()),
        (json!("active"), "subscription_cycle paid 900 900 900".to_owned())
    );

    let free = world.plan_session("");
    assert_eq!(world.pay(&free, "promotion_code=FREE100&card=4242424242424242").status, 303);
    let free = world.session(&free)["subscription"].as_str().expect("an id").to_owned();
    world.press("clock/advance", "by=month");
    assert_eq!(
        world.invoices(&free),
        ["subscription_create paid 0 0 0", "subscription_cycle paid 900 900 900"],
        "100% off once"
    );

    let bare = id(&world.ok("POST", "/v1/customers", "name=Bare"));
    let form = format!(
        "customer={bare}&items[0][price]=price_month&trial_period_days=1&trial_settings[end_behavior][missing_payment_method]=pause"
    );
    let paused = id(&world.ok("POST", plans, &form));
    world.press("clock/advance", "by=day&times=2");
    assert_eq!(status(&world, &paused), "paused");
    world.ok("POST", &format!("/v1/payment_methods/{}/attach", "pm_card_visa"), &format!("customer={bare}"));
    let card = id(&world.get(&format!("/v1/customers/{bare}/payment_methods"))["data"][0]);
    world.ok("POST", &format!("/v1/customers/{bare}"), &format!("invoice_settings[default_payment_method]={card}"));
    assert_eq!(world.ok("POST", &format!("/v1/subscriptions/{paused}/resume"), "")["status"], "active");
    let told = world.told("customer.subscription.");
    for kind in ["paused", "resumed"] {
        assert!(told.contains(&format!("customer.subscription.{kind}")), "{kind}");
    }
}

#[test]
fn a_test_clock_has_its_own_time_and_paused_collection_bills_nothing() {
    let world = World::new();
    let clocks = "/v1/test_helpers/test_clocks";
    let clock = id(&world.ok("POST", clocks, &format!("frozen_time={START}&name=x")));
    let customer = world.customer("pm_card_visa", Some(&clock));
    let plan = world.ok(
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
            world.ok("POST", &format!("{clocks}/{clock}/advance"), &format!("frozen_time={}", START + days * DAY));
        assert_eq!(
            (&answer["status"], &world.get(&format!("{clocks}/{clock}"))["status"]),
            (&json!("advancing"), &json!("ready"))
        );
    };
    advance(31);
    assert_eq!(
        world.invoices(&plan),
        ["subscription_create paid 2700 2700 2700", "subscription_cycle paid 2700 2700 2700"]
    );
    assert_eq!(world.page("GET", "/control/state", "").json()["now"], START, "the stand-in's own time stands");
    assert_eq!(world.refused("POST", &format!("{clocks}/{clock}/advance"), "frozen_time=1").0, 400);
    world.ok("POST", &format!("/v1/subscriptions/{plan}"), "pause_collection[behavior]=void");
    advance(62);
    assert_eq!(
        (world.invoices(&plan)[2].clone(), status(&world, &plan)),
        ("subscription_cycle void 2700 2700 0".to_owned(), json!("active"))
    );
    world.ok("POST", &format!("/v1/subscriptions/{plan}"), "pause_collection=");
    assert_eq!(world.ok("GET", "/v1/customers", "")["data"], json!([]), "listed by their clock only");
    assert_eq!(id(&world.ok("GET", "/v1/customers", &format!("test_clock={clock}"))["data"][0]), customer);
    assert_eq!(
        id(&world.ok("GET", "/v1/subscriptions", &format!("test_clock={clock}&price=price_month"))["data"][0]),
        plan
    );
    world.ok("DELETE", &format!("{clocks}/{clock}"), "");
    assert_eq!(status(&world, &plan), "canceled");
    let told = world.told("test_helpers");
    assert_eq!(told.len(), 6, "{told:?}");
}
