//! What a caller is told when a request is wrong: the same stable form for programs and the same words for people,
//! whatever is wrong with body, query, path or method.

use serde_json::json;

use crate::harness::client::Answer;
use crate::harness::wire;
use crate::harness::{Client, Shop};

/// A problem as RFC 9457 has it, with our code; its detail.
#[track_caller]
fn problem(answer: &Answer, status: u16, code: &str, what: &str) -> String {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{what}: {}", answer.body);
    let body = answer.json();
    assert_eq!(
        (&body["status"], &body["type"]),
        (&json!(status), &json!(format!("urn:till:problem:{code}"))),
        "{what}"
    );
    let words = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    assert!(words("title").len() > 5 && words("detail").len() > 15, "{what}: {}", answer.body);
    assert!(answer.body.len() < 2_000, "{what}: {} bytes", answer.body.len());
    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    words("detail")
}

#[test]
fn a_body_is_json_of_the_form_that_was_asked_for() {
    let shop = Shop::open();
    shop.user("alice");
    let deep = format!("{{\"plan\":{}1{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let deep_key = format!("{{\"x\":{}{}}}", "{\"a\":".repeat(9_000), "1");
    let long_name = format!("{{\"plan\":\"topup_100\",\"{}\":1}}", "x".repeat(50_000));
    let long_text = format!("\"{}\"", "x".repeat(50_000));
    let many = format!("{{{}\"plan\":1}}", (0..3_000).map(|n| format!("\"x{n}\":1,")).collect::<String>());
    let rows: [(&[u8], &[&str]); 20] = [
        (br#"{"plan":"topup_100","colour":1}"#, &["colour"]),
        (br#"{"colour":1,"plan":"topup_100","size":{"a":2}}"#, &["colour", "size"]),
        (br#"{"colour":1}"#, &["colour"]),
        (br#"{"Plan":"topup_100"}"#, &["Plan"]),
        (br#"{"plan":"topup_100","plan":"topup_250"}"#, &["plan"]),
        (br#"{"plan":null}"#, &["null"]),
        (br#"{"plan":["topup_100"]}"#, &[]),
        (br#"["topup_100"]"#, &[]),
        (br#""topup_100""#, &[]),
        (b"null", &[]),
        (b"", &[]),
        (b"{", &[]),
        (br#"{"plan":"topup_100"} x"#, &[]),
        (br#"{"plan":"topup_100",}"#, &[]),
        (b"{\"plan\":\"topup_\xff\"}", &[]),
        (deep.as_bytes(), &[]),
        (deep_key.as_bytes(), &[]),
        (long_name.as_bytes(), &["xxxx"]),
        (long_text.as_bytes(), &["expected", "line 1"]),
        (many.as_bytes(), &["x0", "x1"]),
    ];
    for (body, names) in rows {
        let kind = [("content-type", "application/json")];
        let answer = shop.api.send("POST", "/v1/users/alice/checkout", &kind, body);
        let what = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let detail = problem(&answer, 400, "invalid_request", &what);
        assert!(names.iter().all(|name| detail.contains(name)), "{what}: {detail}");
    }
}

#[test]
fn a_body_has_a_type_and_a_limit() {
    let shop = Shop::open();
    shop.user("alice");
    let good = br#"{"plan":"topup_100"}"#.as_slice();
    for (kind, status) in [
        ("application/json", 200),
        ("Application/JSON; charset=UTF-8", 200),
        ("", 400),
        ("text/plain", 400),
        ("application/x-www-form-urlencoded", 400),
        ("application/jsonp", 400),
        ("text/html, application/json", 400),
    ] {
        let headers: Vec<(&str, &str)> = if kind.is_empty() { vec![] } else { vec![("content-type", kind)] };
        let answer = shop.api.send("POST", "/v1/users/alice/checkout", &headers, good);
        assert_eq!(answer.status, status, "{kind}: {}", answer.body);
        if status == 400 {
            assert!(problem(&answer, 400, "invalid_request", kind).contains("application/json"), "{kind}");
        }
    }
    let padded = |length: usize| format!("{}{}", " ".repeat(length - good.len()), String::from_utf8_lossy(good));
    for (length, status) in [(64 * 1024, 200), (64 * 1024 + 1, 413), (300 * 1024, 413)] {
        let kind = [("content-type", "application/json")];
        let answer = shop.api.send("POST", "/v1/users/alice/checkout", &kind, padded(length).as_bytes());
        if status == 413 {
            assert!(problem(&answer, 413, "invalid_request", "").contains("65536"), "{}", answer.body);
        }
        answer.must(status);
    }
    let browser = shop.sign_in("alice");
    let long = "x".repeat(20 * 1024);
    let page = browser.post_form("/billing/checkout?plan=topup_100", &[("csrf", &long)]).must(413);
    assert!(page.body.contains("The body is too large"), "{}", page.body);
}

#[test]
fn a_listing_knows_its_query() {
    let shop = Shop::open();
    shop.user("alice");
    for listing in ["/v1/users", "/v1/users/alice/ledger"] {
        for (query, names) in [
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("limit=abc", "limit"),
            ("limit=-1", "limit"),
            ("limit=", "limit"),
            ("limit=1.0", "limit"),
            ("limit=99999999999999999999", "limit"),
            ("page=2", "page"),
            ("Limit=2", "Limit"),
            ("limit=1&colour=red", "colour"),
            ("limit=1&limit=2", "limit"),
        ] {
            let answer = shop.api.get(&format!("{listing}?{query}"));
            let detail = problem(&answer, 400, "invalid_request", query);
            assert!(detail.contains(names), "{query}: {detail}");
        }
        shop.api.get(&format!("{listing}?limit=200&")).must(200);
    }
    for (query, names) in [("after=nonsense", "nonsense"), ("after=ent_1_x", "ent_1_x"), ("email=a%40b.c", "email")] {
        let answer = shop.api.get(&format!("/v1/users/alice/ledger?{query}"));
        assert!(problem(&answer, 400, "invalid_request", query).contains(names), "{}", answer.body);
    }
    let long = format!("/v1/users?{}=1", "x".repeat(10_000));
    problem(&shop.api.get(&long), 400, "invalid_request", "a long field");
}

#[test]
fn people_read_the_same_words_as_programs() {
    let shop = Shop::open();
    shop.user("alice");
    let rows = [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/billing/nothing", 404, "not_found"),
        ("GET", "/assets/till.000000000000.css", 404, "not_found"),
        ("GET", "/assets/%FF", 400, "invalid_request"),
        ("GET", "/%3Cscript%3E", 404, "not_found"),
        ("POST", "/", 405, "invalid_request"),
        ("DELETE", "/dashboard", 405, "invalid_request"),
        ("PUT", "/login", 405, "invalid_request"),
        ("DELETE", "/logout", 405, "invalid_request"),
        ("POST", "/metrics", 405, "invalid_request"),
        ("GET", "/billing/return?session_id=cs_test_1", 401, "unauthenticated"),
        ("POST", "/billing/checkout?plan=topup_100", 401, "unauthenticated"),
    ];
    let (person, program) = (shop.visitor(), Client::new(&shop.till.url, &[("accept", "application/json")]));
    for (method, path, status, code) in rows {
        let what = format!("{method} {path}");
        let (page, json) = (person.send(method, path, &[], b""), program.send(method, path, &[], b""));
        let detail = problem(&json, status, code, &what);
        assert_eq!((page.status, page.header("content-type")), (status, "text/html; charset=utf-8"), "{what}");
        let said = page.body.replace("&#38;", "&").replace("&#34;", "\"").replace("&#39;", "'");
        let title = json.json()["title"].as_str().unwrap().to_owned();
        assert!(said.contains(&detail) && said.contains(&title), "{what}: {detail}\n{}", page.body);
        assert!(!page.body.contains("<script>"), "{what}");
        assert_eq!(json.header("allow").is_empty(), status != 405, "{what}: {}", json.header("allow"));
        assert_eq!(page.header("allow"), json.header("allow"), "{what}");
    }
}

#[test]
fn the_service_api_never_answers_a_page() {
    let shop = Shop::open();
    shop.user("alice");
    let rows = [
        ("GET", "/v1", 404, "not_found"),
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/v1/users/alice/nothing", 404, "not_found"),
        ("GET", "/v1/users/%FF", 400, "invalid_request"),
        ("GET", "/v1/users/a%2Fb", 404, "unknown_user"),
        ("DELETE", "/v1/users/alice", 405, "invalid_request"),
        ("POST", "/v1/users", 405, "invalid_request"),
        ("GET", "/v1/users/alice/grants", 405, "invalid_request"),
        ("POST", "/v1/me", 405, "invalid_request"),
        ("GET", "/billing/webhook", 405, "invalid_request"),
        ("PATCH", "/v1/users", 405, "invalid_request"),
    ];
    let token = shop.program("admin");
    for (method, path, status, code) in rows {
        let answer = token.send(method, path, &[("accept", "text/html")], b"");
        problem(&answer, status, code, &format!("{method} {path}"));
        assert_eq!(answer.header("allow").is_empty(), status != 405, "{method} {path}: {}", answer.header("allow"));
    }
    let long = "x".repeat(10_000);
    problem(&token.get(&format!("/v1/users/{long}")), 404, "unknown_user", "a long id");
    problem(&token.get(&format!("/v1/{long}")), 404, "not_found", "a long path");
}

#[test]
fn head_asks_without_a_body_and_a_path_with_slashes_too_many_is_another() {
    let shop = Shop::open();
    for path in ["/", "/login", "/healthz", "/readyz", "/dashboard", "/nothing", "//login//", "/metrics", "/metrics/"] {
        let get = wire::ask(&shop.till.url, &format!("GET {path}"), &[]);
        let head = wire::ask(&shop.till.url, &format!("HEAD {path}"), &[]);
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        assert!(get.status == 303 || !get.body.is_empty(), "{path}");
    }
    for path in ["/login/", "//login", "/metrics/", "//metrics", "/%6detrics", "/dashboard/", "/healthz/"] {
        assert_eq!(wire::ask(&shop.till.url, &format!("GET {path}"), &[]).status, 404, "{path}");
    }
}

#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
    let shop = Shop::open();
    let length = 300 * 1024;
    for path in ["/v1/users/alice/grants", "/nothing", "/billing/checkout", "/login"] {
        let first =
            format!("POST {path} HTTP/1.1\r\nHost: till\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length));
        let second = "GET /healthz HTTP/1.1\r\nHost: till\r\nConnection: close\r\n\r\n";
        let answers = String::from_utf8(wire::send(&shop.till.url, format!("{first}{second}").as_bytes())).unwrap();
        let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
        assert!(statuses.len() == 2 && statuses[0] >= "400" && statuses[1] == "200", "{path}: {statuses:?}");
    }
}

#[test]
fn a_request_names_one_host() {
    let shop = Shop::open();
    let status = |origin: &str, version: &str, path: &str, hosts: &[&str]| {
        let hosts: String = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
        let sent = format!("GET {path} HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n");
        let answer = String::from_utf8_lossy(&wire::send(origin, sent.as_bytes())).into_owned();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    for (origin, path) in [(&shop.till.url, "/healthz"), (&shop.till.url, "/"), (&shop.stripe.url(), "/sandbox.css")] {
        for good in ["t", "127.0.0.1:8080", "[::1]:80", "pay.example.com"] {
            assert_eq!(status(origin, "1.1", path, &[good]), "200", "{origin}{path} {good}");
        }
        for bad in ["", "a, b", "user@127.0.0.1", "evil.com/x", "[::1", "x:99999"] {
            assert_eq!(status(origin, "1.1", path, &[bad]), "400", "{origin}{path} {bad:?}");
        }
        assert_eq!(status(origin, "1.1", path, &[]), "400");
        assert_eq!(status(origin, "1.1", path, &["t", "t"]), "400");
        assert_eq!(status(origin, "1.0", path, &[]), "200");
        assert_eq!(status(origin, "1.1", &format!("{origin}{path}"), &["t"]), "200");
    }
}
