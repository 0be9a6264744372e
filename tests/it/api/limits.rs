//! Calls at the limits of the contract's section 4, by two users at once: each limit is where it should be, and neither
//! user's calls touch the other's units.

use std::thread;

use serde_json::{Value, json};

use crate::harness::Shop;

const MOST: i64 = 1_000_000_000;

/// Method, path, key, body, status: what one user asks. `{u}` is their id.
type Row = (&'static str, &'static str, Option<String>, Value, u16);

fn moves() -> Vec<Row> {
    let key = |length: usize| Some("k".repeat(length));
    let named = |name: &str| Some(name.to_owned());
    let note = |length: usize| "ä".repeat(length);
    vec![
        ("POST", "/v1/users/{u}/grants", named("g1"), json!({"units": MOST, "note": note(500)}), 201),
        ("POST", "/v1/users/{u}/grants", named("g2"), json!({"units": MOST, "note": "n"}), 201),
        ("POST", "/v1/users/{u}/grants", named("g3"), json!({"units": MOST + 1, "note": "n"}), 400),
        ("POST", "/v1/users/{u}/grants", named("g4"), json!({"units": 0, "note": "n"}), 400),
        ("POST", "/v1/users/{u}/grants", named("g5"), json!({"units": -1, "note": note(501)}), 400),
        ("POST", "/v1/users/{u}/grants", named("g6"), json!({"units": -1, "note": "n"}), 201),
        ("POST", "/v1/users/{u}/grants", named("g7"), json!({"units": -MOST - 1, "note": "n"}), 400),
        ("POST", "/v1/users/{u}/spends", named("s1"), json!({"units": MOST}), 201),
        ("POST", "/v1/users/{u}/spends", named("s2"), json!({"units": MOST + 1}), 400),
        ("POST", "/v1/users/{u}/spends", named("s3"), json!({"units": MOST}), 402),
        ("POST", "/v1/users/{u}/spends", key(255), json!({"units": 1, "note": note(500)}), 201),
        ("POST", "/v1/users/{u}/spends", key(1), json!({"units": 1, "note": note(1)}), 201),
        ("POST", "/v1/users/{u}/spends", key(256), json!({"units": 1}), 400),
        ("POST", "/v1/users/{u}/spends", None, json!({"units": 1}), 400),
        ("POST", "/v1/users/{u}/spends", named("s4"), json!({"units": 1, "note": note(501)}), 400),
        ("POST", "/v1/users/{u}/holds", key(255), json!({"units": 1, "expires_in": 86_400, "note": note(500)}), 201),
        ("POST", "/v1/users/{u}/holds", key(256), json!({"units": 1}), 400),
        ("POST", "/v1/users/{u}/holds", named("h1"), json!({"units": 1, "expires_in": 0}), 400),
        ("POST", "/v1/users/{u}/holds", named("h2"), json!({"units": 1, "expires_in": 86_401}), 400),
        ("POST", "/v1/users/{u}/holds", named("h3"), json!({"units": MOST}), 402),
        ("POST", "/v1/users/{u}/holds", named("h4"), json!({"units": MOST + 1}), 400),
        ("PUT", "/v1/users/{u}", None, json!({"name": note(200), "email": format!("{}@x.io", "a".repeat(249))}), 200),
        ("PUT", "/v1/users/{u}", None, json!({"name": note(201)}), 400),
        ("PUT", "/v1/users/{u}", None, json!({"email": format!("{}@x", "a".repeat(253))}), 400),
        ("PUT", "/v1/users/{u}", None, json!({"low_balance": MOST}), 200),
        ("PUT", "/v1/users/{u}", None, json!({"low_balance": MOST + 1}), 400),
        ("POST", "/v1/users/{u}/login-links", None, json!({"return_to": format!("/{}", "a".repeat(1900))}), 201),
        ("POST", "/v1/users/{u}/login-links", None, json!({"return_to": format!("/{}", "a".repeat(2000))}), 400),
        ("POST", "/v1/users/{u}/checkout", None, json!({"plan": "topup_250"}), 200),
        ("POST", "/v1/users/{u}/checkout", None, json!({"plan": "x".repeat(60_000)}), 404),
        ("GET", "/v1/users?limit=1", None, json!(null), 200),
        ("GET", "/v1/users?limit=200&after={u}", None, json!(null), 200),
        ("GET", "/v1/users?limit=201", None, json!(null), 400),
        ("GET", "/v1/users/{u}/ledger?limit=1", None, json!(null), 200),
        ("GET", "/v1/users/{u}/ledger?limit=0", None, json!(null), 400),
    ]
}

