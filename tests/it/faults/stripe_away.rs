//! Stripe does not answer, or says no: the user hears so in our words, the operator reads Stripe's in the log, and
//! whoever needs nothing of Stripe notices nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::harness::shop::{GOOD_CARD, token, variables};
use crate::harness::{Client, Folder, Shop, Till, eventually};

/// How long a user waits at most: 20 s, and what a loaded machine adds.
const LONGEST: Duration = Duration::from_secs(25);

/// What Stripe says when asked for a customer, by the user it is for: status, headers, message.
const ANSWERS: &[(&str, &str, &str, &str)] = &[
    ("u_400", "400 Bad Request", "", "Received unknown parameter: SECRET WORDS"),
    ("u_401", "401 Unauthorized", "", "Invalid API Key provided: sk_test_stories SECRET WORDS"),
    ("u_402", "402 Payment Required", "", "SECRET WORDS about a card"),
    ("u_403", "403 Forbidden", "", "SECRET WORDS Having the 'rak_customer_write' permission would help"),
    ("u_429", "429 Too Many Requests", "retry-after: 3600\r\n", "SECRET WORDS slow down"),
    ("u_500", "500 Internal Server Error", "", "SECRET WORDS broken"),
];

/// A Stripe that is out of order, each connection in its own way.
fn start_broken_stripe() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || listener.incoming().for_each(|stream| drop(thread::spawn(|| answer(stream.unwrap())))));
    url
}

fn answer(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        let header = line.to_ascii_lowercase();
        length = header.strip_prefix("content-length:").map_or(length, |value| value.trim().parse().unwrap());
        line.clear();
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let body = String::from_utf8(body).unwrap();
    if body.contains("u_silent") {
        // Nothing, until the caller has given up.
        let _given_up = reader.read_to_end(&mut Vec::new());
        return;
    }
    // "u_gone" is in no row: the connection closes without a word.
    let Some((user, status, headers, message)) = ANSWERS.iter().find(|(user, ..)| body.contains(user)) else { return };
    let said = json!({"error": {"type": "api_error", "message": message}}).to_string();
    let _gone = write!(
        stream,
        "HTTP/1.1 {status}\r\n{headers}request-id: req_{user}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{said}",
        said.len()
    );
}

#[test]
fn the_user_hears_our_words_in_time_and_the_log_has_stripes() {
    let folder = Folder::new();
    let variables = variables(&folder, &start_broken_stripe());
    let till = Till::start(&variables);
    let api = Client::program(&till.url, &token(&variables, "admin")).waiting_at_most(LONGEST);
    let check = |user: &str, code: &str, words: &str| {
        api.call("PUT", &format!("/v1/users/{user}"), &json!({})).must(201);
        let answer = api.call("POST", &format!("/v1/users/{user}/checkout"), &json!({"plan": "topup_100"})).must(502);
        assert_eq!(answer.code(), code, "{user}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(words), "{user}: {detail}");
        assert!(!answer.body.contains("SECRET WORDS") && !answer.body.contains("sk_test"), "{user}: {}", answer.body);
    };
    let away = ("stripe_unavailable", "Try again in a minute");
    let key = ("stripe_rejected", "`till check` shows what is missing");
    let no = ("stripe_rejected", "the reason is in its log");
    let rows = [
        ("u_400", no),
        ("u_401", key),
        ("u_402", no),
        ("u_403", key),
        ("u_429", away),
        ("u_500", away),
        ("u_gone", away),
        ("u_silent", away),
    ];
    thread::scope(|scope| rows.iter().for_each(|(user, (code, words))| drop(scope.spawn(|| check(user, code, words)))));

    for (user, status, _, message) in ANSWERS {
        let line = till.wait_for_log(user, |line| line["request_id"] == format!("req_{user}"));
        assert_eq!(line["status"], status[..3].parse::<u16>().unwrap(), "{line}");
        let logged = line["message"].as_str().unwrap().to_owned();
        assert_eq!(logged, message.replace("sk_test_stories", "(key)"));
    }
    assert!(!till.log().contains("sk_test_stories"), "the key is in the log");
}

#[test]
fn a_slow_stripe_holds_up_nobody_who_does_not_need_it() {
    /// As many calls of Stripe as are made at once, and some that wait for their turn.
    const BUYERS: usize = 12;
    const AT_ONCE: usize = 8;
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    // The customer is made before Stripe becomes slow.
    shop.press_buy(&browser, "topup_100");
    let fault = [("path", "/v1/checkout/sessions"), ("method", "POST"), ("kind", "slow:20000"), ("times", "1000")];
    shop.stripe_control("faults", &fault);
    let address = shop.till.url.trim_start_matches("http://").to_owned();
    let token = shop.till_prints(&["token", "create", "buyers", "--scopes", "admin", "--json"]);
    let token: serde_json::Value = serde_json::from_str(&token).unwrap();
    let body = json!({"plan": "topup_100"}).to_string();
    let buyers: Vec<TcpStream> = (0..BUYERS)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).unwrap();
            let request = format!(
                "POST /v1/users/alice/checkout HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                token["token"].as_str().unwrap(),
                body.len()
            );
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    let at_stripe = format!(", {} more", 1000 - AT_ONCE);
    eventually("every thread for Stripe busy", || {
        let state = Client::browser(&shop.stripe.url()).get("/control/state").must(200).json();
        state["faults"].to_string().contains(&at_stripe).then_some(())
    });

    browser.get("/dashboard").must(200);
    browser.get("/").must(200);
    let grant = json!({"units": 5, "note": "meanwhile"});
    shop.api.call_once("/v1/users/alice/grants", "grant-1", &grant).must(201);
    shop.user("bob");
    Client::new(&shop.till.url, &[]).get("/readyz").must(200);

    for stream in &buyers {
        stream.set_nonblocking(true).unwrap();
        let still_waits = stream.peek(&mut [0]).unwrap_err();
        assert_eq!(still_waits.kind(), std::io::ErrorKind::WouldBlock, "a buyer was answered before the others");
    }
}

#[test]
fn a_buyer_who_comes_back_while_stripe_is_away_is_told_that_the_payment_is_safe_and_it_is() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let checkout = shop.press_buy(&browser, "topup_100");
    shop.stripe_control("webhooks/hold", &[]);
    let back = shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    let back = back.header("location").to_owned();
    let fault = [("path", "/v1/checkout/sessions"), ("kind", "close"), ("times", "1000")];
    shop.stripe_control("faults", &fault);

    let page = browser.get(&back).must(200);
    assert!(page.body.contains("Your payment is safe"), "{}", page.body);
    assert!(page.body.contains("No need to pay again"), "{}", page.body);
    assert_eq!(shop.remaining("alice"), 0);

    shop.stripe_control("webhooks/release", &[]);
    shop.wait_for_units("alice", 100);
    // Known by now: Stripe is not asked again.
    let page = browser.get(&back).must(200);
    assert!(page.body.contains("100 pictures added"), "{}", page.body);
    assert_eq!(shop.ledger("alice").len(), 1);
}
