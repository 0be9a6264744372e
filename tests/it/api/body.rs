//! Bodies of the service API that are wrong: refused with a word on what is wrong, before anything moves.

use serde_json::json;

use crate::harness::Shop;
use crate::harness::client::Answer;
use crate::harness::wire;

/// Calls with a body, and a good one for each. The hold is alice's first.
const CALLS: &[(&str, &str, &str)] = &[
    ("PUT", "/v1/users/alice", r#"{"email":"a@example.org","name":"A"}"#),
    ("POST", "/v1/users/alice/spends", r#"{"units":1,"note":"n"}"#),
    ("POST", "/v1/users/alice/holds", r#"{"units":1,"note":"n"}"#),
    ("POST", "/v1/holds/hld_1_1/capture", r#"{"units":1}"#),
    ("POST", "/v1/holds/hld_1_1/release", "{}"),
    ("POST", "/v1/users/alice/grants", r#"{"units":1,"note":"n"}"#),
    ("POST", "/v1/users/alice/login-links", r#"{"return_to":"/dashboard"}"#),
    ("POST", "/v1/users/alice/checkout", r#"{"plan":"topup_100"}"#),
    ("POST", "/v1/spends", r#"{"spends":[{"user_id":"alice","units":1,"idempotency_key":"b"}]}"#),
];

fn shop() -> Shop {
    let shop = Shop::open();
    shop.user("alice");
    shop.give("alice", 100);
    shop.api.call_once("/v1/users/alice/holds", "first", &json!({"units": 10})).must(201);
    shop
}

fn send(shop: &Shop, method: &str, path: &str, kind: Option<&str>, body: &[u8]) -> Answer {
    let mut headers = vec![("idempotency-key", "k")];
    headers.extend(kind.map(|kind| ("content-type", kind)));
    shop.api.send(method, path, &headers, body)
}

/// A problem that says enough; its detail.
#[track_caller]
fn refused(answer: &Answer, status: u16, what: &str) -> String {
    assert_eq!((answer.status, answer.code().as_str()), (status, "invalid_request"), "{what}: {}", answer.body);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.len() > 25 && answer.body.len() < 2_000, "{what}: {}", answer.body);
    detail
}

fn nothing_moved(shop: &Shop) {
    assert_eq!(shop.ledger("alice").len(), 1, "only the gift");
    let units = &shop.api.get("/v1/users/alice").must(200).json()["units"];
    assert_eq!((&units["remaining"], &units["held"]), (&json!(100), &json!(10)));
    shop.verify_books();
}

#[test]
fn no_call_takes_what_is_not_a_json_object_of_its_form() {
    let shop = shop();
    let deep_array = "[".repeat(10_000);
    let deep_object = "{\"a\":".repeat(10_000);
    let deep_field = format!("{{\"units\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let rows: &[(&[u8], &str)] = &[
        (b"null", ""),
        (b"true", ""),
        (b"1", ""),
        (b"\"units\"", ""),
        (b"[]", ""),
        (b"[1, null]", ""),
        (b"[{\"units\":1}]", ""),
        (b"{", ""),
        (b"{\"units\":1", ""),
        (b"{\"units\"", ""),
        (b"{\"units\":1}{\"units\":1}", ""),
        (b"{'units':1}", ""),
        (b"{units:1}", ""),
        (b"{\"units\":1,}", ""),
        (b"// nothing\n{}", ""),
        (b"\xef\xbb\xbf{}", ""),
        (b"\xff\xfe{\x00}\x00", ""),
        (b"\x00", ""),
        (b"{\"note\":\"\xff\"}", ""),
        (b"{\"note\":\"\xed\xa0\x80\"}", ""),
        (b"{\"x\":1}", "\"x\""),
        (b"{\"\":1}", "\"\""),
        (b"{\"\\u0000\":1}", "\\0"),
        (b"{\"__proto__\":{}}", "__proto__"),
        (deep_array.as_bytes(), ""),
        (deep_object.as_bytes(), ""),
        (deep_field.as_bytes(), ""),
    ];
    for (method, path, _) in CALLS {
        for (body, words) in rows {
            let what = format!("{method} {path} {}", String::from_utf8_lossy(&body[..body.len().min(40)]));
            let detail = refused(&send(&shop, method, path, Some("application/json"), body), 400, &what);
            assert!(detail.contains(words), "{what}: {detail}");
        }
    }
    nothing_moved(&shop);
}

#[test]
fn a_field_that_is_there_twice_is_named() {
    let shop = shop();
    for (method, path, good) in CALLS {
        // The first field again, with its value.
        let Some((field, _)) = good.trim_start_matches('{').split_once(':') else { continue };
        let value = good.trim_start_matches('{').trim_end_matches('}');
        let first = value.split(",\"").next().unwrap();
        let body = match path.ends_with("/v1/spends") {
            true => r#"{"spends":[{"user_id":"alice","user_id":"bob","units":1,"idempotency_key":"b"}]}"#.to_owned(),
            false => format!("{{{first},{value}}}"),
        };
        let detail = refused(&send(&shop, method, path, Some("application/json"), body.as_bytes()), 400, &body);
        let name = if path.ends_with("/v1/spends") { "user_id" } else { field.trim_matches('"') };
        assert!(detail.contains(&format!("duplicate field `{name}`")), "{method} {path}: {detail}");
    }
    let twice = r#"{"units":1,"unit\u0073":2}"#;
    let detail = refused(
        &send(&shop, "POST", "/v1/users/alice/spends", Some("application/json"), twice.as_bytes()),
        400,
        "escaped",
    );
    assert!(detail.contains("duplicate field `units`"), "{detail}");
    nothing_moved(&shop);
}

#[test]
fn units_are_whole_numbers_written_as_such() {
    let shop = shop();
    let numbers = [
        "1.0",
        "1e0",
        "1E3",
        "1e3",
        "0.5",
        "-0.0",
        "1e400",
        "-1e400",
        "NaN",
        "Infinity",
        "01",
        "+1",
        "0x10",
        "1_000",
        "\"1\"",
        "true",
        "null",
        "[1]",
        "{\"n\":1}",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "100000000000000000000000000000000000000000",
        "0",
        "1000000001",
        "-1000000001",
        "9223372036854775807",
        "-9223372036854775808",
    ];
    for path in
        ["/v1/users/alice/spends", "/v1/users/alice/holds", "/v1/users/alice/grants", "/v1/holds/hld_1_1/capture"]
    {
        for number in numbers {
            let note = if path.ends_with("capture") { "" } else { ",\"note\":\"n\"" };
            if number == "null" && path.ends_with("capture") {
                continue; // All that is held.
            }
            let body = format!("{{\"units\":{number}{note}}}");
            let what = format!("{path} {body}");
            let detail = refused(&send(&shop, "POST", path, Some("application/json"), body.as_bytes()), 400, &what);
            assert!(detail.contains("units") || detail.contains("line 1"), "{what}: {detail}");
        }
    }
    for number in ["1.0", "1e3", "\"1\"", "9223372036854775808"] {
        let body = format!(r#"{{"spends":[{{"user_id":"alice","units":{number},"idempotency_key":"b"}}]}}"#);
        refused(&send(&shop, "POST", "/v1/spends", Some("application/json"), body.as_bytes()), 400, &body);
    }
    nothing_moved(&shop);
}

#[test]
fn texts_hold_what_people_can_read() {
    let shop = shop();
    let long = "x".repeat(501);
    let rows =
        [r"\ud800", r"\udc00\ud800", r"a\u0000b", r"\u0007", r"\u001b[2J", r"\u0085", "", " ", r"\n", r"\u3000", &long];
    for (path, field) in [
        ("/v1/users/alice/spends", "note"),
        ("/v1/users/alice/holds", "note"),
        ("/v1/users/alice/grants", "note"),
        ("/v1/users/alice", "name"),
        ("/v1/users/alice", "email"),
    ] {
        let (method, rest) = if field == "note" { ("POST", ",\"units\":1") } else { ("PUT", "") };
        for text in rows {
            let body = format!("{{\"{field}\":\"{text}\"{rest}}}");
            let what = format!("{path} {}", &body[..body.len().min(60)]);
            let detail = refused(&send(&shop, method, path, Some("application/json"), body.as_bytes()), 400, &what);
            assert!(detail.contains(field) || detail.contains("surrogate pair"), "{what}: {detail}");
        }
    }
    nothing_moved(&shop);
}

#[test]
fn a_body_has_its_type_its_size_and_its_end() {
    let shop = shop();
    for (method, path, good) in CALLS {
        for kind in
            [None, Some("text/plain"), Some("application/xml"), Some("application/json-patch+json"), Some("json")]
        {
            let detail = refused(&send(&shop, method, path, kind, good.as_bytes()), 400, &format!("{path} {kind:?}"));
            assert!(detail.contains("Content-Type") && detail.contains("application/json"), "{detail}");
        }
        let limit = if *path == "/v1/spends" { 4 * 1024 * 1024 } else { 64 * 1024 };
        let huge = format!("{}{good}", " ".repeat(limit + 1 - good.len()));
        let answer = send(&shop, method, path, Some("application/json"), huge.as_bytes());
        assert!(refused(&answer, 413, path).contains(&limit.to_string()), "{path}: {}", answer.body);

        // Fewer bytes than were announced, and then the end.
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Idempotency-Key: k\r\nContent-Length: {}\r\n\r\n",
            shop.token(),
            good.len() + 10
        );
        let cut = wire::send_and_end(&shop.till.url, format!("{head}{good}").as_bytes());
        let cut = String::from_utf8_lossy(&cut).into_owned();
        assert!(cut.is_empty() || cut.starts_with("HTTP/1.1 400 "), "{path}: {cut}");
    }
    nothing_moved(&shop);
}
