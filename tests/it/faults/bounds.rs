//! Clients who take more than their share: of connections, of memory, of the log. Each is refused, and another address is
//! served all the while.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use till::clock::Deadline;

use crate::harness::shop::WEBHOOK_SECRET;
use crate::harness::wait::PATIENCE;
use crate::harness::webhook::{event, now, signature};
use crate::harness::{Client, Shop, eventually};

/// Connects from an address of this machine's own network: 127.0.0.2 and so on are clients of their own.
fn connect_from(shop: &Shop, last: u8) -> TcpStream {
    let to: SocketAddr = shop.till.url.trim_start_matches("http://").parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0))).unwrap();
        socket.connect(to).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What comes back until the other side closes.
fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends a request from such an address and reads the answer to its end.
pub fn ask_from(shop: &Shop, last: u8, request: &str) -> String {
    let mut stream = connect_from(shop, last);
    let _refused_already = stream.write_all(request.as_bytes());
    rest(stream)
}

const LOOK: &str = "GET /login HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";

fn is_served(shop: &Shop, last: u8) -> bool {
    ask_from(shop, last, LOOK).starts_with("HTTP/1.1 200 ")
}

#[test]
fn one_address_has_its_share_of_connections() {
    let shop = Shop::open();
    // As many as one may have, and more. What is refused is answered without being asked.
    let silent: Vec<TcpStream> = (0..520).map(|_| connect_from(&shop, 2)).collect();
    let refusal = rest(connect_from(&shop, 2));
    assert!(refusal.starts_with("HTTP/1.1 429 ") && refusal.contains("Retry-After: "), "{refusal}");
    assert!(is_served(&shop, 3));
    assert!(is_served(&shop, 1), "and the proxy, which speaks for many");
    let line = shop.till.wait_for_log("the refusal", |line| line["event"] == "rate_limited");
    assert_eq!((line["what"].as_str(), line["client"].as_str()), (Some("connections"), Some("127.0.0.2")));
    drop(silent);
    eventually("a place again", || is_served(&shop, 2).then_some(()));
}

/// A proxy's clients share its connections, and each has its own bound.
#[test]
fn one_client_of_a_proxy_has_its_share_of_requests() {
    let shop = Shop::open();
    let waiting = |client: &str| {
        let mut stream = connect_from(&shop, 1);
        let head = format!(
            "POST /v1/spends HTTP/1.1\r\nHost: t\r\nConnection: close\r\nX-Forwarded-For: {client}\r\n\
             Authorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n",
            shop.token()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let ask = |client: &str| {
        let request =
            format!("GET /login HTTP/1.1\r\nHost: t\r\nConnection: close\r\nX-Forwarded-For: {client}\r\n\r\n");
        ask_from(&shop, 1, &request).split(' ').nth(1).unwrap_or_default().to_owned()
    };
    // A body is waited for a while only. Those that a loaded machine has let go are followed by others.
    let mut open: Vec<TcpStream> = vec![];
    eventually("a refusal", || {
        open.truncate(0);
        open.extend((0..256).map(|number| waiting(&format!("2001:db8::{number:x}"))));
        let refused = (ask("2001:db8::ffff") == "429").then_some(());
        refused
            .inspect(|()| assert_eq!((ask("2001:db8:0:1::1"), ask("192.0.2.1")), ("200".to_owned(), "200".to_owned())))
    });
    drop(open);
    eventually("a place again", || (ask("2001:db8::ffff") == "200").then_some(()));
}

#[test]
fn one_address_has_its_share_of_memory() {
    let shop = Shop::open();
    let head = format!(
        "POST /billing/webhook HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 1000000\r\n\
         Stripe-Signature: t={},v1={}\r\n\r\n",
        now().seconds(),
        "0".repeat(64)
    );
    let part = vec![b' '; 900_000];
    let open: Vec<TcpStream> = (0..30)
        .map(|_| {
            let mut stream = connect_from(&shop, 2);
            stream.write_all(head.as_bytes()).unwrap();
            let _refused_meanwhile = stream.write_all(&part);
            stream
        })
        .collect();
    let body = event("customer.created", &json!({ "id": "cus_1" })).to_string();
    let genuine = signature(WEBHOOK_SECRET, body.as_bytes(), now());
    let request = format!(
        "POST /billing/webhook HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: {}\r\n\
         Stripe-Signature: {genuine}\r\n\r\n{body}",
        body.len()
    );
    assert!(ask_from(&shop, 3, &request).starts_with("HTTP/1.1 200 "), "another address is served");
    let refused = open.into_iter().map(rest).filter(|answer| answer.starts_with("HTTP/1.1 503 "));
    let refused: Vec<String> = refused.collect();
    assert!(refused.len() >= 5, "of 30, at most 18 fit: {}", refused.len());
    assert!(refused.iter().all(|answer| answer.contains("retry-after: ") && answer.contains("\"unavailable\"")));
    assert!(ask_from(&shop, 2, &request).starts_with("HTTP/1.1 200 "), "what was taken is given back");
}

#[test]
fn a_body_is_not_waited_for_when_its_header_cannot_be_stripes() {
    let shop = Shop::open();
    let digits = "0".repeat(64);
    let now = now().seconds();
    for (what, header) in [
        ("no signature", String::new()),
        ("no time", format!("Stripe-Signature: v1={digits}\r\n")),
        ("no scheme of ours", format!("Stripe-Signature: t={now},v0={digits}\r\n")),
        ("too old", format!("Stripe-Signature: t={},v1={digits}\r\n", now - 400)),
        ("too new", format!("Stripe-Signature: t={},v1={digits}\r\n", now + 400)),
    ] {
        let head = "POST /billing/webhook HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 1000000";
        let answer = ask_from(&shop, 2, &format!("{head}\r\n{header}\r\n"));
        // Of a body that was waited for, the answer says that it did not arrive.
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("Stripe-Signature"), "{what}: {answer}");
        assert!(!answer.contains("did not arrive"), "{what}: {answer}");
    }
}

#[test]
fn what_strangers_send_fills_no_log() {
    let shop = Shop::open();
    let stranger = Client::new(&shop.till.url, &[]);
    let waiting = Deadline::after(Duration::ZERO);
    for _ in 0..300 {
        stranger.send("POST", "/billing/webhook", &[], b"{}").must(400);
    }
    let lines = shop.till.log().lines().filter(|line| line.contains("webhook_rejected")).count();
    // Counted first: on a slow machine more time has passed since, and never less.
    let seconds = usize::try_from(waiting.elapsed().as_secs()).unwrap();
    assert!((1..=seconds + 2).contains(&lines), "{lines} lines in {seconds} s");
    let metrics = stranger.get("/metrics").must(200).body;
    assert!(metrics.contains("till_webhook_rejected_total 300"), "all are counted: {metrics}");
    eventually("a line that counts those left out", || {
        stranger.send("POST", "/billing/webhook", &[], b"{}").must(400);
        let lines = shop.till.log();
        let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        // Refusals of other kinds are counted in lines of their own.
        let mut lines = lines.filter(|line| line["event"] == "webhook_rejected");
        lines.find(|line| line["left_out"].as_u64().is_some_and(|left| left > 0))
    });
}
