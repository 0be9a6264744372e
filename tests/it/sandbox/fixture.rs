//! What the tests of the stand-in share: a stand-in with a clock that is set by hand, a client of its API and pages,
//! and a receiver of its webhooks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use till::clock::{Clock, Deadline, Timestamp};
use till::sandbox::{Endpoint, Options, Sandbox, SeedPrice};
use till::secret::Secret;

use crate::harness::openapi::{self, Api};

pub const SECRET: &str = "whsec_test_of_the_stand_in";
pub const BUY: &str = "mode=payment&success_url=https://shop.test/done?s={CHECKOUT_SESSION_ID}%26a=1&cancel_url=https://shop.test/\
                   &line_items[0][price]=price_100&line_items[0][quantity]=2&metadata[user_id]=alice\
                   &client_reference_id=alice&allow_promotion_codes=true";

pub fn stripe_api() -> Option<&'static Api> {
    static API: OnceLock<Option<Api>> = OnceLock::new();
    API.get_or_init(openapi::load).as_ref()
}

pub fn id(object: &Value) -> String {
    object["id"].as_str().expect("an id").to_owned()
}

/// The last charge of a payment intent.
pub fn charge(fixture: &Fixture, intent: &str) -> Value {
    fixture.ok("GET", &format!("/v1/payment_intents/{intent}"), "expand[]=latest_charge")["latest_charge"].clone()
}

pub struct Fixture {
    pub sandbox: Sandbox,
    pub clock: Clock,
    pub agent: ureq::Agent,
    pub receiver: Receiver,
}

pub struct Answer {
    pub status: u16,
    headers: ureq::http::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }
}

impl Fixture {
    pub fn new() -> Fixture {
        let clock = Clock::manual(Timestamp::from_seconds(1_790_000_000));
        let receiver = Receiver::start();
        let price = |id: &str, recurring| SeedPrice {
            id: id.to_owned(),
            product_name: "100 pictures".to_owned(),
            unit_amount: 900,
            currency: "usd".to_owned(),
            recurring,
        };
        let sandbox = till::sandbox::start(Options {
            listen: "127.0.0.1:0".parse().expect("an address"),
            public_url: None,
            endpoint: Some(Endpoint { url: receiver.url.clone(), secret: Secret::new(SECRET) }),
            prices: vec![price("price_100", None), price("price_month", Some("month"))],
            clock: clock.clone(),
        })
        .expect("the stand-in starts");
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .new_agent();
        Fixture { sandbox, clock, agent, receiver }
    }

