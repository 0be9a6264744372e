//! The stop: what is under way is finished, nothing new is begun, and nobody who asks nothing holds it up.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use serde_json::json;
use till::clock::Deadline;

use crate::harness::{Client, Shop, Till, eventually};

/// Ends it, and what its log says of the end.
fn stop(till: &mut Till) -> String {
    till.ask_to_stop();
    let status = till.wait_for_end();
    assert!(status.success(), "{status}: {}", till.log());
    till.wait_for_log("the end", |line| line["event"] == "stopped");
    let log = till.log();
    for late in ["stopped_with_requests_under_way", "worker_not_finished", "books_still_in_use"] {
        assert!(!log.contains(late), "{late}:\n{log}");
    }
    log
}

#[test]
fn a_request_under_way_is_answered_and_no_further_one_is_taken() {
    let mut shop = Shop::open();
    shop.user("alice");
    let fault = [("path", "/v1/checkout/sessions"), ("method", "POST"), ("kind", "slow:1500")];
    shop.stripe_control("faults", &fault);
    let address = shop.till.url.trim_start_matches("http://").to_owned();
    thread::scope(|scope| {
        let buyer = scope.spawn(|| shop.api.call("POST", "/v1/users/alice/checkout", &json!({"plan": "topup_100"})));
        eventually("the call at Stripe", || no_fault_waits(&shop).then_some(()));
        shop.till.ask_to_stop();
        eventually("a door that is shut", || TcpStream::connect(&address).is_err().then_some(()));
        // Twice does no harm.
        shop.till.ask_to_stop();
        let checkout = buyer.join().unwrap().must(200).json();
        assert!(checkout["checkout_url"].as_str().unwrap().starts_with(&shop.stripe.url()), "{checkout}");
    });
    let status = shop.till.wait_for_end();
    assert!(status.success(), "{status}: {}", shop.till.log());
    assert!(!shop.till.log().contains("stopped_with_requests_under_way"), "{}", shop.till.log());
    shop.till_prints(&["ledger", "verify"]);
    let left: Vec<_> = ["-wal", "-shm"].iter().filter(|end| shop.file(&format!("till.db{end}")).exists()).collect();
    assert!(left.is_empty(), "{left:?} were left behind");
}

fn no_fault_waits(shop: &Shop) -> bool {
    let state = Client::browser(&shop.stripe.url()).get("/control/state").must(200).json();
    state["faults"].as_array().unwrap().is_empty()
}

#[test]
fn connections_that_ask_nothing_do_not_hold_the_stop_up() {
    let mut shop = Shop::open();
    let address = shop.till.url.trim_start_matches("http://").to_owned();
    let connect = || TcpStream::connect(&address).unwrap();
    let silent = connect();
    let mut half_sent = connect();
    half_sent.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n").unwrap();
    let mut kept_alive = connect();
    kept_alive.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    kept_alive.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    let mut unread = connect();
    unread.write_all("GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(50).as_bytes()).unwrap();

    stop(&mut shop.till);

    drop((silent, half_sent, kept_alive, unread));
}

#[test]
fn it_starts_and_stops_quickly_and_is_small_in_memory() {
    let started = Deadline::after(std::time::Duration::ZERO);
    let mut shop = Shop::open();
    let ready = started.elapsed();
    shop.user("alice");
    let status = fs::read_to_string(format!("/proc/{}/status", shop.till.id())).unwrap();
    let resident = status.lines().find(|line| line.starts_with("VmRSS")).unwrap().split_whitespace();
    let resident: u64 = resident.filter_map(|word| word.parse().ok()).next().unwrap();
    let stopping = Deadline::after(std::time::Duration::ZERO);
    stop(&mut shop.till);
    let words = format!(
        "measured: shop open in {} ms (two processes of till), stopped in {} ms, {} KiB resident",
        ready.as_millis(),
        stopping.elapsed().as_millis(),
        resident
    );
    println!("{words}");
}
