//! Many clients, slow clients, and clients that send more than one request or header too many: none of them holds up
//! another.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::harness::wait::PATIENCE;
use crate::harness::wire;
use crate::harness::{Shop, left_out};

/// Within the 4096 that are served.
const IDLE: usize = 3_000;

fn connect(shop: &Shop) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(shop.till.url.trim_start_matches("http://"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// What comes back until the other side closes.
fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn is_served(shop: &Shop) {
    shop.api.get("/v1/users/alice").must(200);
}

/// Lets these processes have as many open files as a service has, where they have fewer.
fn allow_files(processes: &[u32]) -> Result<(), String> {
    for process in processes {
        let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).map_err(|why| why.to_string())?;
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
        if line.split_whitespace().nth(3).is_some_and(|soft| soft == "unlimited" || soft.parse().is_ok_and(enough)) {
            continue;
        }
        let arguments = ["--pid", &process.to_string(), "--nofile=8192:"];
        let raised = std::process::Command::new("prlimit").args(arguments).status().map_err(|why| why.to_string())?;
        if !raised.success() {
            return Err(format!("process {process} may not open so many files"));
        }
    }
    Ok(())
}

fn enough(files: usize) -> bool {
    files >= 2 * IDLE
}

#[test]
fn thousands_who_say_nothing_keep_nobody_out() {
    let shop = Shop::open();
    shop.user("alice");
    if let Err(why) = allow_files(&[std::process::id(), shop.till.id()]) {
        return left_out(&format!("{IDLE} idle connections: {why}"));
    }
    let idle: Vec<TcpStream> = (0..IDLE).map_while(|_| connect(&shop).ok()).collect();
    assert_eq!(idle.len(), IDLE);
    for _ in 0..20 {
        is_served(&shop);
    }
    drop(idle);
    is_served(&shop);
}

/// Slower than anybody may be, and not slow enough to be dropped for silence.
#[test]
fn a_body_that_trickles_is_cut_off_and_holds_up_nobody() {
    let shop = Shop::open();
    shop.user("alice");
    let slow: Vec<_> = (0..50)
        .map(|number| {
            let mut stream = connect(&shop).unwrap();
            let head = format!(
                "POST /v1/users/alice/spends HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {}\r\n\
                 Content-Type: application/json\r\nIdempotency-Key: slow-{number}\r\nContent-Length: 1000\r\n\r\n",
                shop.token()
            );
            stream.write_all(head.as_bytes()).unwrap();
            thread::spawn(move || {
                let mut sender = stream.try_clone().unwrap();
                let writer = thread::spawn(move || {
                    // One byte now and then, until the other side has had enough.
                    while sender.write_all(b" ").is_ok() {
                        thread::sleep(Duration::from_millis(200));
                    }
                });
                let answer = rest(stream);
                writer.join().unwrap();
                answer
            })
        })
        .collect();
    let mut served = 0;
    while !slow.iter().any(thread::JoinHandle::is_finished) {
        is_served(&shop);
        served += 1;
        thread::sleep(Duration::from_millis(100));
    }
    // The last of them may have waited for the first slow one to end.
    assert!(served > 1, "served {served} times meanwhile");
    for answer in slow {
        let answer = answer.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("did not arrive within 10 s"), "{answer}");
    }
}

#[test]
fn requests_in_one_breath_are_answered_in_their_order() {
    let shop = Shop::open();
    shop.user("alice");
    shop.give("alice", 100);
    let mut requests = String::new();
    for number in 0..50 {
        let body = r#"{"units":1}"#;
        let last = if number == 49 { "Connection: close\r\n" } else { "" };
        requests.push_str(&format!(
            "POST /v1/users/alice/spends HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {}\r\n{last}\
             Content-Type: application/json\r\nIdempotency-Key: breath-{number}\r\nContent-Length: {}\r\n\r\n{body}",
            shop.token(),
            body.len()
        ));
    }
    let answer = String::from_utf8(wire::send(&shop.till.url, requests.as_bytes())).unwrap();
    let balances: Vec<i64> = answer
        .split("\"balance_after\":")
        .skip(1)
        .map(|rest| rest.split(',').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(balances, (50..100).rev().collect::<Vec<i64>>());
    assert_eq!(answer.matches("HTTP/1.1 201 ").count(), 50);
    shop.verify_books();
}

#[test]
fn headers_have_an_end() {
    let shop = Shop::open();
    shop.user("alice");
    let many: String = (0..5_000).map(|number| format!("X-{number}: y\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "y".repeat(300_000));
    let path = format!("/v1/users/{}", "a".repeat(200_000));
    for (what, request) in [
        ("many headers", format!("GET / HTTP/1.1\r\nHost: t\r\n{many}\r\n")),
        ("a long header", format!("GET / HTTP/1.1\r\nHost: t\r\n{long}\r\n")),
        ("a long path", format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n")),
        ("no HTTP", "\u{16}\u{3}\u{1}\u{2}\u{0}".to_owned()),
    ] {
        let answer = wire::send(&shop.till.url, request.as_bytes());
        let answer = String::from_utf8_lossy(&answer[..answer.len().min(200)]).into_owned();
        let refused = ["HTTP/1.1 400 ", "HTTP/1.1 414 ", "HTTP/1.1 431 "].iter().any(|one| answer.starts_with(one));
        assert!(refused || answer.is_empty(), "{what}: {answer}");
        is_served(&shop);
    }
    // A flood that never comes to an end is cut off as well.
    let mut stream = connect(&shop).unwrap();
    let flood = thread::spawn(move || {
        let _served = stream.write_all(b"GET / HTTP/1.1\r\nHost: t\r\n");
        while stream.write_all(b"X-More: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n").is_ok() {}
    });
    flood.join().unwrap();
    is_served(&shop);
}
