//! The Stripe stand-in, met over HTTP as its users meet it. Every API answer here is also held against Stripe's OpenAPI
//! description, where that is on this machine.

mod calls;
mod credits;
mod lists;
mod plans;
mod portal;
mod prorations;
mod reversals;
mod stripe_library;
mod world;

use std::thread;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use till::clock::{Deadline, Timestamp};
use till::sandbox::Endpoint;
use till::secret::Secret;

use self::world::{Letter, Receiver, SECRET, World};
use crate::harness::eventually;

#[test]
fn a_card_pays_and_signed_webhooks_say_so() {
    let world = World::new();
    let id = world.buy("&payment_intent_data[metadata][order]=o1");
    let open = world.session(&id);
    assert_eq!(
        (&open["payment_intent"], &open["amount_total"], &open["status"]),
        (&Value::Null, &json!(1800), &json!("open"))
    );
    assert_eq!(open["url"], format!("{}/c/pay/{id}", world.sandbox.url()));

    let page = world.page("GET", &format!("/c/pay/{id}"), "");
    for part in ["100 pictures", "$18.00", "No money moves", "https://shop.test/", "promotion_code"] {
        assert!(page.text.contains(part), "{part}");
    }
    assert!(page.header("content-security-policy").contains("default-src 'none'") && !page.text.contains("<script"));

    for (form, status, said) in [
        ("card=4000 0000 0000 0002", 402, "Your card was declined"),
        ("card=5555555555554444", 400, "4242 4242 4242 4242 pays"),
        ("card=4242424242424242&exp=01/20", 400, "The card has expired"),
        ("method=cash", 400, "is not a method"),
        ("card=4242424242424242&promotion_code=NO", 400, "The code NO is not valid here"),
    ] {
        let answer = world.pay(&id, form);
        assert!(answer.status == status && answer.text.contains(said), "{form}: {} {}", answer.status, answer.text);
        assert_eq!(world.session(&id)["status"], "open");
    }
    let paid = world.pay(&id, "card=4242 4242 4242 4242&exp=12/34&cvc=123&email=a@example.org");
    assert_eq!((paid.status, paid.header("location")), (303, format!("https://shop.test/done?s={id}&a=1").as_str()));
    let again = world.pay(&id, "card=4242424242424242");
    assert!(again.status == 409 && again.text.contains("This has been paid"), "{}", again.text);

    let session = world.ok("GET", &format!("/v1/checkout/sessions/{id}"), "expand[]=payment_intent.latest_charge");
    let intent = &session["payment_intent"];
    assert_eq!((&session["payment_status"], &session["url"]), (&json!("paid"), &Value::Null));
    assert_eq!((&intent["status"], &intent["amount_received"]), (&json!("succeeded"), &json!(1800)));
    assert_eq!((&session["metadata"], &intent["metadata"]), (&json!({"user_id": "alice"}), &json!({"order": "o1"})));
    assert_eq!(intent["latest_charge"]["paid"], true);
    let by_intent = format!("payment_intent={}", intent["id"].as_str().expect("id"));
    assert_eq!(world.ok("GET", "/v1/checkout/sessions", &by_intent)["data"][0]["id"], id.as_str());
    assert_eq!(world.ok("GET", "/v1/charges", &by_intent)["data"].as_array().map(Vec::len), Some(2));

    for kind in
        ["payment_intent.created", "payment_intent.payment_failed", "charge.succeeded", "payment_intent.succeeded"]
    {
        assert_eq!(world.receiver.wait_for(kind, 1).len(), 1, "{kind}");
    }
    let letter = world.receiver.wait_for("checkout.session.completed", 1).remove(0);
    let (time, hash) = letter.signature.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")).expect("t and v1");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key");
    mac.update(format!("{time}.{}", letter.body).as_bytes());
    assert_eq!((time, hash.to_owned()), ("1790000000", till::id::hex(&mac.finalize().into_bytes())));
    assert!(letter.body.starts_with("{\n  \"id\": \"evt_1") && letter.body.contains("\"discounts\": [\n\n      ],"));
    assert_eq!(letter.event()["data"]["object"], world.session(&id));
}

