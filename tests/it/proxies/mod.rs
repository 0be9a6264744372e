//! Till behind nginx and Caddy, by the examples in `systemd/`: HTTPS outside, the client's own address, Stripe's raw bytes, slow
//! clients, and connections that have been idle.

pub mod front;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use front::{Front, KINDS, Kind};

use crate::harness::shop::WEBHOOK_SECRET;
use crate::harness::webhook::{event, now, signature};
use crate::harness::{Shop, eventually};

/// A shop behind each proxy that this machine has, by an address and by a Unix socket.
fn shops() -> Vec<(Front, Shop)> {
    KINDS.iter().flat_map(|kind| [by_address(*kind), by_socket(*kind)]).flatten().collect()
}

fn by_address(kind: Kind) -> Option<(Front, Shop)> {
    let shop = Shop::open();
    let front = Front::start(kind, shop.till.url.trim_start_matches("http://"), |example| example)?;
    let origin = front.origin();
    Some((front, shop.crash_and_restart_with(&[("SPRITE_BASE_URL", &origin)])))
}

fn by_socket(kind: Kind) -> Option<(Front, Shop)> {
    let shop = Shop::open();
    let socket = shop.file("till.sock");
    let front = Front::start(kind, &format!("unix:{}", socket.display()), |example| example)?;
    let origin = front.origin();
    let shop = shop.crash_and_restart_at(&socket, &[("SPRITE_BASE_URL", &origin)]);
    shop.till.wait_for_log("the socket", |line| line["listen"] == format!("unix:{}", socket.display()));
    Some((front, shop))
}

#[test]
fn pages_come_by_https_and_each_client_has_its_own_address() {
    for (front, shop) in shops() {
        let kind = front.kind;
        let page = front.ask(2, "/login", &["--compressed"]);
        assert!(page.status == 200 && page.body.contains("</html>"), "{kind:?}: {page:?}");
        if kind == Kind::Nginx {
            let mut plain = Command::new("curl");
            let moved =
                plain.args(["-sS", "-i", "-H", "Host: pay.example.com"]).arg(format!("{}/login", front.plain_origin()));
            let moved = String::from_utf8(moved.output().unwrap().stdout).unwrap();
            assert!(moved.contains("301") && moved.contains("https://pay.example.com/login"), "{moved}");
        }
        // The address is the connection's own, whatever the client says; each has its own share.
        let forged = ["-H", "X-Forwarded-For: 192.0.2.9", "-H", "Forwarded: for=192.0.2.9", "-d", "token=x"];
        let statuses: Vec<u16> = (0..50).map(|_| front.ask(2, "/login", &forged).status).collect();
        assert!(statuses.contains(&429) && statuses[0] == 403, "{kind:?}: {statuses:?}");
        assert_eq!(front.ask(3, "/login", &["-d", "token=x"]).status, 403, "{kind:?}: another client");
        let refused = |client: &str| {
            shop.till.wait_for_log(client, |line| line["event"] == "refused" && line["client"] == client);
        };
        refused("127.0.0.2");
        assert!(!shop.till.log().contains("192.0.2.9"), "{kind:?}: {}", shop.till.log());
    }
}

#[test]
fn stripes_bytes_arrive_as_they_were_signed_and_large_bodies_as_far_as_till_takes_them() {
    for (front, shop) in shops() {
        let kind = front.kind;
        for (number, more) in
            [&[][..], &["-H", "Transfer-Encoding: chunked"], &["-H", "Expect: 100-continue"]].iter().enumerate()
        {
            let event = event("customer.created", &json!({"id": "cus_1", "object": "customer", "name": "Zoë 💶\u{0}"}));
            let body = event.to_string().replace("\",\"", "\" ,\r\n\t \"") + "\r\n\n \t";
            fs::write(front.path("body"), &body).unwrap();
            let signed = format!("Stripe-Signature: {}", signature(WEBHOOK_SECRET, body.as_bytes(), now()));
            let file = format!("@{}", front.path("body").display());
            let send = |more: &[&str]| {
                let own =
                    ["-H", "Content-Type: application/json; charset=utf-8", "-H", &signed, "--data-binary", &file];
                front.ask(2, "/billing/webhook", &[&own, more].concat())
            };
            let taken = send(more);
            assert_eq!((taken.status, taken.body.as_str()), (200, "{\"received\":true}"), "{kind:?} {number}");
            let id = event["id"].as_str().unwrap();
            let shown: Value = serde_json::from_str(&shop.till_prints(&["event", "show", id, "--json"])).unwrap();
            assert_eq!(shown["id"], id, "{kind:?} {number}");
            fs::write(front.path("body"), body.replace("Zoë", "Zoe")).unwrap();
            assert_eq!(send(more).status, 400, "{kind:?} {number}: one byte is another");
        }
        // Three MiB reach till, which says itself what it thinks of them; five do not reach it. (What till refuses unread, Caddy
        // does not measure.)
        let sizes: &[(usize, bool)] = if kind == Kind::Nginx { &[(3, true), (5, false)] } else { &[(3, true)] };
        for (mebibytes, is_tills) in sizes {
            fs::write(front.path("body"), vec![b' '; mebibytes << 20]).unwrap();
            let file = format!("@{}", front.path("body").display());
            let answer = front.ask(2, "/v1/spends", &["-H", "Content-Type: application/json", "--data-binary", &file]);
            let by_till = answer.headers.contains("application/problem+json");
            assert_eq!(by_till, *is_tills, "{kind:?} {mebibytes}: {} {}", answer.status, answer.headers);
            assert!(*is_tills || answer.status == 413, "{kind:?}: {}", answer.status);
        }
    }
}

