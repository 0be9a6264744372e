//! Webhooks, their events, and the endpoints that they go to.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use till::clock::{Deadline, Timestamp};
use till::sandbox::Endpoint;
use till::secret::Secret;

use super::fixture::{Fixture, ReceivedWebhook, Receiver};
use crate::harness::eventually;

#[test]
fn webhooks_come_twice_late_out_of_order_or_not_at_all() {
    let fixture = Fixture::new();
    let order = |webhooks: &[ReceivedWebhook], kind: &str| -> Vec<Value> {
        let of_kind = webhooks.iter().map(ReceivedWebhook::event).filter(|event| event["type"] == kind);
        of_kind.map(|event| event["data"]["object"]["name"].clone()).collect()
    };
    let add = |name: &str| fixture.ok("POST", "/v1/customers", &format!("name={name}"));
    let kind = "customer.created";

    fixture.control("webhooks/hold", "");
    ["a", "b", "c"].iter().for_each(|name| drop(add(name)));
    fixture.control("webhooks/release", "order=reverse");
    assert_eq!(order(&fixture.receiver.wait_for(kind, 3), kind), ["c", "b", "a"]);
    fixture.control("webhooks/hold", "");
    ["d", "e", "f"].iter().for_each(|name| drop(add(name)));
    fixture.control("webhooks/release", "");
    assert_eq!(order(&fixture.receiver.wait_for(kind, 6)[3..], kind), ["d", "e", "f"]);

    fixture.control("webhooks/drop", "times=1");
    ["lost", "g"].iter().for_each(|name| drop(add(name)));
    let seen = order(&fixture.receiver.wait_for(kind, 7), kind);
    assert!(seen.contains(&json!("g")) && !seen.contains(&json!("lost")), "{seen:?}");
    // The stand-in records the other delivery a moment after the receiver has it.
    let lost = eventually("one event that did not arrive", || {
        let failed = fixture.ok("GET", "/v1/events", "type=customer.created&delivery_success=false")["data"].clone();
        failed.as_array().filter(|failed| failed.len() == 1).map(|failed| failed[0].clone())
    });
    assert_eq!(lost["data"]["object"]["name"], "lost");
    fixture.control(&format!("events/{}/resend", lost["id"].as_str().expect("id")), "times=2");
    let webhooks = fixture.receiver.wait_for(kind, 9);
    assert_eq!(order(&webhooks[7..], kind), ["lost", "lost"]);

    // Errors and redirects are failures and are tried again. Each attempt is signed with its own time.
    fixture.receiver.answer_next(&[500, 302]);
    ["stubborn", "moved"].iter().for_each(|name| drop(add(name)));
    let webhooks = fixture.receiver.wait_for(kind, 13);
    let count = |name: &str| order(&webhooks, kind).iter().filter(|seen| *seen == name).count();
    assert_eq!((count("stubborn"), count("moved")), (2, 2));
    let newest = || fixture.page("GET", "/control/state", "").json()["deliveries"][0].clone();
    let deadline = Deadline::after(Duration::from_secs(10));
    while newest()["progress"] != "delivered" {
        assert!(!deadline.left().is_zero(), "{}", newest());
        thread::yield_now();
    }
    assert_eq!((newest()["attempts"].clone(), newest()["last"].clone()), (json!(2), json!("200")));
    fixture.clock.set(Timestamp::from_seconds(1_790_000_100));
    fixture.control(&format!("deliveries/{}/send", newest()["id"]), "");
    let webhooks = fixture.receiver.wait_for(kind, 14);
    assert!(webhooks[12].signature.starts_with("t=1790000000,") && webhooks[13].signature.starts_with("t=1790000100,"));

    let page = fixture.page("GET", "/", "");
    assert!(page.status == 200 && page.text.contains("customer.created") && page.text.contains("No money moves"));
    let foreign =
        fixture.send("POST", "/control/webhooks/hold", "", &[("Sec-Fetch-Site", "cross-site")]).expect("a page");
    assert_eq!(foreign.status, 403);
    assert_eq!(fixture.page("POST", "/control/faults", "kind=rain").status, 400);
}

#[test]
fn events_are_listed_as_reconciliation_asks_for_them() {
    let fixture = Fixture::new();
    for name in ["a", "b", "c"] {
        fixture.ok("POST", "/v1/customers", &format!("name={name}"));
    }
    let names = |form: &str| {
        let page = fixture.ok("GET", "/v1/events", form);
        let rows: Vec<(Value, Value)> = page["data"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|event| (event["data"]["object"]["name"].clone(), event["id"].clone()))
            .collect();
        (rows, page["has_more"] == true)
    };
    let (first, more) = names("types[]=customer.created&types[]=customer.deleted&limit=2&created[gte]=1790000000");
    assert!(more && first[0].0 == "c" && first[1].0 == "b");
    let (rest, more) = names(&format!("type=customer.created&starting_after={}", first[1].1.as_str().expect("id")));
    assert!(!more && rest.len() == 1 && rest[0].0 == "a");
    assert!(names("type=customer.created&created[gt]=1790000000").0.is_empty());
    let endpoint = Endpoint { url: Receiver::start().url, secret: Secret::new("whsec_other") };
    let id = fixture.sandbox.set_endpoint(&endpoint);
    let listed = fixture.ok("GET", "/v1/webhook_endpoints", "");
    assert_eq!((listed["data"].as_array().map(Vec::len), &listed["data"][0]["id"]), (Some(1), &json!(id)));
}

#[test]
fn webhook_endpoints_accept_known_events_and_show_their_secret_once() {
    let fixture = Fixture::new();
    let path = "/v1/webhook_endpoints";
    let form = "url=http://127.0.0.1:1/&enabled_events[]=invoice.paid&enabled_events[]=invoice_payment.paid\
                &api_version=2026-05-27.dahlia&metadata[app]=till";
    let made = fixture.ok("POST", path, form);
    assert!(made["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")));
    let own = format!("{path}/{}", made["id"].as_str().expect("an id"));
    assert_eq!(
        (fixture.get(&own)["secret"].clone(), fixture.get(&own)["enabled_events"].clone()),
        (Value::Null, json!(["invoice.paid", "invoice_payment.paid"]))
    );
    assert_eq!(fixture.ok("POST", &own, "disabled=true")["status"], "disabled");
    for events in ["invoice.payed", "invoice.*", "paid", "*&enabled_events[]=invoice.paid"] {
        let form = format!("url=http://127.0.0.1:1/&enabled_events[]={events}");
        assert_eq!(fixture.error("POST", path, &form).0, 400, "{events}");
    }
    assert_eq!(fixture.get("/v1/account")["object"], "account");
}
