//! Spends over the service API: once for each key, never more than there is, one user's or a thousand users' at once.

use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::harness::client::Answer;
use crate::harness::{Shop, is_about_sqlite};

const ALICE: &str = "/v1/users/alice/spends";

/// A shop in which alice has so many units.
fn shop(units: i64) -> Shop {
    let shop = Shop::open();
    shop.user("alice");
    shop.give("alice", units);
    shop
}

fn spend(shop: &Shop, key: &str, units: i64) -> Answer {
    shop.api.call_once(ALICE, key, &json!({"units": units}))
}

fn units(shop: &Shop, user: &str) -> Value {
    shop.api.get(&format!("/v1/users/{user}")).must(200).json()["units"].take()
}

#[test]
fn a_spend_is_an_entry_and_is_answered_the_same_for_ever() {
    let shop = shop(100);
    let body = json!({"units": 30, "note": "three pictures"});
    let first = shop.api.call_once(ALICE, "job 7", &body).must(201);
    let entry = first.json();
    for (field, expected) in [
        ("user_id", json!("alice")),
        ("kind", json!("spend")),
        ("delta", json!(-30)),
        ("balance_after", json!(70)),
        ("reason", json!("spend_job 7")),
        ("note", json!("three pictures")),
    ] {
        assert_eq!(entry[field], expected, "{field}");
    }
    spend(&shop, "rest", 70).must(201);
    // Nothing is left, and the first answer is still the first answer.
    let again = |shop: &Shop| {
        let spelt_otherwise = b"{\"note\":\"three pictures\",\"units\": 30}".as_slice();
        let headers = [("content-type", "application/json"), ("idempotency-key", "job 7")];
        for answer in
            [shop.api.call_once(ALICE, "job 7", &body), shop.api.send("POST", ALICE, &headers, spelt_otherwise)]
        {
            let answer = answer.must(201);
            assert_eq!((answer.header("idempotent-replayed"), &answer.body), ("true", &first.body));
        }
    };
    again(&shop);
    let shop = shop.crash_and_restart();
    again(&shop);
    for other in
        [json!({"units": 31, "note": "three pictures"}), json!({"units": 30}), json!({"units": 30, "note": "x"})]
    {
        assert_eq!(shop.api.call_once(ALICE, "job 7", &other).must(422).code(), "idempotency_key_reused", "{other}");
    }
    assert_eq!(units(&shop, "alice"), json!({"total": 100, "remaining": 0, "held": 0, "available": 0, "expiring": []}));
    shop.verify_books();
}

#[test]
fn too_few_units_are_a_402_that_says_where_to_buy_and_is_not_remembered() {
    let shop = shop(5);
    let refused = spend(&shop, "k", 6).must(402);
    assert_eq!(refused.code(), "insufficient_units");
    let problem = refused.json();
    let dashboard = format!("{}/dashboard", shop.till.url);
    assert_eq!((&problem["required"], &problem["available"]), (&json!(6), &json!(5)));
    assert_eq!(problem["topup_url"], json!(dashboard));
    assert_eq!(units(&shop, "alice")["remaining"], json!(5));
    shop.give("alice", 1);
    let paid = spend(&shop, "k", 6).must(201);
    assert_eq!(paid.header("idempotent-replayed"), "");
    assert_eq!(spend(&shop, "k2", 1).must(402).json()["available"], json!(0));
}

