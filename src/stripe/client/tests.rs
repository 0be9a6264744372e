//! The client against a scripted HTTP server: what it sends, what it sends again, when it gives up.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::json;

use super::*;
use crate::clock::Timestamp;
use crate::stripe::EventEnvelope;
use crate::stripe::calls::{EventFilter, ListQuery};

const MINUTE: Duration = Duration::from_secs(60);

/// What the server does with one connection.
enum Step {
    Answer(u16, &'static str, String),
    BreakOff,
    Close,
    Silence,
}

fn ok(body: Value) -> Step {
    Step::Answer(200, "", body.to_string())
}

/// An answer with more headers, each including its line end.
fn no(status: u16, headers: &'static str, body: &str) -> Step {
    Step::Answer(status, headers, body.to_owned())
}

/// One request as it arrived.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }
}

struct Server {
    address: SocketAddr,
    requests: Receiver<Request>,
    /// While this exists, connections without an answer stay open.
    _open: Sender<()>,
}

impl Server {
    /// Serves one connection per step, then stops.
    fn start(script: Vec<Step>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = channel();
        let (open, closed) = channel();
        thread::spawn(move || serve(&listener, script, &sender, &closed));
        Server { address, requests, _open: open }
    }

    fn stripe(&self) -> Stripe {
        let mut options = StripeOptions::new(Secret::new("sk_test_1"), format!("http://{}", self.address));
        options.backoff.first_wait = Duration::from_millis(2);
        Stripe::new(options).unwrap()
    }

    /// The requests so far. No more will arrive, since the client has returned.
    fn arrived(&self) -> Vec<Request> {
        self.requests.try_iter().collect()
    }
}

fn serve(listener: &TcpListener, script: Vec<Step>, sender: &Sender<Request>, closed: &Receiver<()>) {
    let mut unanswered = Vec::new();
    for step in script {
        let (mut stream, _) = listener.accept().unwrap();
        sender.send(read_request(&stream)).ok();
        let written = match step {
            Step::Answer(status, headers, body) => {
                let length = body.len();
                write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nConnection: close\r\nRequest-Id: req_1\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
                )
            }
            Step::BreakOff => write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{{\"id\":"),
            Step::Close => Ok(()),
            Step::Silence => {
                unanswered.push(stream);
                Ok(())
            }
        };
        written.ok();
    }
    if !unanswered.is_empty() {
        closed.recv().ok();
    }
}

