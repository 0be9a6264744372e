//! Users over the service API: made, changed in part, shown, listed page by page, in exactly the documented form.

use serde_json::{Value, json};
use till::clock::{parse_rfc3339, rfc3339};

use crate::harness::wire;
use crate::harness::{Client, Shop};

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_user_is_made_once_and_changed_in_part() {
    let shop = Shop::open();
    let rows = [
        (json!({}), 201, Value::Null, Value::Null),
        (json!({}), 200, Value::Null, Value::Null),
        (json!({"email": "A@Example.org"}), 200, json!("A@Example.org"), Value::Null),
        (json!({"name": "Älice Ω"}), 200, json!("A@Example.org"), json!("Älice Ω")),
        (json!({"email": null}), 200, Value::Null, json!("Älice Ω")),
        (json!({"email": null, "name": null}), 200, Value::Null, Value::Null),
        (json!({"email": "b@example.org", "name": "B"}), 200, json!("b@example.org"), json!("B")),
    ];
    for (body, status, email, name) in rows {
        let user = shop.api.call("PUT", "/v1/users/alice", &body).must(status).json();
        assert_eq!((&user["email"], &user["name"]), (&email, &name), "{body}");
        assert_eq!(shop.api.get("/v1/users/alice").must(200).json(), user, "{body}");
    }
    // Without a body and its type, too.
    assert_eq!(shop.api.send("PUT", "/v1/users/bob", &[], b"").must(201).json()["email"], Value::Null);
    assert_eq!(shop.api.get("/v1/users/carol").must(404).code(), "unknown_user");
}

#[test]
fn a_user_and_an_entry_have_exactly_these_fields() {
    let shop = Shop::open();
    shop.user("alice");
    let grant = json!({"units": 3, "note": "n"});
    let entry = shop.api.call_once("/v1/users/alice/grants", "k", &grant).must(201).json();
    let expected = ["balance_after", "created_at", "delta", "id", "kind", "note", "reason", "user_id"];
    assert_eq!(keys(&entry), expected);
    let told = ["kind", "delta", "balance_after", "reason", "note", "user_id"].map(|field| entry[field].clone());
    assert_eq!(told.to_vec(), [json!("grant"), json!(3), json!(3), json!("grant_k"), json!("n"), json!("alice")]);

    let user = shop.api.get("/v1/users/alice").json();
    assert_eq!(keys(&user), ["created_at", "email", "features", "id", "name", "plan", "subscription", "units"]);
    assert_eq!(user["units"], json!({"total": 3, "remaining": 3, "held": 0, "available": 3, "expiring": []}));
    let standing = ["id", "plan", "features", "subscription"].map(|field| user[field].clone());
    assert_eq!(standing.to_vec(), [json!("alice"), json!("free"), json!(["byok"]), Value::Null]);
    assert_eq!(shop.sign_in("alice").get("/v1/me").must(200).json(), user);

    for time in [&user["created_at"], &entry["created_at"]] {
        let time = time.as_str().unwrap();
        assert_eq!((rfc3339(parse_rfc3339(time).unwrap()).as_str(), time.len()), (time, 24));
    }
    let page = shop.api.get("/v1/users/alice/ledger").must(200).json();
    assert_eq!(page, json!({"data": [entry], "next": null}));
}

