//! A token of one user's own: that user's balance, history and checkout, and nothing else of anybody.

use serde_json::{Value, json};

use crate::harness::{Client, Shop};

#[test]
fn a_token_of_one_user_sees_and_buys_for_that_user_alone() {
    let shop = Shop::open();
    for user in ["alice", "bob"] {
        shop.user(user);
        shop.give(user, 10);
    }
    let made = shop.till_prints(&["token", "create", "alice's", "--scopes", "self", "--user", "alice", "--json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let own = Client::program(&shop.till.url, made["token"].as_str().unwrap());
    // Twice, because the second is answered from memory.
    for _ in 0..2 {
        assert_eq!(own.get("/v1/users/alice").must(200).json()["units"]["available"], 10);
        assert_eq!(own.get("/v1/users/bob").must(403).code(), "forbidden");
        assert_eq!(own.get("/v1/users/nobody").must(403).code(), "forbidden");
    }
    assert_eq!(own.get("/v1/users/alice/ledger").must(200).json()["data"][0]["delta"], 10);
    own.get("/v1/users/bob/ledger").must(403);
    own.get("/v1/catalog").must(200);
    own.call("POST", "/v1/users/alice/checkout", &json!({"plan": "topup_100"})).must(200);
    own.call("POST", "/v1/users/bob/checkout", &json!({"plan": "topup_100"})).must(403);
    for (method, path, body) in [
        ("GET", "/v1/users", json!({})),
        ("PUT", "/v1/users/alice", json!({})),
        ("POST", "/v1/users/alice/spends", json!({"units": 1})),
        ("POST", "/v1/users/alice/holds", json!({"units": 1})),
        ("POST", "/v1/users/alice/grants", json!({"units": 1, "note": "n"})),
        ("POST", "/v1/users/alice/login-links", json!({})),
        ("POST", "/v1/users/alice/portal", json!({})),
        ("POST", "/v1/spends", json!({"spends": [{"user_id": "alice", "units": 1, "idempotency_key": "k"}]})),
    ] {
        let headers = [("content-type", "application/json"), ("idempotency-key", "k")];
        let answer = own.send(method, path, &headers, body.to_string().as_bytes());
        assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"), "{method} {path}");
    }
    assert_eq!(shop.remaining("alice"), 10);
    let listed: Value = serde_json::from_str(&shop.till_prints(&["token", "list", "--json"])).unwrap();
    let rows = listed["data"].as_array().unwrap();
    let owners: Vec<&Value> = rows.iter().map(|row| &row["user_id"]).collect();
    assert!(owners.contains(&&json!("alice")) && owners.contains(&&Value::Null), "{listed}");
    let unknown = shop.till(&["token", "create", "x", "--scopes", "self", "--user", "carol"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("There is no user \"carol\""));
    shop.till_prints(&["token", "revoke", made["id"].as_str().unwrap()]);
    own.get("/v1/users/alice").must(401);
}