/// A client that speaks TLS byte by byte.
struct SlowClient {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl SlowClient {
    fn connect(front: &Front) -> SlowClient {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-no_ign_eof", "-connect", &format!("127.0.0.1:{}", front.port)]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        SlowClient { child, input, output }
    }

    fn say(&mut self, text: &str) {
        self.input.write_all(text.as_bytes()).unwrap();
        self.input.flush().unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }
}

impl Drop for SlowClient {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Reads one request and answers it; its first line, and its body.
fn serve(mut stream: TcpStream) -> (String, String) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").unwrap();
    (first, String::from_utf8(body).unwrap())
}

#[test]
fn a_client_that_trickles_its_body_does_not_occupy_till() {
    for kind in KINDS {
        let till = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = till.local_addr().unwrap().to_string();
        let Some(front) = Front::start(kind, &upstream, |example| example) else { continue };
        let mut slow = SlowClient::connect(&front);
        let host = format!("Host: 127.0.0.1:{}\r\n", front.port);
        slow.say(&format!("POST /slow HTTP/1.1\r\n{host}Content-Length: 10\r\nExpect: 100-continue\r\n\r\n"));
        // The proxy wants the body: it has begun to read it.
        assert!(slow.line().contains("100"), "{kind:?}");
        slow.say("01234");
        let quick = std::thread::scope(|scope| {
            let asked = scope.spawn(|| front.ask(2, "/quick", &["-d", "whole"]).status);
            // The first that till sees is the one that is whole.
            let (first, body) = serve(till.accept().unwrap().0);
            assert!(first.starts_with("POST /quick ") && body == "whole", "{kind:?}: {first} {body}");
            asked.join().unwrap()
        });
        assert_eq!(quick, 200, "{kind:?}");
        slow.say("56789");
        let (first, body) = serve(till.accept().unwrap().0);
        assert!(first.starts_with("POST /slow ") && body == "0123456789", "{kind:?}: {first} {body}");
    }
}

/// Connections of others to this port of this machine that are open.
fn connections(port: u16) -> usize {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let remote = format!(":{port:04X}");
    let is_open = |row: &str| {
        let fields: Vec<&str> = row.split_whitespace().collect();
        fields.get(2).is_some_and(|address| address.ends_with(&remote)) && fields.get(3) == Some(&"01")
    };
    table.lines().filter(|row| is_open(row)).count()
}

/// The seconds after these words.
fn seconds(text: &str, words: &str) -> u64 {
    let rest = text.split(words).nth(1).unwrap_or_else(|| panic!("no {words}"));
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

#[test]
fn a_post_never_meets_a_connection_that_was_idle_for_too_long() {
    let tills_own = seconds(include_str!("../../../src/http/patience.rs"), "        idle: Duration::from_secs(");
    for kind in KINDS {
        let words = if kind == Kind::Nginx { "keepalive_timeout " } else { "keepalive " };
        let idle = seconds(kind.example(), words);
        assert!(idle + 10 <= tills_own, "{kind:?} keeps a connection for {idle} s, and till for {tills_own} s");
        let shop = Shop::open();
        shop.user("alice");
        shop.give("alice", 100);
        let upstream = shop.till.url.trim_start_matches("http://");
        let port = upstream.rsplit(':').next().unwrap().parse().unwrap();
        let shorter = |example: String| example.replace(&format!("{words}{idle}s"), &format!("{words}1s"));
        let Some(front) = Front::start(kind, upstream, shorter) else { continue };
        let token = format!("Authorization: Bearer {}", shop.token());
        let spend = |key: &str| {
            let key = format!("Idempotency-Key: {key}");
            let own = ["-H", &token, "-H", &key, "-H", "Content-Type: application/json", "-d", "{\"units\":1}"];
            let answer = front.ask(2, "/v1/users/alice/spends", &own);
            assert_eq!(answer.status, 201, "{kind:?}: {answer:?}");
        };
        // Those of the story itself.
        let own = connections(port);
        (0..5).for_each(|number| spend(&format!("a{number}")));
        assert!(connections(port) <= own + 1, "{kind:?}: a connection is used again");
        eventually("the end of the idle connection", || (connections(port) <= own).then_some(()));
        (0..5).for_each(|number| spend(&format!("b{number}")));
        assert_eq!(shop.remaining("alice"), 90, "{kind:?}");
    }
}
