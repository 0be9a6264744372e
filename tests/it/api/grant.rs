//! Grants over the service API: what moves units once for each key, what is refused, and what becomes of lots and debts.

use std::thread;

use serde_json::{Value, json};
use till::clock::rfc3339;

use crate::harness::client::Answer;
use crate::harness::webhook::now;
use crate::harness::{Shop, eventually};

const ALICE: &str = "/v1/users/alice/grants";

fn grant(shop: &Shop, key: &str, units: i64) -> Answer {
    shop.api.call_once(ALICE, key, &json!({"units": units, "note": "n"}))
}

#[test]
fn the_same_key_and_body_is_answered_the_same_for_ever() {
    let shop = Shop::open();
    shop.user("alice");
    shop.user("bob");
    let first = grant(&shop, "k", 5).must(201);
    assert_eq!(first.header("idempotent-replayed"), "");
    grant(&shop, "later", 1).must(201);
    let spelt_otherwise = b" {\"note\":\"n\", \"units\":5}".as_slice();
    let headers = [("content-type", "application/json; charset=utf-8"), ("idempotency-key", "k")];
    let again = |shop: &Shop| {
        for answer in [grant(shop, "k", 5), shop.api.send("POST", ALICE, &headers, spelt_otherwise)] {
            let answer = answer.must(201);
            assert_eq!((answer.header("idempotent-replayed"), &answer.body), ("true", &first.body));
        }
    };
    again(&shop);
    let shop = shop.crash_and_restart();
    again(&shop);
    for other in [
        json!({"units": 6, "note": "n"}),
        json!({"units": -5, "note": "n"}),
        json!({"units": 5, "note": "N"}),
        json!({"units": 5, "note": "n", "expires_at": "2099-01-01T00:00:00Z"}),
    ] {
        assert_eq!(shop.api.call_once(ALICE, "k", &other).must(422).code(), "idempotency_key_reused", "{other}");
    }
    let bobs = shop.api.call_once("/v1/users/bob/grants", "k", &json!({"units": 7, "note": "n"})).must(201);
    assert_eq!((bobs.header("idempotent-replayed"), shop.remaining("bob"), shop.remaining("alice")), ("", 7, 6));
}