#[test]
fn a_session_ends_free_settled_failed_or_expired() {
    let world = World::new();
    let free = world.buy("");
    assert!(world.pay(&free, "action=apply&promotion_code=free100").text.contains("Complete order"));
    assert_eq!(world.pay(&free, "").status, 303);
    let at_once = world.buy("");
    assert_eq!(world.pay(&at_once, "promotion_code=FREE100").status, 303);
    for id in [&free, &at_once] {
        let session = world.session(id);
        assert_eq!(session["payment_status"], "no_payment_required");
        assert_eq!((&session["payment_intent"], &session["amount_total"]), (&Value::Null, &json!(0)));
        assert_eq!(session["total_details"]["amount_discount"], 1800);
    }

    for (step, status, event) in [
        ("settle", "paid", "checkout.session.async_payment_succeeded"),
        ("fail", "unpaid", "checkout.session.async_payment_failed"),
    ] {
        let id = world.buy("");
        assert_eq!(
            world.page("POST", &format!("/control/sessions/{id}/{step}"), "").status,
            409,
            "nothing to {step} yet"
        );
        assert_eq!(world.pay(&id, "method=bank_debit").status, 303);
        assert_eq!(
            (world.session(&id)["status"].clone(), world.session(&id)["payment_status"].clone()),
            (json!("complete"), json!("unpaid"))
        );
        world.press(&format!("sessions/{id}/{step}"), "");
        assert_eq!(world.session(&id)["payment_status"], status);
        assert_eq!(world.receiver.wait_for(event, 1)[0].event()["data"]["object"]["id"], id.as_str());
        assert_eq!(world.page("POST", &format!("/control/sessions/{id}/{step}"), "").status, 409, "only once");
        let said = if step == "settle" { "This has been paid" } else { "Your bank debit failed" };
        assert!(world.page("GET", &format!("/c/pay/{id}"), "").text.contains(said));
    }

    let (pressed, called, overdue) = (world.buy(""), world.buy(""), world.buy("&expires_at=1790001800"));
    world.press(&format!("sessions/{pressed}/expire"), "");
    world.ok("POST", &format!("/v1/checkout/sessions/{called}/expire"), "");
    assert_eq!(world.session(&overdue)["status"], "open");
    world.clock.set(Timestamp::from_seconds(1_790_001_800));
    for id in [&pressed, &called, &overdue] {
        assert_eq!(world.session(id)["status"], "expired");
        assert_eq!(world.pay(id, "card=4242424242424242").status, 409);
        assert!(world.page("GET", &format!("/c/pay/{id}"), "").text.contains("This page has expired"));
    }
    world.receiver.wait_for("checkout.session.expired", 3);

    assert_eq!(world.page("GET", "/c/pay/cs_no", "").status, 404);
}

#[test]
fn an_idempotency_key_gives_the_first_answer_again() {
    let world = World::new();
    let path = "/v1/customers";
    let create = |form: &str, key: &str| world.call("POST", path, form, Some(key));
    let first = create("email=a@example.org&name=A", "k1");
    let again = create("name=A&email=a@example.org", "k1");
    assert_eq!((again.status, again.header("idempotent-replayed"), &again.text), (200, "true", &first.text));
    assert_eq!(first.header("idempotent-replayed"), "");
    let other = create("email=b@example.org", "k1").json();
    assert_eq!(other["error"]["type"], "idempotency_error");
    assert_eq!(create("email=nobody", "k2").status, 400);
    assert_eq!(create("email=c@example.org", "k2").status, 200, "a refused call frees its key");

    world.press("faults", "path=/v1/customers&kind=status:500&times=1&method=POST");
    let replayed = || create("name=D", "k3");
    assert_eq!((replayed().status, replayed().header("idempotent-replayed").to_owned()), (500, "true".to_owned()));
    for status in [429, 409] {
        world.press("faults", &format!("path=/v1/customers&kind=status:{status}"));
        assert_eq!(
            (create("name=E", &status.to_string()).status, create("name=E", &status.to_string()).status),
            (status, 200)
        );
    }

    world.press("faults", "path=/v1/customers&kind=close");
    let headers = [("Authorization", "Bearer sk_test_1"), ("Idempotency-Key", "k4")];
    assert!(world.send("POST", path, "name=F", &headers).is_err(), "the connection is closed");
    let after = create("name=F", "k4");
    assert_eq!(
        (after.status, after.header("idempotent-replayed"), after.json()["name"].clone()),
        (200, "true", json!("F"))
    );

    world.press("faults", "path=/v1/customers&kind=slow:60000");
    thread::scope(|scope| {
        scope.spawn(|| {
            let brief = world
                .agent
                .post(format!("{}{path}", world.sandbox.url()))
                .config()
                .timeout_global(Some(Duration::from_millis(500)));
            let request = brief.build().header("Authorization", "Bearer sk_test_1").header("Idempotency-Key", "k5");
            assert!(request.send("name=G").is_err(), "it gives up waiting");
        });
        while world.page("GET", "/control/state", "").json()["faults"] != json!([]) {
            thread::yield_now();
        }
        let under_way = create("name=G", "k5");
        assert_eq!(
            (under_way.status, under_way.json()["error"]["code"].clone()),
            (409, json!("idempotency_key_in_use"))
        );
    });
}

