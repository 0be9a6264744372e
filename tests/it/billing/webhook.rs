//! At the door for webhooks: what Stripe signed lately is let in, everything else is refused and leaves no trace.

use serde_json::{Value, json};
use till::clock::Timestamp;
use ureq::http::HeaderValue;

use crate::harness::Shop;
use crate::harness::client::Answer;
use crate::harness::shop::WEBHOOK_SECRET;
use crate::harness::webhook::{event, now, signature};

const MIB: usize = 1024 * 1024;

/// Sends within one second of the clock, so that an age is exact.
fn send_on_time(mut send: impl FnMut(i64) -> Answer) -> Answer {
    loop {
        let second = now().seconds();
        let answer = send(second);
        if now().seconds() == second {
            return answer;
        }
    }
}

/// The signature in hexadecimal, without its time.
fn v1(secret: &str, body: &str, seconds: i64) -> String {
    let header = signature(secret, body.as_bytes(), Timestamp::from_seconds(seconds));
    header.split_once("v1=").unwrap().1.to_owned()
}

fn ids(rows: &[Value]) -> Vec<String> {
    let mut ids: Vec<String> = rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

type Header<'a> = &'a dyn Fn(&str, i64) -> String;

#[test]
fn only_what_stripe_signed_lately_is_taken() {
    let shop = Shop::open_with(&[("SPRITE_STRIPE_WEBHOOK_SECRET", &format!("whsec_old,{WEBHOOK_SECRET}"))]);
    let good = |body: &str, at: i64| format!("t={at},v1={}", v1(WEBHOOK_SECRET, body, at));
    let rows: &[(&str, Header, u16)] = &[
        ("the second secret", &good, 200),
        ("the first secret", &|body, at| format!("t={at},v1={}", v1("whsec_old", body, at)), 200),
        ("several v1", &|b, at| format!("t={at},v1={},v1={}", "a".repeat(64), v1(WEBHOOK_SECRET, b, at)), 200),
        ("v0 beside v1", &|body, at| format!("{},v0={}", good(body, at), "a".repeat(64)), 200),
        ("300 s old", &|body, at| good(body, at - 300), 200),
        ("300 s ahead", &|body, at| good(body, at + 300), 200),
        ("301 s ahead", &|body, at| good(body, at + 301), 400),
        ("an hour ahead", &|body, at| good(body, at + 3_600), 400),
        ("far ahead", &|body, _| good(body, i64::MAX), 400),
        ("301 s old", &|body, at| good(body, at - 301), 400),
        ("v0 only", &|body, at| format!("t={at},v0={}", v1(WEBHOOK_SECRET, body, at)), 400),
        ("two times", &|body, at| format!("t={at},{}", good(body, at)), 400),
        ("another time", &|body, at| good(body, at - 1).replacen(&(at - 1).to_string(), &at.to_string(), 1), 400),
        ("no time", &|body, at| format!("v1={}", v1(WEBHOOK_SECRET, body, at)), 400),
        ("words", &|_, _| "t=now,v1=yes".to_owned(), 400),
        ("an empty header", &|_, _| String::new(), 400),
        ("a huge header", &|body, at| format!("{},v1={}", good(body, at), "a".repeat(5_000)), 400),
        ("another secret", &|body, at| format!("t={at},v1={}", v1("whsec_other", body, at)), 400),
        ("another body", &|body, at| good(&body.replace("customer", "customes"), at), 400),
        ("cut off", &|body, at| good(body, at)[..70].to_owned(), 400),
    ];
    let mut taken = vec![];
    for (what, header, status) in rows {
        let event = event("customer.created", &json!({ "id": "cus_1" }));
        let body = event.to_string();
        let answer = send_on_time(|second| shop.webhook_bytes(body.as_bytes(), &header(&body, second)));
        assert_eq!(answer.status, *status, "{what}: {}", answer.body);
        match status {
            200 => {
                assert_eq!(answer.json(), json!({ "received": true }), "{what}");
                taken.push(event["id"].clone());
            }
            _ => assert_eq!(answer.code(), "invalid_request", "{what}"),
        }
    }
    shop.till.wait_for_log("the clock", |line| line["event"] == "webhook_from_the_future");
    shop.till.wait_for_log("a refusal", |line| line["event"] == "webhook_rejected");
    assert_eq!(ids(&shop.inbox(&[])), taken, "what was refused left no trace");
    assert!(!shop.till.log().contains(WEBHOOK_SECRET));
}

/// Posts with header values as they are, in bytes.
fn post(shop: &Shop, path: &str, body: &str, signatures: &[&[u8]]) -> u16 {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None);
    let mut request = agent.build().new_agent().post(format!("{}{path}", shop.till.url));
    for signature in signatures {
        request = request.header("stripe-signature", HeaderValue::from_bytes(signature).unwrap());
    }
    request.send(body).unwrap().status().as_u16()
}

