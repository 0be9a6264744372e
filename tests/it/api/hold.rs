//! Holds over the service API: units are set aside, used in part or whole, given back, or come back by themselves.

use std::thread;

use serde_json::{Value, json};

use crate::harness::client::Answer;
use crate::harness::{Shop, eventually};

fn shop(units: i64) -> Shop {
    let shop = Shop::open();
    shop.user("alice");
    shop.give("alice", units);
    shop
}

fn hold(shop: &Shop, key: &str, body: &Value) -> Answer {
    shop.api.call_once("/v1/users/alice/holds", key, body)
}

/// Holds so many units; the hold's id.
fn held(shop: &Shop, key: &str, units: i64) -> String {
    let hold = hold(shop, key, &json!({"units": units})).must(201).json();
    hold["id"].as_str().unwrap().to_owned()
}

fn close(shop: &Shop, id: &str, how: &str, body: &Value) -> Answer {
    shop.api.call("POST", &format!("/v1/holds/{id}/{how}"), body)
}

fn show(shop: &Shop, id: &str) -> Value {
    shop.api.get(&format!("/v1/holds/{id}")).must(200).json()
}

/// Remaining, held and available units.
fn units(shop: &Shop) -> [i64; 3] {
    let units = shop.api.get("/v1/users/alice").must(200).json()["units"].take();
    ["remaining", "held", "available"].map(|field| units[field].as_i64().unwrap())
}

#[test]
fn what_is_held_cannot_be_spent_and_is_used_in_part() {
    let shop = shop(100);
    let id = held(&shop, "k", 60);
    assert_eq!(units(&shop), [100, 60, 40]);
    let refused = shop.api.call_once("/v1/users/alice/spends", "s", &json!({"units": 41})).must(402);
    assert_eq!(refused.json()["available"], json!(40));
    assert_eq!(hold(&shop, "k2", &json!({"units": 41})).must(402).code(), "insufficient_units");

    let captured = close(&shop, &id, "capture", &json!({"units": 25})).must(200).json();
    assert_eq!(
        (&captured["status"], &captured["captured"], &captured["units"]),
        (&json!("captured"), &json!(25), &json!(60))
    );
    assert_eq!(units(&shop), [75, 0, 75]);
    assert_eq!(shop.ledger("alice")[0], (format!("hold_{id}"), -25, 75));
    shop.verify_books();
}

#[test]
fn the_same_call_again_answers_the_same_and_another_on_a_closed_hold_is_409() {
    let shop = shop(100);
    let (captured, released, whole) = (held(&shop, "a", 10), held(&shop, "b", 10), held(&shop, "c", 10));
    let calls = [
        (&captured, "capture", json!({"units": 4})),
        (&released, "release", json!({})),
        (&whole, "capture", json!({})),
    ];
    let first: Vec<Answer> = calls.iter().map(|(id, how, body)| close(&shop, id, how, body).must(200)).collect();
    let shop = shop.crash_and_restart();
    for ((id, how, body), first) in calls.iter().zip(&first) {
        let again = close(&shop, id, how, body).must(200);
        assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &first.body));
        assert_eq!(first.header("idempotent-replayed"), "");
        assert_eq!(&show(&shop, id), &first.json());
    }
    close(&shop, &whole, "capture", &json!({"units": 10})).must(200);
    for (id, how, body) in [
        (&captured, "capture", json!({"units": 5})),
        (&captured, "capture", json!({})),
        (&captured, "release", json!({})),
        (&released, "capture", json!({})),
        (&whole, "release", json!({})),
    ] {
        assert_eq!(close(&shop, id, how, &body).must(409).code(), "hold_not_open", "{how} {body}");
    }
    assert_eq!(units(&shop), [86, 0, 86]);
    shop.verify_books();
}

#[test]
fn the_first_answer_of_a_hold_is_answered_for_ever() {
    let shop = shop(100);
    let body = json!({"units": 10, "expires_in": 60, "note": "n"});
    let first = hold(&shop, "k", &body).must(201);
    let hold_json = first.json();
    assert_eq!(
        (&hold_json["status"], &hold_json["captured"], &hold_json["user_id"]),
        (&json!("open"), &json!(0), &json!("alice"))
    );
    close(&shop, hold_json["id"].as_str().unwrap(), "capture", &json!({})).must(200);
    let shop = shop.crash_and_restart();
    let again = hold(&shop, "k", &body).must(201);
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &first.body));
    for other in [
        json!({"units": 11, "expires_in": 60, "note": "n"}),
        json!({"units": 10, "note": "n"}),
        json!({"units": 10, "expires_in": 60}),
    ] {
        assert_eq!(hold(&shop, "k", &other).must(422).code(), "idempotency_key_reused", "{other}");
    }
    // What is left out is the default said aloud.
    hold(&shop, "d", &json!({"units": 1})).must(201);
    hold(&shop, "d", &json!({"units": 1, "expires_in": 900, "note": null})).must(201);
    assert_eq!(units(&shop), [90, 1, 89]);
}