    pub fn send(&self, method: &str, path: &str, form: &str, headers: &[(&str, &str)]) -> Result<Answer, ureq::Error> {
        let is_post = method == "POST";
        let query = if form.is_empty() || is_post { String::new() } else { format!("?{form}") };
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}{query}", self.sandbox.url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if is_post { form.to_owned() } else { String::new() };
        let request =
            request.header("Content-Type", "application/x-www-form-urlencoded").body(body).expect("a request");
        let mut response = self.agent.run(request)?;
        let text = response.body_mut().read_to_string()?;
        Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), text })
    }

    pub fn call(&self, method: &str, path: &str, form: &str, key: Option<&str>) -> Answer {
        let mut headers = vec![("Authorization", "Bearer sk_test_1")];
        headers.extend(key.map(|key| ("Idempotency-Key", key)));
        let answer = self.send(method, path, form, &headers).expect("an answer");
        if let Some(api) = stripe_api()
            .filter(|api| api.has(path) && (answer.status != 404 || answer.text.contains("resource_missing")))
        {
            api.check_response(method, path, answer.status, &answer.json()).expect("an answer that Stripe may give");
        }
        answer
    }

    /// A call that must succeed. Stripe's description must know its parameters.
    pub fn ok(&self, method: &str, path: &str, form: &str) -> Value {
        if let Some(api) = stripe_api().filter(|api| api.has(path)) {
            let form: Vec<(String, String)> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
            api.check_request(method, path, &form).expect("a request that Stripe takes");
        }
        let answer = self.call(method, path, form, None);
        assert_eq!(answer.status, 200, "{method} {path} {form}: {}", answer.text);
        answer.json()
    }

    pub fn get(&self, path: &str) -> Value {
        self.ok("GET", path, "")
    }

    /// The status of a refused call, and Stripe's code, or its message if there is no code.
    pub fn error(&self, method: &str, path: &str, form: &str) -> (u16, String) {
        let answer = self.call(method, path, form, None);
        let error = answer.json()["error"].clone();
        (answer.status, error["code"].as_str().or(error["message"].as_str()).unwrap_or_default().to_owned())
    }

    /// The types of all events so far that have this prefix, the oldest first. Checks the objects of all events.
    pub fn event_types(&self, prefix: &str) -> Vec<String> {
        let (mut events, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.ok("GET", "/v1/events", &format!("limit=100{after}"));
            let rows = page["data"].as_array().expect("a list").clone();
            after =
                rows.last().map_or(String::new(), |row| format!("&starting_after={}", row["id"].as_str().expect("id")));
            events.extend(rows);
            if page["has_more"] != true {
                break;
            }
        }
        for event in &events {
            let object = &event["data"]["object"];
            let name = object["object"].as_str().expect("an object");
            if let Some(api) = stripe_api().filter(|api| api.knows(name)) {
                api.check_object(name, object).unwrap_or_else(|fault| panic!("{}: {fault}", event["type"]));
            }
        }
        let types = events.iter().rev().filter_map(|event| event["type"].as_str());
        types.filter(|kind| kind.starts_with(prefix)).map(str::to_owned).collect()
    }

    /// Subscribes on the checkout page with this card. `more` is added to the parameters of the session.
    pub fn subscribe(&self, card: &str, more: &str) -> Value {
        let id = self.new_plan_session(more);
        assert_eq!(self.pay(&id, &format!("card={card}")).status, 303);
        let subscription = self.session(&id)["subscription"].as_str().expect("a subscription").to_owned();
        self.get(&format!("/v1/subscriptions/{subscription}"))
    }

    /// A new session for the monthly price.
    pub fn new_plan_session(&self, more: &str) -> String {
        let form = format!(
            "mode=subscription&line_items[0][price]=price_month&line_items[0][quantity]=1\
             &success_url=https://shop.test/&allow_promotion_codes=true{more}"
        );
        self.ok("POST", "/v1/checkout/sessions", &form)["id"].as_str().expect("an id").to_owned()
    }

    /// A customer with a card, on a test clock if one is named.
    pub fn customer(&self, card: &str, clock: Option<&str>) -> String {
        let clock = clock.map(|clock| format!("&test_clock={clock}")).unwrap_or_default();
        let id = self.ok("POST", "/v1/customers", &format!("email=a@example.org&payment_method={card}{clock}"));
        let id = id["id"].as_str().expect("an id").to_owned();
        let methods = self.get(&format!("/v1/customers/{id}/payment_methods"));
        let method = methods["data"][0]["id"].as_str().expect("a card").to_owned();
        self.ok("POST", &format!("/v1/customers/{id}"), &format!("invoice_settings[default_payment_method]={method}"));
        id
    }

    /// Every invoice of a subscription, the oldest first: reason, status, total, amount due, amount paid.
    pub fn invoices(&self, subscription: &str) -> Vec<String> {
        let page = self.ok("GET", "/v1/invoices", &format!("subscription={subscription}&limit=100"));
        let row = |row: &Value| {
            let word = |field: &str| row[field].as_str().unwrap_or("-").to_owned();
            let number = |field: &str| row[field].to_string();
            [word("billing_reason"), word("status"), number("total"), number("amount_due"), number("amount_paid")]
                .join(" ")
        };
        page["data"].as_array().expect("a list").iter().rev().map(row).collect()
    }

    /// Pays a new session. Returns its payment intent.
    pub fn pay_new_session(&self, form: &str) -> String {
        let id = self.new_session("");
        assert_eq!(self.pay(&id, form).status, 303, "{form}");
        self.session(&id)["payment_intent"].as_str().expect("an id").to_owned()
    }

    pub fn new_session(&self, more: &str) -> String {
        self.ok("POST", "/v1/checkout/sessions", &format!("{BUY}{more}"))["id"].as_str().expect("an id").to_owned()
    }

    pub fn session(&self, id: &str) -> Value {
        self.ok("GET", &format!("/v1/checkout/sessions/{id}"), "")
    }

    pub fn page(&self, method: &str, path: &str, form: &str) -> Answer {
        self.send(method, path, form, &[]).expect("a page")
    }

    pub fn pay(&self, id: &str, form: &str) -> Answer {
        self.page("POST", &format!("/c/pay/{id}"), form)
    }

    pub fn control(&self, path: &str, form: &str) {
        let answer = self.page("POST", &format!("/control/{path}"), form);
        assert_eq!((answer.status, answer.header("location")), (303, "/"), "{path} {form}: {}", answer.text);
    }
}