#[test]
fn however_many_spend_at_once_units_are_used_once_for_each_key_and_never_more_than_there_are() {
    let shop = shop(50);
    let spent = thread::scope(|scope| {
        // Sixteen callers, each with the same forty keys, for two units each: twenty-five of them fit.
        let call =
            |_| scope.spawn(|| (0..40).map(|key| spend(&shop, &format!("k{key}"), 2).status).collect::<Vec<_>>());
        let callers: Vec<_> = (0..16).map(call).collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(spent.iter().all(|status| matches!(status, 201 | 402)), "{spent:?}");
    assert_eq!(units(&shop, "alice")["remaining"], json!(0));
    let entries = shop.ledger("alice");
    assert_eq!(entries.iter().filter(|(_, delta, _)| *delta == -2).count(), 25);
    shop.verify_books();
}

#[test]
fn the_soonest_expiring_lot_is_used_first() {
    let shop = Shop::open();
    shop.user("alice");
    let give = |key: &str, units: i64, more: Value| {
        let mut body = json!({"units": units, "note": "n"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        shop.api.call_once("/v1/users/alice/grants", key, &body).must(201);
    };
    give("for ever", 10, json!({}));
    give("later", 10, json!({"expires_at": "2999-01-01T00:00:00Z"}));
    give("sooner", 10, json!({"expires_at": "2998-01-01T00:00:00Z"}));
    spend(&shop, "k", 15).must(201);
    shop.verify_books();
    assert_eq!(units(&shop, "alice")["remaining"], json!(15));
}

#[test]
fn a_batch_answers_each_spend_by_itself_in_order() {
    let shop = shop(10);
    shop.user("bob");
    shop.give("bob", 3);
    let row = |user: &str, key: &str, units: i64| json!({"user_id": user, "units": units, "idempotency_key": key});
    let batch = json!({"spends": [
        row("alice", "a", 4), row("bob", "a", 4), row("nobody", "a", 1), row("alice", "b", 6), row("alice", "c", 1),
        row("alice", "a", 4), row("alice", "a", 5), row("bob", "z", 0), row("bob", "", 1), row("bob", "b", 3),
    ]});
    let send = || shop.api.call("POST", "/v1/spends", &batch).must(200).json()["results"].take();
    let results = send();
    let told: Vec<(u64, Option<i64>, Option<&str>, bool)> = results
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let left = row["entry"]["balance_after"].as_i64();
            (row["status"].as_u64().unwrap(), left, row["problem"]["code"].as_str(), row["replayed"].as_bool().unwrap())
        })
        .collect();
    let refused = |status, code| (status, None, Some(code), false);
    assert_eq!(
        told,
        [
            (201, Some(6), None, false),
            refused(402, "insufficient_units"),
            refused(404, "unknown_user"),
            (201, Some(0), None, false),
            refused(402, "insufficient_units"),
            (201, Some(6), None, true),
            refused(422, "idempotency_key_reused"),
            refused(400, "invalid_request"),
            refused(400, "invalid_request"),
            (201, Some(0), None, false),
        ]
    );
    // The single call with the same key and the batch again find the same entry.
    assert_eq!(spend(&shop, "a", 4).must(201).json(), results[0]["entry"]);
    assert_eq!(send()[0]["entry"], results[0]["entry"]);
    shop.verify_books();
}

#[test]
fn a_batch_holds_one_to_a_thousand() {
    let shop = shop(1000);
    let rows = |count: usize| -> Vec<Value> {
        (0..count).map(|n| json!({"user_id": "alice", "units": 1, "note": "é".repeat(500), "idempotency_key": format!("{n:0>255}")})).collect()
    };
    let send = |count: usize| shop.api.call("POST", "/v1/spends", &json!({"spends": rows(count)}));
    for count in [0, 1001] {
        assert_eq!(send(count).must(400).code(), "invalid_request", "{count} rows");
    }
    let mut odd = rows(2);
    odd[1]["unit"] = json!(1);
    let refused = shop.api.call("POST", "/v1/spends", &json!({"spends": odd})).must(400).json();
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.starts_with("The field \"unit\" is not known here: expected were one of `user_id`"), "{detail}");
    let results = send(1000).must(200).json();
    assert!(results["results"].as_array().unwrap().iter().all(|row| row["status"] == 201));
    assert_eq!(units(&shop, "alice")["remaining"], json!(0));
}

#[test]
fn what_a_user_has_is_never_old() {
    const USERS: [&str; 4] = ["a", "b", "c", "d"];
    let shop = Shop::open();
    for user in USERS {
        shop.user(user);
        shop.give(user, 100);
    }
    // What each has left, as far as a spend was acknowledged.
    let told = USERS.map(|_| AtomicI64::new(100));
    let (shop, told) = (&shop, &told);
    thread::scope(|scope| {
        for (user, told) in USERS.iter().zip(told) {
            scope.spawn(move || {
                for left in (0..100).rev() {
                    let path = format!("/v1/users/{user}/spends");
                    shop.api.call_once(&path, &format!("k{left}"), &json!({"units": 1})).must(201);
                    told.store(left, Ordering::SeqCst);
                    // Twice: the second is answered from what the first one read.
                    assert_eq!([shop.remaining(user), shop.remaining(user)], [left, left]);
                }
            });
        }
        // Others read all of them meanwhile, and see nobody's balance go back.
        for _ in 0..4 {
            scope.spawn(move || {
                let mut seen = USERS.map(|_| 100);
                while seen.iter().any(|left| *left > 0) {
                    for ((user, told), seen) in USERS.iter().zip(told).zip(&mut seen) {
                        let most = told.load(Ordering::SeqCst).min(*seen);
                        *seen = shop.remaining(user);
                        assert!(*seen <= most, "{user} has {seen} after {most}");
                    }
                }
            });
        }
    });
    // Nor where a command beside the appliance moved the units, or took the token away.
    assert_eq!(shop.remaining("a"), 0);
    shop.till_prints(&["user", "grant", "a", "7", "--note", "a gift"]);
    assert_eq!(shop.remaining("a"), 7);
    let read = shop.program("read");
    read.get("/v1/users/a").must(200);
    let tokens: Value = serde_json::from_str(&shop.till_prints(&["token", "list", "--json"])).unwrap();
    for token in tokens["data"].as_array().unwrap() {
        shop.till_prints(&["token", "revoke", token["id"].as_str().unwrap()]);
    }
    read.get("/v1/users/a").must(401);
}

#[test]
fn a_user_is_read_again_when_they_have_changed_and_not_when_another_has() {
    if is_about_sqlite("an answer from memory") {
        return;
    }
    let shop = shop(5);
    shop.user("bob");
    let reads = || {
        let metrics = shop.visitor().get("/metrics").must(200).body;
        let count = metrics.lines().find_map(|line| line.strip_prefix("till_users_read_total "));
        count.unwrap().parse::<u64>().unwrap()
    };
    for (what, change, expected) in [
        ("asked for the first time", None, 2),
        ("asked again", None, 0),
        ("alice spends", Some("/v1/users/alice/spends"), 1),
        ("bob is given units", Some("/v1/users/bob/grants"), 1),
        ("bob sets some aside", Some("/v1/users/bob/holds"), 1),
        ("carol becomes known", Some("/v1/users/carol"), 0),
        ("alice may sign in", Some("/v1/users/alice/login-links"), 0),
    ] {
        match change {
            None => {}
            Some(path) if path.ends_with("carol") => drop(shop.api.call("PUT", path, &json!({})).must(201)),
            Some(path) if path.ends_with("links") => drop(shop.api.call("POST", path, &json!({})).must(201)),
            Some(path) if path.ends_with("grants") => {
                drop(shop.api.call_once(path, what, &json!({"units": 1, "note": "a gift"})).must(201));
            }
            Some(path) => drop(shop.api.call_once(path, what, &json!({"units": 1})).must(201)),
        }
        let before = reads();
        for user in ["alice", "bob", "alice", "bob"] {
            shop.remaining(user);
        }
        assert_eq!(reads() - before, expected, "{what}");
    }
    assert_eq!(units(&shop, "bob"), json!({"total": 1, "remaining": 1, "held": 1, "available": 0, "expiring": []}));
}

#[test]
fn a_user_that_has_not_changed_is_not_sent_again() {
    let shop = shop(5);
    let first = shop.api.get("/v1/users/alice").must(200);
    let tag = first.header("etag").to_owned();
    let ask = |tag: &str| shop.api.send("GET", "/v1/users/alice", &[("if-none-match", tag)], b"");
    for same in [&tag, "*", &format!("\"other\", {tag}"), tag.trim_start_matches("W/")] {
        let answer = ask(same).must(304);
        assert_eq!((answer.body.as_str(), answer.header("etag")), ("", tag.as_str()));
    }
    spend(&shop, "k", 1).must(201);
    let second = ask(&tag).must(200);
    assert_ne!(second.header("etag"), tag);
    assert_eq!(second.json()["units"]["remaining"], json!(4));
}