#[test]
fn a_hold_ends_by_itself_at_once_and_is_then_swept() {
    let shop = shop(10);
    let short = hold(&shop, "k", &json!({"units": 10, "expires_in": 1})).must(201).json();
    let id = short["id"].as_str().unwrap();
    // Whoever asks first after its time finds the units free, whether or not the sweeper has come by.
    eventually("the hold is over", || (show(&shop, id)["status"] == "expired").then_some(()));
    assert_eq!(units(&shop), [10, 0, 10]);
    for (how, body) in [("capture", json!({})), ("release", json!({}))] {
        assert_eq!(close(&shop, id, how, &body).must(409).code(), "hold_not_open", "{how}");
    }
    shop.api.call_once("/v1/users/alice/spends", "s", &json!({"units": 10})).must(201);
    assert_eq!(units(&shop), [0, 0, 0]);
    shop.verify_books();
}

#[test]
fn the_sweeper_closes_what_nobody_asks_about() {
    let shop = shop(10);
    hold(&shop, "k", &json!({"units": 10, "expires_in": 1})).must(201);
    // The list of users shows what is stored.
    let stored = || shop.api.get("/v1/users").must(200).json()["data"][0]["units"]["held"] == json!(0);
    eventually("the sweeper has closed it", || stored().then_some(()));
    shop.verify_books();
}

#[test]
fn held_units_outlive_their_lot_and_expire_when_they_come_back() {
    let shop = Shop::open();
    shop.user("alice");
    let soon = till::clock::rfc3339(till::clock::Clock::System.now().plus_seconds(2));
    let grant = json!({"units": 10, "note": "n", "expires_at": soon});
    shop.api.call_once("/v1/users/alice/grants", "g", &grant).must(201);
    let (used, back) = (held(&shop, "a", 4), held(&shop, "b", 3));
    eventually("the lot is over", || (units(&shop) == [7, 7, 0]).then_some(()));
    close(&shop, &used, "capture", &json!({"units": 3})).must(200);
    assert_eq!(units(&shop), [3, 3, 0], "what came back of it has expired");
    close(&shop, &back, "release", &json!({})).must(200);
    assert_eq!(units(&shop), [0, 0, 0]);
    let reasons: Vec<String> = shop.ledger("alice").into_iter().map(|(reason, ..)| reason).collect();
    assert_eq!(reasons.iter().filter(|reason| reason.starts_with("expire_")).count(), 3, "{reasons:?}");
    shop.verify_books();
}

#[test]
fn captures_and_releases_at_once_close_a_hold_once() {
    let shop = shop(100);
    for round in 0..5 {
        let id = held(&shop, &format!("k{round}"), 10);
        let statuses: Vec<(usize, u16)> = thread::scope(|scope| {
            let call = |n: usize| {
                let (shop, id) = (&shop, &id);
                scope.spawn(move || (n % 2, close(shop, id, ["capture", "release"][n % 2], &json!({})).status))
            };
            let calls: Vec<_> = (0..8).map(call).collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        let winner = statuses.iter().find(|(_, status)| *status == 200).unwrap().0;
        assert!(statuses.iter().all(|(how, status)| *status == if *how == winner { 200 } else { 409 }), "{statuses:?}");
    }
    assert_eq!(units(&shop)[1], 0);
    shop.verify_books();
}

#[test]
fn a_hold_is_found_by_its_id_and_bounded() {
    let shop = shop(100);
    let id = held(&shop, "k", 10);
    for unknown in ["hld_1_2", "hld_9_1", "hld_01_1", "nonsense", "ent_1_1"] {
        assert_eq!(shop.api.get(&format!("/v1/holds/{unknown}")).must(404).code(), "not_found", "{unknown}");
        assert_eq!(close(&shop, unknown, "capture", &json!({})).must(404).code(), "not_found", "{unknown}");
    }
    for body in
        [json!({"units": 11}), json!({"units": 0}), json!({"units": -1}), json!({"units": 1.5}), json!({"unit": 1})]
    {
        assert_eq!(close(&shop, &id, "capture", &body).must(400).code(), "invalid_request", "{body}");
    }
    let refused = close(&shop, &id, "release", &json!({"units": 1})).must(400).json();
    assert_eq!(refused["detail"], json!("The field \"units\" is not known here: none was expected."));
    for (seconds, status) in [(0, 400), (86_401, 400), (-1, 400), (86_400, 201), (1, 201)] {
        hold(&shop, &format!("s{seconds}"), &json!({"units": 1, "expires_in": seconds})).must(status);
    }
    assert_eq!(show(&shop, &id)["status"], json!("open"));
}