#[derive(Clone)]
pub struct ReceivedWebhook {
    pub signature: String,
    pub body: String,
}

impl ReceivedWebhook {
    pub fn event(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

#[derive(Default)]
pub struct Inbox {
    webhooks: Vec<ReceivedWebhook>,
    /// Statuses for the next answers, before 200.
    answers: Vec<u16>,
}

pub struct Receiver {
    pub url: String,
    inbox: Arc<(Mutex<Inbox>, Condvar)>,
}

impl Receiver {
    pub fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let inbox: Arc<(Mutex<Inbox>, Condvar)> = Arc::default();
        let queue = inbox.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let inbox = inbox.clone();
                thread::spawn(move || receive(stream, &inbox));
            }
        });
        Receiver { url, inbox: queue }
    }

    pub fn answer_next(&self, statuses: &[u16]) {
        self.inbox.0.lock().expect("inbox").answers = statuses.to_vec();
    }

    /// All webhooks so far, once `is_enough` is true.
    pub fn wait(&self, what: &str, is_enough: impl Fn(&[ReceivedWebhook]) -> bool) -> Vec<ReceivedWebhook> {
        let deadline = Deadline::after(Duration::from_secs(20));
        let mut inbox = self.inbox.0.lock().expect("inbox");
        while !is_enough(&inbox.webhooks) {
            let types: Vec<Value> = inbox.webhooks.iter().map(|webhook| webhook.event()["type"].clone()).collect();
            assert!(!deadline.left().is_zero(), "waited in vain for {what}; so far {types:?}");
            inbox = self.inbox.1.wait_timeout(inbox, deadline.left()).expect("inbox").0;
        }
        inbox.webhooks.clone()
    }

    pub fn wait_for(&self, kind: &str, count: usize) -> Vec<ReceivedWebhook> {
        let of_kind = |webhook: &&ReceivedWebhook| webhook.event()["type"] == kind;
        let webhooks = self.wait(kind, |webhooks| webhooks.iter().filter(of_kind).count() >= count);
        webhooks.iter().filter(of_kind).cloned().collect()
    }
}

fn receive(stream: TcpStream, inbox: &(Mutex<Inbox>, Condvar)) {
    let mut reader = BufReader::new(stream);
    let (mut length, mut signature, mut line) = (0, String::new(), String::new());
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        if let Some((name, value)) = line.trim_end().split_once(": ") {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().expect("a length"),
                "stripe-signature" => signature = value.to_owned(),
                _ => {}
            }
        }
        line.clear();
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let mut queue = inbox.0.lock().expect("inbox");
    queue.webhooks.push(ReceivedWebhook { signature, body: String::from_utf8(body).expect("UTF-8") });
    let status = if queue.answers.is_empty() { 200 } else { queue.answers.remove(0) };
    drop(queue);
    inbox.1.notify_all();
    let head = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nLocation: /elsewhere\r\nConnection: close\r\n\r\n");
    reader.get_mut().write_all(head.as_bytes()).ok();
}