#[test]
fn sixteen_callers_with_one_key_move_units_once() {
    let shop = Shop::open();
    shop.user("alice");
    let answers: Vec<Answer> = thread::scope(|scope| {
        let calls: Vec<_> = (0..16).map(|_| scope.spawn(|| grant(&shop, "k", 5).must(201))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count(), 1);
    assert_eq!(shop.ledger("alice"), [("grant_k".to_owned(), 5, 5)]);
}

#[test]
fn a_key_is_one_header_of_1_to_255_characters() {
    let shop = Shop::open();
    shop.user("alice");
    let (longest, too_long) = ("k".repeat(255), "k".repeat(256));
    let rows: [(&[&str], u16); 9] = [
        (&[], 400),
        (&[""], 400),
        (&[&too_long], 400),
        (&["a", "a"], 400),
        (&["ä"], 400),
        (&[&longest], 201),
        (&["k"], 201),
        (&["with space, \"quotes\" and {braces}"], 201),
        (&["{\"units\":1}"], 201),
    ];
    for (keys, status) in rows {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(keys.iter().map(|key| ("idempotency-key", *key)));
        let answer = shop.api.send("POST", ALICE, &headers, br#"{"units":1,"note":"n"}"#).must(status);
        if status == 400 {
            assert_eq!(answer.code(), "invalid_request");
            assert!(answer.body.contains("Idempotency-Key"), "{}", answer.body);
        }
    }
    assert_eq!(shop.remaining("alice"), 4);
}

#[test]
fn a_grant_that_is_not_one_is_refused_and_moves_nothing() {
    let shop = Shop::open();
    shop.user("alice");
    let with = |field: &str, value: &str| format!(r#"{{"units":1,"note":"n","{field}":{value}}}"#);
    let units = |value: &str| format!(r#"{{"units":{value},"note":"n"}}"#);
    let note = |value: &str| format!(r#"{{"units":1,"note":{value}}}"#);
    let long = format!("\"{}\"", "n".repeat(501));
    let mut rows = vec![
        (r#"{"units":1}"#.to_owned(), "note"),
        (r#"{"note":"n"}"#.to_owned(), "units"),
        (r#"{"units":-1,"note":"n","expires_at":"2099-01-01T00:00:00Z"}"#.to_owned(), "expires_at"),
        (with("expires_at", "\"2020-01-01T00:00:00Z\""), "expires_at"),
        (with("expires_at", "\"soon\""), "expires_at"),
        (with("expires_at", "\"2099-02-30T00:00:00Z\""), "expires_at"),
        (with("expires_at", "\"2099-01-01\""), "expires_at"),
        (with("expires_at", "4070908800"), "integer"),
        (with("colour", "1"), "colour"),
    ];
    rows.extend(
        ["0", "1000000001", "-1000000001", "9223372036854775807", "-9223372036854775808"].map(|n| (units(n), n)),
    );
    rows.extend(["1.0", "1.5", "1e3", "\"1\"", "true", "null", "[1]", "1e400"].map(|n| (units(n), "")));
    rows.extend(["99999999999999999999", "01", "+1"].map(|n| (units(n), "")));
    rows.extend(["\"\"", "\" \"", "\"a\\u0000b\"", &long, "1", "null"].map(|text| (note(text), "")));
    for (body, names) in rows {
        let headers = [("content-type", "application/json"), ("idempotency-key", "k")];
        let answer = shop.api.send("POST", ALICE, &headers, body.as_bytes()).must(400);
        assert_eq!(answer.code(), "invalid_request", "{body}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(names), "{body}: {}", answer.body);
    }
    assert_eq!(shop.ledger("alice"), []);
    assert_eq!(
        shop.api.call_once("/v1/users/bob/grants", "k", &json!({"units": 1, "note": "n"})).must(404).code(),
        "unknown_user"
    );
    // The key is still free.
    grant(&shop, "k", 1_000_000_000).must(201);
    assert_eq!(shop.remaining("alice"), 1_000_000_000);
}

#[test]
fn a_correction_may_leave_a_debt_and_the_next_credit_repays_it() {
    let shop = Shop::open();
    shop.user("alice");
    let rows = [(3, 3, 3), (-5, -2, 3), (-1, -3, 3), (10, 7, 13), (-7, 0, 13), (1, 1, 14)];
    for (number, (units, remaining, total)) in rows.into_iter().enumerate() {
        let entry = grant(&shop, &format!("k{number}"), units).must(201).json();
        assert_eq!((&entry["delta"], &entry["balance_after"]), (&json!(units), &json!(remaining)));
        let expected =
            json!({"total": total, "remaining": remaining, "held": 0, "available": remaining, "expiring": []});
        assert_eq!(shop.api.get("/v1/users/alice").json()["units"], expected, "after {units}");
    }
    let output = shop.till_prints(&["ledger", "verify"]);
    assert!(output.contains("The books hold"), "{output}");
}

#[test]
fn a_lot_that_is_over_leaves_as_an_entry_and_takes_only_what_is_left_of_it() {
    let shop = Shop::open();
    shop.user("alice");
    grant(&shop, "stays", 4).must(201);
    let expires_at = rfc3339(now().plus_seconds(2));
    let body = json!({"units": 5, "note": "for a moment", "expires_at": expires_at});
    let first = shop.api.call_once(ALICE, "short", &body).must(201);
    grant(&shop, "used", -2).must(201);

    let entry = eventually("the end of the lot", || {
        let page = shop.api.get("/v1/users/alice/ledger").must(200).json();
        Some(page["data"][0].clone()).filter(|entry| entry["kind"] == "expiry")
    });

    assert_eq!((&entry["delta"], &entry["balance_after"]), (&json!(-3), &json!(4)), "the soonest was used first");
    assert!(entry["reason"].as_str().unwrap().starts_with("expire_"), "{entry}");
    let user = shop.api.get("/v1/users/alice").json();
    assert_eq!(user["units"], json!({"total": 9, "remaining": 4, "held": 0, "available": 4, "expiring": []}));
    let again = shop.api.call_once(ALICE, "short", &body).must(201);
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &first.body), "its time does not matter");
    assert_eq!(shop.api.call_once(ALICE, "new", &body).must(400).code(), "invalid_request");
    let seen: Vec<Value> = shop.api.get("/v1/users/alice/ledger").json()["data"].as_array().unwrap().clone();
    assert_eq!(seen.iter().filter(|entry| entry["kind"] == "expiry").count(), 1);
}

#[test]
fn a_lot_may_last_to_the_end_of_the_calendar() {
    let shop = Shop::open();
    shop.user("alice");
    for (end, status) in
        [("9999-12-31T23:59:59Z", 201), ("9999-12-31T23:59:59.999Z", 201), ("9999-12-31T23:59:59-00:01", 400)]
    {
        let body = json!({"units": 5, "note": "for ever", "expires_at": end});
        shop.api.call_once(ALICE, end, &body).must(status);
    }
    let user = shop.api.get("/v1/users/alice").must(200).json();
    assert_eq!(user["units"]["expiring"][0]["at"], "9999-12-31T23:59:59.000Z", "{user}");
    let page = shop.sign_in("alice").get("/dashboard/balance").must(200);
    assert!(page.body.contains("31 Dec 9999") && !page.body.contains("1970"), "{}", page.body);
}