/// All of it, one user's calls between the other's; then each of them again.
fn ask_all(shop: &Shop, user: &str) {
    for again in [false, true] {
        for (method, path, key, body, status) in moves() {
            let path = path.replace("{u}", user);
            let mut headers = vec![("content-type", "application/json")];
            headers.extend(key.as_deref().map(|key| ("idempotency-key", key)));
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let answer = shop.api.send(method, &path, &headers, body.as_bytes());
            let what = format!("{method} {path} {}", &body.chars().take(60).collect::<String>());
            assert_eq!(answer.status, status, "{what}: {}", answer.body);
            if status >= 400 {
                answer.code();
            }
            let moves = key.is_some() && status < 400;
            assert_eq!(answer.header("idempotent-replayed") == "true", again && moves, "{what}");
        }
    }
}

#[test]
fn each_limit_is_where_it_is_for_two_users_at_once() {
    let shop = Shop::open();
    let (long, short) = ("a".repeat(128), "b".to_owned());
    for user in [&long, &short] {
        shop.user(user);
    }
    for id in ["a".repeat(129), "a%20b".to_owned(), "a%2Fb".to_owned(), "%C3%A4".to_owned(), "a%00".to_owned()] {
        shop.api.call("PUT", &format!("/v1/users/{id}"), &json!({})).must(400);
    }
    shop.user("A-Za-z0-9._:@-");
    thread::scope(|scope| {
        for user in [&long, &short] {
            scope.spawn(|| ask_all(&shop, user));
        }
    });
    for user in [&long, &short] {
        let units = &shop.api.get(&format!("/v1/users/{user}")).must(200).json()["units"];
        let left = MOST - 3;
        let expected = json!({"total": 2 * MOST, "remaining": left, "held": 1, "available": left - 1, "expiring": []});
        assert_eq!(units, &expected, "{user}");
        let reasons: Vec<String> = shop.ledger(user).into_iter().map(|(reason, ..)| reason).collect();
        assert_eq!(reasons.len(), 6, "{reasons:?}");
    }
    shop.verify_books();
}

#[test]
fn a_batch_has_its_limits_and_each_row_its_own_result() {
    let shop = Shop::open();
    for user in ["alice", "bob"] {
        shop.user(user);
        shop.give(user, 1_000);
    }
    let row = |number: usize| {
        let user = ["alice", "bob"][number % 2];
        json!({"user_id": user, "units": 1, "idempotency_key": format!("row-{number}")})
    };
    let batch = |rows: Vec<Value>| shop.api.call("POST", "/v1/spends", &json!({ "spends": rows }));
    for count in [0, 1_001] {
        assert_eq!(batch((0..count).map(row).collect()).must(400).code(), "invalid_request", "{count}");
    }
    // The same thousand from two callers at once: each row is made once.
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let answer = batch((0..1_000).map(row).collect()).must(200).json();
                assert!(answer["results"].as_array().unwrap().iter().all(|result| result["status"] == 201));
            });
        }
    });
    for user in ["alice", "bob"] {
        assert_eq!(shop.remaining(user), 500, "{user}");
    }
    let wrong = |field: &str, value: Value| {
        let mut row = row(5_000);
        row[field] = value;
        row
    };
    let rows = [
        (wrong("units", json!(0)), 400),
        (wrong("units", json!(MOST + 1)), 400),
        (wrong("units", json!(MOST)), 402),
        (wrong("user_id", json!("nobody")), 404),
        (wrong("user_id", json!("not an id")), 404),
        (wrong("idempotency_key", json!("")), 400),
        (wrong("idempotency_key", json!("k".repeat(256))), 400),
        (wrong("idempotency_key", json!("ä")), 400),
        (wrong("idempotency_key", json!("k".repeat(255))), 201),
        (wrong("note", json!("x".repeat(501))), 400),
        (json!({"user_id": "bob", "units": 2, "idempotency_key": "row-1"}), 422),
        (json!({"user_id": "alice", "units": 2, "idempotency_key": "row-1"}), 201),
    ];
    let answer = batch(rows.iter().map(|(row, _)| row.clone()).collect()).must(200).json();
    for (result, (row, status)) in answer["results"].as_array().unwrap().iter().zip(&rows) {
        assert_eq!(result["status"], json!(status), "{row}: {result}");
        let said = if *status == 201 { &result["entry"]["id"] } else { &result["problem"]["code"] };
        assert!(said.is_string(), "{row}: {result}");
    }
    shop.verify_books();
}