#[test]
fn ids_and_fields_have_their_limits() {
    let shop = Shop::open();
    let put = |id: &str, body: &Value| shop.api.call("PUT", &format!("/v1/users/{id}"), body);
    let longest = "x".repeat(128);
    for id in ["0", "A-z_0.9:x", "a@b.example", ".a", "a..", &longest] {
        assert_eq!(put(id, &json!({})).must(201).json()["id"], id);
        shop.api.get(&format!("/v1/users/{id}/ledger")).must(200);
    }
    for id in ["a%20b", "%C3%A4", "a%2Fb", "a%00", "a+b", "%FF", "a%0d%0ab", &"x".repeat(129)] {
        assert_eq!(put(id, &json!({})).must(400).code(), "invalid_request", "{id}");
    }
    // A URL library folds these away, so they are sent as they are.
    for dots in [".", "..", "...", "%2E", "%2e%2E", ".%2e"] {
        let headers = [format!("Authorization: Bearer {}", shop.token()), "Content-Length: 0".to_owned()];
        let headers = headers.each_ref().map(String::as_str);
        let made = wire::ask(&shop.till.url, &format!("PUT /v1/users/{dots}"), &headers);
        assert_eq!(made.status, 400, "{dots}: {}", made.head);
        assert!(String::from_utf8_lossy(&made.body).contains("not of dots alone"), "{dots}");
        for more in ["", "/ledger"] {
            let shown = wire::ask(&shop.till.url, &format!("GET /v1/users/{dots}{more}"), &headers);
            assert_eq!(shown.status, 404, "{dots}{more}: {}", shown.head);
        }
    }
    assert_eq!(shop.till(&["user", "add", ".."]).status.code(), Some(2));
    // A user whose id was lost on the way is not all users.
    for path in ["/v1/users/", "/v1/users//", "/v1/users//ledger", "//v1/users", "/v1//users", "/v1/users/alice/"] {
        assert_eq!(shop.api.get(path).must(404).code(), "not_found", "{path}");
        assert_eq!(shop.api.call("PUT", path, &json!({})).must(404).code(), "not_found", "{path}");
    }
    let local = "l".repeat(249);
    let rows = [
        (json!({"email": format!("{local}@a.bc")}), 200),
        (json!({"email": format!("{local}l@a.bc")}), 400),
        (json!({"email": "nobody"}), 400),
        (json!({"email": ""}), 400),
        (json!({"email": "a@b.c\r\nBcc: x@y.z"}), 400),
        (json!({"email": 1}), 400),
        (json!({"name": "Ada 👩\u{200d}👧"}), 200),
        (json!({"name": "ä".repeat(200)}), 200),
        (json!({"name": "ä".repeat(201)}), 400),
        (json!({"name": " "}), 400),
        (json!({"name": "a\u{0}b"}), 400),
        (json!({"name": "Ada\u{202e}nimda"}), 400),
        (json!({"name": "A\u{200b}da"}), 400),
        (json!({"email": "ada@exam\u{ad}ple.org"}), 400),
        (json!({"name": "ok", "email": "wrong"}), 400),
    ];
    put("alice", &json!({})).must(201);
    for (body, status) in rows {
        put("alice", &body).must(status);
    }
    assert_eq!(shop.api.get("/v1/users/alice").json()["name"], "ä".repeat(200), "what is refused changes nothing");
}

/// All rows of a listing, and in how many pages they came.
fn walk(api: &Client, listing: &str) -> (Vec<String>, usize) {
    let (mut rows, mut pages, mut after) = (Vec::new(), 0, String::new());
    loop {
        let page = api.get(&format!("{listing}{after}")).must(200).json();
        pages += 1;
        rows.extend(page["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        assert!(pages < 100, "a listing ends");
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return (rows, pages),
        }
    }
}

#[test]
fn listings_are_walked_to_their_end_without_gap_or_repetition() {
    let shop = Shop::open();
    let ids: Vec<String> = (0..6).map(|number| format!("user_{number}")).collect();
    for (number, id) in ids.iter().enumerate() {
        let email = if number % 2 == 0 { "Even@example.org" } else { "odd@example.org" };
        shop.api.call("PUT", &format!("/v1/users/{id}"), &json!({"email": email})).must(201);
        let grant = json!({"units": 1, "note": "n"});
        shop.api.call_once("/v1/users/user_0/grants", &format!("k{number}"), &grant).must(201);
    }
    for (limit, pages) in [(1, 6), (2, 3), (4, 2), (6, 1), (200, 1)] {
        assert_eq!(walk(&shop.api, &format!("/v1/users?limit={limit}")), (ids.clone(), pages), "{limit}");
        let (entries, found) = walk(&shop.api, &format!("/v1/users/user_0/ledger?limit={limit}"));
        assert_eq!((entries.len(), found), (6, pages), "{limit}: {entries:?}");
    }
    let ledger: Vec<String> = shop.ledger("user_0").into_iter().map(|(reason, ..)| reason).collect();
    assert_eq!(ledger, ["grant_k5", "grant_k4", "grant_k3", "grant_k2", "grant_k1", "grant_k0"], "newest first");
    let even = ["user_0", "user_2", "user_4"].map(str::to_owned).to_vec();
    assert_eq!(walk(&shop.api, "/v1/users?email=EVEN%40example.org&limit=2"), (even, 2));
    assert_eq!(walk(&shop.api, "/v1/users?email=nobody%40example.org"), (vec![], 1));
    // A user's id is where the list goes on; what is none is refused, and so is a field that is there twice.
    assert_eq!(walk(&shop.api, "/v1/users?after=user_3").0, ["user_4", "user_5"]);
    assert_eq!(shop.api.get("/v1/users?after=zzz").must(404).code(), "unknown_user");
    for after in ["", "account/1", "%2F"] {
        assert_eq!(shop.api.get(&format!("/v1/users?after={after}")).must(400).code(), "invalid_request", "{after}");
    }
    for query in ["limit=1&limit=2", "after=user_1&after=user_2", "email=a&email=b"] {
        let refused = shop.api.get(&format!("/v1/users?{query}")).must(400);
        let name = query.split('=').next().unwrap();
        assert!(refused.body.contains(&format!("The field {name} is there twice")), "{}", refused.body);
    }
    let other = shop.api.get("/v1/users/user_0/ledger?limit=1").json()["next"].as_str().unwrap().to_owned();
    assert_eq!(shop.api.get(&format!("/v1/users/user_1/ledger?after={other}")).must(400).code(), "invalid_request");
}
