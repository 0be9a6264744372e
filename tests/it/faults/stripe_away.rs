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
        let logged = line["error"].as_str().unwrap().to_owned();
        assert_eq!(logged, message.replace("sk_test_stories", "(key)"));
    }
    assert!(!till.log().contains("sk_test_stories"), "the key is in the log");
}

/// Sends a press for this user, and does not wait for its answer.
fn press(shop: &Shop, user: &str) -> TcpStream {
    let mut stream = TcpStream::connect(shop.till.url.trim_start_matches("http://")).unwrap();
    let body = json!({"plan": "topup_100"}).to_string();
    let request = format!(
        "POST /v1/users/{user}/checkout HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        shop.token(),
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Makes these users, with a customer at Stripe, and then Stripe slow.
fn slow_for(shop: &Shop, users: &[String]) {
    for user in users {
        shop.user(user);
        shop.checkout(user, "topup_100");
    }
    let fault = [("path", "/v1/checkout/sessions"), ("method", "POST"), ("kind", "slow:20000"), ("times", "1000")];
    shop.stripe_control("faults", &fault);
}

/// How many presses Stripe was asked about since it is slow.
fn calls_at_stripe(shop: &Shop) -> usize {
    let state = Client::browser(&shop.stripe.url()).get("/control/state").must(200).json();
    let faults = state["faults"].to_string();
    let left = faults.split(" more").next().unwrap().rsplit(", ").next().unwrap();
    1000 - left.parse::<usize>().unwrap_or_else(|_| panic!("{faults}"))
}

/// Waits until so many calls are at Stripe.
fn wait_for_calls(shop: &Shop, calls: usize) {
    eventually(&format!("{calls} calls at Stripe"), || (calls_at_stripe(shop) == calls).then_some(()));
}

fn still_wait(presses: &[TcpStream]) {
    for stream in presses {
        stream.set_nonblocking(true).unwrap();
        let still_waits = stream.peek(&mut [0]).unwrap_err();
        assert_eq!(still_waits.kind(), std::io::ErrorKind::WouldBlock, "a buyer was answered before the others");
    }
}

#[test]
fn a_slow_stripe_holds_up_nobody_who_does_not_need_it() {
    /// As many calls of Stripe as are made at once, and some that wait for a thread.
    const AT_ONCE: usize = 8;
    let shop = Shop::open();
    let buyers: Vec<String> = (0..AT_ONCE + 4).map(|number| format!("buyer_{number}")).collect();
    slow_for(&shop, &buyers);
    let browser = shop.sign_in("buyer_0");
    let presses: Vec<TcpStream> = buyers.iter().map(|buyer| press(&shop, buyer)).collect();
    wait_for_calls(&shop, AT_ONCE);

    browser.get("/dashboard").must(200);
    browser.get("/").must(200);
    let grant = json!({"units": 5, "note": "meanwhile"});
    shop.api.call_once("/v1/users/buyer_0/grants", "grant-1", &grant).must(201);
    shop.user("bob");
    Client::new(&shop.till.url, &[]).get("/readyz").must(200);
    still_wait(&presses);
}

/// However often a buyer presses, and whatever of it waits: one thread, and the others are for others.
#[test]
fn one_buyer_asks_stripe_one_thing_at_a_time() {
    let shop = Shop::open();
    slow_for(&shop, &["alice".to_owned(), "bob".to_owned()]);
    let alices: Vec<TcpStream> = (0..12).map(|_| press(&shop, "alice")).collect();
    wait_for_calls(&shop, 1);
    let bobs = press(&shop, "bob");
    wait_for_calls(&shop, 2);
    still_wait(&alices);
    for mut stream in alices.into_iter().chain([bobs]) {
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 502");
    }
    // The 20 seconds of each began when it came: Stripe is not asked for those that spent them waiting for their turn.
    let calls = calls_at_stripe(&shop);
    assert!(calls < 7, "{calls} calls for 13 presses");
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

/// What is refused, and what the books know, is answered while a checkout of the same buyer waits.
#[test]
fn what_needs_nothing_of_stripe_does_not_wait_for_its_buyers_turn() {
    let shop = Shop::open();
    shop.user("alice");
    let alice = shop.sign_in("alice");
    let back = shop.pay(&shop.press_buy(&alice, "topup_100"), &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    slow_for(&shop, &[]);
    let running = press(&shop, "alice");
    wait_for_calls(&shop, 1);
    assert!(alice.get(back.header("location")).must(200).body.contains("100 pictures added"));

    let more: Vec<TcpStream> = (0..60).map(|_| press(&shop, "alice")).collect();
    let refused = || {
        let mut head = [0; 12];
        let answers = more.iter().filter(|stream| {
            stream.set_nonblocking(true).unwrap();
            let is_answered = stream.peek(&mut head).is_ok_and(|read| read == head.len());
            assert!(!is_answered || head == *b"HTTP/1.1 429", "{}", String::from_utf8_lossy(&head));
            is_answered
        });
        (answers.count() >= 15).then_some(())
    };
    eventually("presses that are refused", refused);
    still_wait(&[running]);
}