fn read_request(stream: &TcpStream) -> Request {
    let mut lines = BufReader::new(stream);
    let mut next = || {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let line = next();
    let pair = |line: String| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    let headers = std::iter::from_fn(|| Some(next()).filter(|line| !line.is_empty())).map(pair).collect();
    let mut request = Request { line, headers, body: String::new() };
    let length = request.header("content-length").parse().unwrap_or(0);
    lines.take(length).read_to_string(&mut request.body).unwrap();
    request
}

fn post(server: &Server, deadline: Deadline) -> Result<Value, StripeError> {
    server.stripe().post("/v1/customers", "email=a%40example.org", "key-1", deadline)
}

#[test]
fn a_request_says_who_asks_and_in_which_version() {
    let server = Server::start(vec![ok(json!({"id": "cus_1"})), ok(json!({"id": "cs_1"}))]);
    post(&server, Deadline::after(MINUTE)).unwrap();
    server.stripe().checkout_session("cs_1", Deadline::after(MINUTE)).unwrap();

    let requests = server.arrived();
    for request in &requests {
        assert_eq!(request.header("authorization"), "Bearer sk_test_1");
        assert_eq!(request.header("stripe-version"), API_VERSION);
        assert_eq!(request.header("user-agent"), concat!("till/", env!("CARGO_PKG_VERSION")));
    }
    assert_eq!(requests[0].line, "POST /v1/customers HTTP/1.1");
    assert_eq!(requests[0].header("idempotency-key"), "key-1");
    assert_eq!(requests[0].header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(requests[0].body, "email=a%40example.org");
    assert_eq!(requests[1].line, "GET /v1/checkout/sessions/cs_1?expand%5B%5D=line_items HTTP/1.1");
    assert_eq!(requests[1].header("idempotency-key"), "");
}

#[test]
fn what_may_heal_is_sent_again_unchanged() {
    let troubles: [fn() -> Step; 8] = [
        || Step::Close,
        || Step::BreakOff,
        || no(409, "", r#"{"error":{"code":"idempotency_key_in_use"}}"#),
        || no(429, "", r#"{"error":{"code":"lock_timeout"}}"#),
        || no(500, "", "<html>"),
        || no(503, "Retry-After: 0\r\n", "{}"),
        || no(400, "Stripe-Should-Retry: true\r\n", "{}"),
        || no(200, "", "<html>a proxy's page</html>"),
    ];
    for (row, trouble) in troubles.iter().enumerate() {
        let server = Server::start(vec![trouble(), trouble(), ok(json!({"id": "cus_1"}))]);
        assert_eq!(post(&server, Deadline::after(MINUTE)).unwrap()["id"], "cus_1", "row {row}");
        let requests = server.arrived();
        assert_eq!(requests.len(), 3, "row {row}");
        assert!(requests.iter().all(|request| *request == requests[0]), "row {row}");
    }
}

#[test]
fn what_will_not_heal_is_asked_once() {
    let rows = [
        (no(400, "", "{}"), StripeErrorKind::Rejected),
        (no(401, "", "{}"), StripeErrorKind::KeyRefused),
        (no(402, "", "{}"), StripeErrorKind::Rejected),
        (no(403, "", "{}"), StripeErrorKind::Forbidden { permission: None }),
        (no(404, "", "{}"), StripeErrorKind::Missing { param: None }),
        (no(429, "Stripe-Should-Retry: false\r\n", "{}"), StripeErrorKind::Unavailable),
        (no(500, "Stripe-Should-Retry: false\r\n", "{}"), StripeErrorKind::Unavailable),
        (no(500, "Idempotent-Replayed: true\r\n", "{}"), StripeErrorKind::Unavailable),
        (no(503, "Retry-After: 61\r\n", "{}"), StripeErrorKind::Unavailable),
        (no(307, "Location: /v1/elsewhere\r\n", ""), StripeErrorKind::Unavailable),
        (Step::Answer(200, "", "x".repeat(BODY_LIMIT as usize + 1)), StripeErrorKind::Unavailable),
    ];
    for (row, (step, kind)) in rows.into_iter().enumerate() {
        let server = Server::start(vec![step, ok(json!({"id": "cus_1"}))]);
        let error = post(&server, Deadline::after(MINUTE)).unwrap_err();
        assert_eq!(error.kind, kind, "row {row}");
        assert_eq!(server.arrived().len(), 1, "row {row}");
    }
}

#[test]
fn attempts_end() {
    let server =
        Server::start((0..9).map(|_| no(500, "", r#"{"error":{"message":"m","type":"api_error"}}"#)).collect());
    let error = post(&server, Deadline::after(MINUTE)).unwrap_err();
    assert_eq!(server.arrived().len(), 6);
    assert_eq!(error.to_string(), "Stripe answered 500: m [api_error] (req_1)");
}

#[test]
fn a_server_that_never_answers_is_left_at_the_deadline() {
    let server = Server::start(vec![Step::Silence]);
    let error = post(&server, Deadline::after(Duration::from_millis(300))).unwrap_err();
    assert_eq!((error.kind, error.status), (StripeErrorKind::Unavailable, None));
    assert!(server.requests.recv_timeout(MINUTE).is_ok());

    let error = post(&server, Deadline::after(Duration::ZERO)).unwrap_err();
    assert_eq!(error.message, "no time was left to ask");
    let silent = Server::start(vec![Step::Silence, ok(json!({"id": "cus_1"}))]);
    let patient = Stripe { attempt_timeout: Duration::from_millis(200), ..silent.stripe() };
    assert!(patient.get("/v1/customers/cus_1", &[], Deadline::after(MINUTE)).is_ok());
}

#[test]
fn what_cannot_be_sent_is_not() {
    let server = Server::start(Vec::new());
    let stripe = server.stripe();
    for id in ["", "cs_1/expire", "cs_1?x", "../customers", "cs_ä", &"x".repeat(256)] {
        assert!(stripe.checkout_session(id, Deadline::after(MINUTE)).unwrap_err().is_missing(), "{id}");
    }
    for key in ["", "a b", "a\r\nX: y", &"x".repeat(256)] {
        let error = stripe.post("/v1/customers", "", key, Deadline::after(MINUTE)).unwrap_err();
        assert_eq!(error.kind, StripeErrorKind::Rejected, "{key}");
    }
}

#[test]
fn lists_are_read_page_by_page() {
    let item = |id: &str| json!({"id": id, "price": "price_1", "quantity": 1});
    let server = Server::start(vec![
        ok(json!({"data": [item("li_1"), item("li_2")], "has_more": true})),
        ok(json!({"data": [item("li_3")], "has_more": false})),
        ok(json!({"data": [{"id": "evt_1", "type": "x", "created": 5, "data": {"object": {}}}, {"id": "evt_2"}],
            "has_more": true})),
    ]);
    let stripe = server.stripe();
    assert_eq!(stripe.list_line_items("cs_1", Deadline::after(MINUTE)).unwrap().len(), 3);
    let filter = EventFilter {
        page: ListQuery {
            created_from: Some(Timestamp::from_seconds(4)),
            created_to: Some(Timestamp::from_seconds(6)),
            after: Some("evt_0".to_owned()),
        },
        kinds: vec!["invoice.paid".to_owned(), "invoice.voided".to_owned()],
        undelivered: true,
    };
    let events = stripe.list_events(&filter, Deadline::after(MINUTE)).unwrap();
    assert_eq!((events.has_more, events.last_id.as_deref()), (true, Some("evt_2")));
    let first = events.rows[0].as_ref().unwrap();
    assert_eq!(EventEnvelope::parse(first.body.as_bytes()).as_ref(), Ok(&first.event));
    assert!(events.rows[1].is_err());

    let lines: Vec<String> = server.arrived().into_iter().map(|request| request.line).collect();
    assert_eq!(
        lines,
        [
            "GET /v1/checkout/sessions/cs_1/line_items?limit=100 HTTP/1.1",
            "GET /v1/checkout/sessions/cs_1/line_items?limit=100&starting_after=li_2 HTTP/1.1",
            "GET /v1/events?types%5B%5D=invoice.paid&types%5B%5D=invoice.voided&delivery_success=false&limit=100\
             &created%5Bgte%5D=4&created%5Blte%5D=6&starting_after=evt_0 HTTP/1.1",
        ]
    );
}

#[test]
fn the_origin_and_the_key_are_checked_at_once() {
    let rows = [
        ("https://api.stripe.com", "sk_live_1", Some(true)),
        ("https://api.stripe.com/", "rk_live_1", Some(true)),
        ("http://127.0.0.1:12111", "rk_live_1", Some(true)),
        ("http://stripe.internal:12111", "sk_test_1", Some(false)),
        ("http://stripe.internal:12111", "sk_live_1", None),
        ("https://api.stripe.com/v1", "sk_test_1", None),
        ("https://user@api.stripe.com", "sk_test_1", None),
        ("ftp://api.stripe.com", "sk_test_1", None),
        ("api.stripe.com", "sk_test_1", None),
        ("https://api.stripe.com", "", None),
        ("https://api.stripe.com", "sk_test_1\n", None),
    ];
    for (api_base, key, live) in rows {
        let stripe = Stripe::new(StripeOptions::new(Secret::new(key), api_base));
        assert_eq!(stripe.as_ref().ok().map(Stripe::is_live), live, "{api_base} {key:?}");
        assert!(!format!("{stripe:?}").contains("_live_1"));
    }
}

/// The server speaks no TLS, so there is no answer. Without a provider and certificates, ureq would panic.
#[test]
fn https_has_its_provider_and_its_certificates() {
    let server = Server::start(vec![Step::Close]);
    let mut options =
        StripeOptions::new(Secret::new("sk_test_1"), format!("https://localhost:{}", server.address.port()));
    options.backoff.attempts = 1;
    let error = Stripe::new(options).unwrap().get("/v1/account", &[], Deadline::after(MINUTE)).unwrap_err();
    assert_eq!((error.kind, error.status), (StripeErrorKind::Unavailable, None));
}
