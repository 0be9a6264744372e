//! `Stripe-Version`, and the version of a webhook endpoint: what is rendered has the version's shape, and nothing else is
//! taken.

use serde_json::{Value, json};

use super::fixture::{Fixture, id};
use crate::harness::eventually;

fn get(fixture: &Fixture, version: &str, path: &str, query: &str) -> (u16, Value, String) {
    let headers = [("Authorization", "Bearer sk_test_1"), ("Stripe-Version", version)];
    let answer = fixture.send("GET", path, query, &headers).expect("an answer");
    (answer.status, answer.json(), answer.header("stripe-version").to_owned())
}

#[test]
fn an_older_version_has_its_fields_where_its_libraries_read_them() {
    let fixture = Fixture::new();
    let plan = fixture.subscribe("4242424242424242", "");
    let path = format!("/v1/subscriptions/{}", id(&plan));
    for version in ["2022-11-15", "2024-06-20", "2025-02-24.acacia"] {
        let (status, old, named) =
            get(&fixture, version, &path, "expand[]=latest_invoice.payment_intent&expand[]=latest_invoice.charge");
        assert_eq!((status, named.as_str()), (200, version));
        assert_eq!(old["current_period_end"], plan["items"]["data"][0]["current_period_end"]);
        assert_eq!(
            (&old["plan"]["id"], &old["items"]["data"][0]["plan"]["amount"]),
            (&json!("price_month"), &json!(900))
        );
        let invoice = &old["latest_invoice"];
        assert_eq!((&invoice["subscription"], &invoice["paid"]), (&plan["id"], &json!(true)));
        assert_eq!(
            (&invoice["payment_intent"]["status"], &invoice["charge"]["object"]),
            (&json!("succeeded"), &json!("charge"))
        );
        assert_eq!(invoice["payment_intent"]["invoice"], invoice["id"]);
        assert_eq!((invoice.get("parent"), invoice.get("payments")), (None, None));
        let line = &invoice["lines"]["data"][0];
        assert_eq!(
            (&line["price"]["id"], &line["type"], &line["proration"]),
            (&json!("price_month"), &json!("subscription"), &json!(false))
        );
        assert_eq!((&line["subscription"], line.get("pricing")), (&plan["id"], None));
    }
    let (_, basil, _) = get(&fixture, "2025-03-31.basil", &path, "expand[]=latest_invoice");
    assert_eq!(
        (basil.get("current_period_end"), &basil["latest_invoice"]["parent"]["type"]),
        (None, &json!("subscription_details"))
    );
    let codes = |version: &str| get(&fixture, version, "/v1/promotion_codes", "").1["data"][0].clone();
    assert_eq!(codes("2025-08-27.basil")["coupon"]["percent_off"], 100);
    assert_eq!(
        (codes("2025-09-30.clover").get("coupon"), &codes("2026-10-28.endive")["promotion"]["coupon"]),
        (None, &json!("FREE100"))
    );
    let session = format!("/v1/checkout/sessions/{}", fixture.new_session(""));
    assert_eq!(get(&fixture, "2026-02-25.clover", &session, "").1["ui_mode"], "hosted");
    assert_eq!(get(&fixture, "2026-03-25.dahlia", &session, "").1["ui_mode"], "hosted_page");
}

#[test]
fn a_version_that_is_not_rendered_is_refused() {
    let fixture = Fixture::new();
    for version in ["2020-08-27", "2027-01-01.fennel", "2025-03-31", "2025-12-15.preview", "newest"] {
        let (status, body, _) = get(&fixture, version, "/v1/customers", "");
        let message = body["error"]["message"].as_str().expect("a message");
        assert!(status == 400 && message.starts_with("Invalid Stripe API version"), "{version}: {message}");
        let form = format!("url=http://127.0.0.1:1/&enabled_events[]=*&api_version={version}");
        assert_eq!(fixture.error("POST", "/v1/webhook_endpoints", &form).0, 400, "{version}");
    }
}

#[test]
fn webhooks_have_the_version_of_their_endpoint() {
    let fixture = Fixture::new();
    let old = super::fixture::Receiver::start();
    let form = format!("url={}&enabled_events[]=customer.subscription.created&api_version=2024-06-20", old.url);
    assert_eq!(fixture.ok("POST", "/v1/webhook_endpoints", &form)["api_version"], "2024-06-20");
    let plan = fixture.subscribe("4242424242424242", "");
    let event = old.wait_for("customer.subscription.created", 1)[0].event();
    let end = &plan["items"]["data"][0]["current_period_end"];
    assert_eq!((&event["api_version"], &event["data"]["object"]["current_period_end"]), (&json!("2024-06-20"), end));
    let new = fixture.receiver.wait_for("customer.subscription.created", 1)[0].event();
    assert_eq!(
        (&new["api_version"], new["data"]["object"].get("current_period_end")),
        (&json!("2026-05-27.dahlia"), None)
    );
    let listed = |version: &str| get(&fixture, version, "/v1/events", "type=customer.subscription.created").1;
    eventually("the event in the list", || {
        let event = listed("2024-06-20")["data"][0].clone();
        (event["api_version"] == "2026-05-27.dahlia" && event["data"]["object"].get("current_period_end").is_none())
            .then_some(())
    });
}