#[test]
fn the_header_is_one_and_ascii_and_the_path_may_have_slashes_too_many() {
    let shop = Shop::open();
    let body = event("customer.created", &json!({ "id": "cus_1" })).to_string();
    let good = signature(WEBHOOK_SECRET, body.as_bytes(), now());
    let odd = [good.as_bytes(), b",v9=\xff"].concat();
    let rows: &[(&str, &[&[u8]], u16)] = &[
        ("/billing/webhook", &[], 400),
        ("/billing/webhook", &[&odd], 400),
        ("/billing/webhook", &[good.as_bytes(), good.as_bytes()], 400),
        ("/billing/webhook", &[good.as_bytes()], 200),
        ("/billing/webhook/", &[good.as_bytes()], 200),
        ("//billing//webhook", &[good.as_bytes()], 200),
        ("/billing/webhook?from=stripe", &[good.as_bytes()], 200),
        ("/billing/webhooks", &[good.as_bytes()], 404),
    ];
    for (path, signatures, status) in rows {
        assert_eq!(post(&shop, path, &body, signatures), *status, "{path} {}", signatures.len());
    }
    assert_eq!(shop.inbox(&[]).len(), 1);
}

#[test]
fn a_body_that_is_no_event_is_refused_and_nothing_breaks() {
    let mut shop = Shop::open();
    let holding = |more: &str| {
        format!(
            r#"{{"id":"evt_x","type":"customer.created","created":1,"livemode":false,"data":{{"object":{{{more}}}}}}}"#
        )
    };
    let of_length = |length: usize| {
        let bare = holding(r#""a":"""#);
        holding(&format!(r#""a":"{}""#, "x".repeat(length - bare.len()))).into_bytes()
    };
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let rows: &[(&str, Vec<u8>, u16)] = &[
        ("one byte more than 1 MiB", of_length(MIB + 1), 413),
        ("more than 1 MiB", of_length(MIB + 100_000), 413),
        ("no UTF-8", b"\xff\xfe{}".to_vec(), 400),
        ("no UTF-8 in a text", [b"{\"id\":\"evt_\xff\"".as_slice(), &holding("").into_bytes()[13..]].concat(), 400),
        ("a NUL byte", holding("\"a\":\"\0\"").into_bytes(), 400),
        ("nothing but 500,000 levels", deep(500_000).into_bytes(), 400),
        ("nothing", vec![], 400),
        ("no JSON", b"event=evt_1".to_vec(), 400),
        ("half of it", holding("").into_bytes()[..40].to_vec(), 400),
        ("a list", b"[]".to_vec(), 400),
        ("a text", b"\"evt_1\"".to_vec(), 400),
        ("null", b"null".to_vec(), 400),
        ("an object of something else", b"{\"error\":{}}".to_vec(), 400),
        ("no id", holding("").replace("\"id\"", "\"di\"").into_bytes(), 400),
        ("an id of another type", holding("").replace("\"evt_x\"", "7").into_bytes(), 400),
        ("no object", br#"{"id":"evt_y","type":"x","created":1,"data":{"object":null}}"#.to_vec(), 400),
        ("1 MiB", of_length(MIB), 200),
    ];
    for (what, body, status) in rows {
        let answer = shop.webhook_bytes(body, &signature(WEBHOOK_SECRET, body, now()));
        assert_eq!(answer.status, *status, "{what}: {}", answer.body);
        assert!(*status == 200 || answer.code() == "invalid_request", "{what}: {}", answer.body);
    }
    assert!(shop.till.is_alive());
    assert_eq!(ids(&shop.inbox(&[])), ["evt_x"]);
}

/// What a buyer or a bank has typed must not keep money from the books: the odd value is taken, and what was paid is
/// credited.
#[test]
fn a_signed_event_with_odd_values_in_it_is_taken_and_credited() {
    let shop = Shop::open();
    let deep = format!("{}{}", "[{\"a\":".repeat(5_000), "}]".repeat(5_000)).replace(":}", ":1}");
    let rows: &[(&str, String)] = &[
        ("a NUL character", r#""customer_details":{"name":"a\u0000b"}"#.to_owned()),
        ("a NUL character in a key", r#""customer_details":{"na\u0000me":"ab"}"#.to_owned()),
        ("half a surrogate pair", r#""customer_details":{"name":"\ud83d"}"#.to_owned()),
        ("a number beyond 64 bits", r#""custom":18446744073709551616"#.to_owned()),
        ("a number beyond any float", r#""custom":-1e999"#.to_owned()),
        ("10,000 levels", format!(r#""custom":{deep}"#)),
    ];
    for (number, (what, odd)) in rows.iter().enumerate() {
        let user = format!("user_{number}");
        shop.user(&user);
        let body = format!(
            r#"{{"id":"evt_odd_{number}","object":"event","type":"checkout.session.completed","created":1790000000,
                "livemode":false,"data":{{"object":{{"id":"cs_odd_{number}","mode":"payment","status":"complete",
                "payment_status":"paid","payment_intent":"pi_odd_{number}","amount_total":900,"currency":"usd",
                "metadata":{{"user_id":"{user}\u0000","plan":"topup_100"}},{odd}}}}}}}"#
        );
        let answer = shop.webhook_bytes(body.as_bytes(), &signature(WEBHOOK_SECRET, body.as_bytes(), now()));
        assert_eq!((answer.status, shop.remaining(&user)), (200, 100), "{what}: {}", answer.body);
        let shown = shop.till_prints(&["event", "show", &format!("evt_odd_{number}"), "--json"]);
        let shown: Value = serde_json::from_str(&shown).unwrap_or_else(|why| panic!("{what}: {why}"));
        assert_eq!(shown["body"]["data"]["object"]["metadata"]["user_id"], user.as_str(), "{what}");
        assert_ne!(shown["body"]["data"]["object"]["customer_details"]["name"], "a\0b", "{what}");
        shop.till_prints(&["event", "replay", &format!("evt_odd_{number}")]);
    }
    shop.verify_books();

    // A field that is read is not guessed at: the event is kept, and the operator is told.
    let body = r#"{"id":"evt_amount","type":"checkout.session.completed","created":1,"livemode":false,
        "data":{"object":{"id":"cs_amount","mode":"payment","payment_status":"paid","amount_total":1e999}}}"#;
    shop.webhook_bytes(body.as_bytes(), &signature(WEBHOOK_SECRET, body.as_bytes(), now())).must(200);
    let kept = shop.inbox(&["--status", "failed"]);
    assert_eq!(ids(&kept), ["evt_amount"]);
    assert!(kept[0]["detail"].as_str().unwrap().contains("amount_total is not a whole number"), "{}", kept[0]);
}