#[test]
fn webhooks_come_twice_late_out_of_order_or_not_at_all() {
    let world = World::new();
    let order = |letters: &[Letter], kind: &str| -> Vec<Value> {
        let of_kind = letters.iter().map(Letter::event).filter(|event| event["type"] == kind);
        of_kind.map(|event| event["data"]["object"]["name"].clone()).collect()
    };
    let add = |name: &str| world.ok("POST", "/v1/customers", &format!("name={name}"));
    let kind = "customer.created";

    world.press("webhooks/hold", "");
    ["a", "b", "c"].iter().for_each(|name| drop(add(name)));
    world.press("webhooks/release", "order=reverse");
    assert_eq!(order(&world.receiver.wait_for(kind, 3), kind), ["c", "b", "a"]);
    world.press("webhooks/hold", "");
    ["d", "e", "f"].iter().for_each(|name| drop(add(name)));
    world.press("webhooks/release", "");
    assert_eq!(order(&world.receiver.wait_for(kind, 6)[3..], kind), ["d", "e", "f"]);

    world.press("webhooks/drop", "times=1");
    ["lost", "g"].iter().for_each(|name| drop(add(name)));
    let seen = order(&world.receiver.wait_for(kind, 7), kind);
    assert!(seen.contains(&json!("g")) && !seen.contains(&json!("lost")), "{seen:?}");
    // That the other one has arrived is written down a moment after its receiver has it.
    let lost = eventually("one event that did not arrive", || {
        let failed = world.ok("GET", "/v1/events", "type=customer.created&delivery_success=false")["data"].clone();
        failed.as_array().filter(|failed| failed.len() == 1).map(|failed| failed[0].clone())
    });
    assert_eq!(lost["data"]["object"]["name"], "lost");
    world.press(&format!("events/{}/resend", lost["id"].as_str().expect("id")), "times=2");
    let letters = world.receiver.wait_for(kind, 9);
    assert_eq!(order(&letters[7..], kind), ["lost", "lost"]);

    // Errors and redirects are failures, and are tried again; each attempt is signed with its own time.
    world.receiver.answer_next(&[500, 302]);
    ["stubborn", "moved"].iter().for_each(|name| drop(add(name)));
    let letters = world.receiver.wait_for(kind, 13);
    let count = |name: &str| order(&letters, kind).iter().filter(|seen| *seen == name).count();
    assert_eq!((count("stubborn"), count("moved")), (2, 2));
    let newest = || world.page("GET", "/control/state", "").json()["deliveries"][0].clone();
    let deadline = Deadline::after(Duration::from_secs(10));
    while newest()["progress"] != "delivered" {
        assert!(!deadline.left().is_zero(), "{}", newest());
        thread::yield_now();
    }
    assert_eq!((newest()["attempts"].clone(), newest()["last"].clone()), (json!(2), json!("200")));
    world.clock.set(Timestamp::from_seconds(1_790_000_100));
    world.press(&format!("deliveries/{}/send", newest()["id"]), "");
    let letters = world.receiver.wait_for(kind, 14);
    assert!(letters[12].signature.starts_with("t=1790000000,") && letters[13].signature.starts_with("t=1790000100,"));

    let page = world.page("GET", "/", "");
    assert!(page.status == 200 && page.text.contains("customer.created") && page.text.contains("No money moves"));
    let foreign =
        world.send("POST", "/control/webhooks/hold", "", &[("Sec-Fetch-Site", "cross-site")]).expect("a page");
    assert_eq!(foreign.status, 403);
    assert_eq!(world.page("POST", "/control/faults", "kind=rain").status, 400);
}

#[test]
fn events_are_listed_as_reconciliation_asks_for_them() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        world.ok("POST", "/v1/customers", &format!("name={name}"));
    }
    let names = |form: &str| {
        let page = world.ok("GET", "/v1/events", form);
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
    let id = world.sandbox.set_endpoint(&endpoint);
    let listed = world.ok("GET", "/v1/webhook_endpoints", "");
    assert_eq!((listed["data"].as_array().map(Vec::len), &listed["data"][0]["id"]), (Some(1), &json!(id)));
}
