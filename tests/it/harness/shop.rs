//! A shop that is open: the binary with the built-in catalogue, the Stripe stand-in, and the webhooks between them. The
//! words of the stories are here.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use till::clock::Clock;
use till::sandbox::{self, Endpoint, Options, Sandbox, SeedPrice};
use till::secret::Secret;

use super::client::{Answer, Client};
use super::folder::Folder;
use super::hand::Hand;
use super::mail_server::MailServer;
use super::process::{self, Till};
use super::wait::eventually;
use super::webhook;

/// What webhooks are signed with.
pub const WEBHOOK_SECRET: &str = "whsec_the_stories_own";
/// Stripe's published number of a card that pays.
pub const GOOD_CARD: &str = "4242 4242 4242 4242";
/// Stripe's published number of a card that is declined.
pub const BAD_CARD: &str = "4000 0000 0000 0002";

/// What is on sale: price id, name at Stripe, amount in cents, how often, and the variable that names the price.
const PRICES: &[(&str, &str, i64, Option<&str>, &str)] = &[
    ("price_topup_100", "100 pictures", 900, None, "SPRITE_STRIPE_TOPUP_100_PRICE_ID"),
    ("price_topup_250", "250 pictures", 2_000, None, "SPRITE_STRIPE_TOPUP_250_PRICE_ID"),
    ("price_starter", "Starter", 900, Some("month"), "SPRITE_STRIPE_STARTER_PRICE_ID"),
    ("price_pro", "Pro", 2_900, Some("month"), "SPRITE_STRIPE_PRO_PRICE_ID"),
];

/// The built-in catalogue as a file.
pub const CATALOG: &str = include_str!("../../../systemd/catalog.example.toml");

/// Binary and stand-in, wired together. Fields are dropped in this order.
pub struct Shop {
    /// The appliance.
    pub till: Till,
    /// The pipeline, with a token that may do everything.
    pub api: Client,
    /// The stand-in.
    pub stripe: Sandbox,
    token: String,
    variables: BTreeMap<String, String>,
    folder: Folder,
}

impl Shop {
    /// Opens one with a database of its own.
    pub fn open() -> Shop {
        Shop::open_with(&[])
    }

    /// The same, with further variables.
    pub fn open_with(more: &[(&str, &str)]) -> Shop {
        Shop::open_in(Folder::new(), more)
    }

    /// The same, under the name `localhost`: browsers have passkeys for a name, and for no address.
    pub fn open_at_localhost() -> Shop {
        let shop = Shop::open();
        let named = shop.till.url.replace("127.0.0.1", "localhost");
        shop.crash_and_restart_with(&[("SPRITE_BASE_URL", &named)])
    }

    /// The same, which no webhook reaches: it asks Stripe for its events so often, and does nothing else by itself.
    pub fn open_polling(interval: &str) -> Shop {
        Shop::open_with(&[
            ("SPRITE_STRIPE_WEBHOOK_SECRET", ""),
            ("SPRITE_POLL_INTERVAL", interval),
            ("SPRITE_RECONCILE_INTERVAL", "off"),
        ])
    }

    /// The same, which hands its letters to this server.
    pub fn open_mailing(mail: &MailServer) -> Shop {
        Shop::open_with(&[("SPRITE_SMTP_URL", &mail.url()), ("SPRITE_MAIL_FROM", "Pictures <billing@example.org>")])
    }

    /// The same, with a catalogue file.
    pub fn open_with_catalog(catalog: &str) -> Shop {
        let folder = Folder::new();
        let path = folder.path("catalog.toml");
        std::fs::write(&path, catalog).unwrap();
        Shop::open_in(folder, &[("SPRITE_CATALOG", path.to_str().unwrap())])
    }

    /// The same, with the built-in catalogue, whose packs take promotion codes.
    pub fn open_taking_codes() -> Shop {
        Shop::open_with_catalog(&CATALOG.replace("[[pack]]", "[[pack]]\npromotion_codes = true"))
    }

    fn open_in(folder: Folder, more: &[(&str, &str)]) -> Shop {
        let stripe = start_stripe();
        let mut variables = variables(&folder, &stripe.url());
        variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let till = Till::start(&variables);
        if !variables["SPRITE_STRIPE_WEBHOOK_SECRET"].is_empty() {
            let secret = Secret::new(WEBHOOK_SECRET);
            stripe.set_endpoint(&Endpoint { url: format!("{}/billing/webhook", till.url), secret });
        }
        let token = token(&variables, "admin");
        let api = Client::program(&till.url, &token);
        Shop { till, api, stripe, token, variables, folder }
    }

    /// Ends the appliance as a power cut would and starts it again on the same address and books.
    pub fn crash_and_restart(self) -> Shop {
        self.crash_and_restart_with(&[])
    }

    /// The same, with further variables from then on.
    pub fn crash_and_restart_with(self, more: &[(&str, &str)]) -> Shop {
        self.crash_and_start(more, Till::start)
    }

    /// The same, at a Unix socket in place of the address.
    pub fn crash_and_restart_at(self, socket: &Path, more: &[(&str, &str)]) -> Shop {
        self.crash_and_start(more, |variables| Till::start_at(socket, variables))
    }

    fn crash_and_start(self, more: &[(&str, &str)], start: impl FnOnce(&BTreeMap<String, String>) -> Till) -> Shop {
        let Shop { till, api, stripe, token, mut variables, folder } = self;
        let address = till.url.trim_start_matches("http://").to_owned();
        till.kill();
        variables.insert("SPRITE_LISTEN".to_owned(), address);
        variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Shop { till: start(&variables), api, stripe, token, variables, folder }
    }

    /// The token of the pipeline.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The appliance's environment.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Where the books are, in a file.
    pub fn database(&self) -> PathBuf {
        PathBuf::from(&self.variables["SPRITE_DATABASE"])
    }

    /// A hand in the books, past the appliance.
    pub fn hand(&self) -> Hand {
        Hand::open(&self.variables["SPRITE_DATABASE"])
    }

    /// A file of this name in the shop's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    /// `till ARGUMENTS` beside the running appliance, on the same books.
    pub fn till(&self, arguments: &[&str]) -> Output {
        process::run(&self.variables, arguments)
    }

    /// The same, and it must succeed; what it printed.
    #[track_caller]
    pub fn till_prints(&self, arguments: &[&str]) -> String {
        let output = self.till(arguments);
        assert!(output.status.success(), "till {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Gives the user a password, as the operator does.
    #[track_caller]
    pub fn set_password(&self, user: &str, password: &str) {
        let output = process::run_with_input(&self.variables, &["user", "password", user], password);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The address of the dashboard.
    pub fn dashboard(&self) -> String {
        format!("{}/dashboard", self.till.url)
    }

    /// A program whose token has these scopes only.
    pub fn program(&self, scopes: &str) -> Client {
        Client::program(&self.till.url, &token(&self.variables, scopes))
    }

    /// A browser that is not signed in.
    pub fn visitor(&self) -> Client {
        Client::browser(&self.till.url)
    }

    /// Makes a user.
    pub fn user(&self, id: &str) {
        self.api.call("PUT", &format!("/v1/users/{id}"), &json!({})).must(201);
    }

    /// Gives the user units that do not expire.
    pub fn give(&self, user: &str, units: i64) {
        let key = till::id::secret("").unwrap();
        self.api
            .call_once(&format!("/v1/users/{user}/grants"), &key, &json!({"units": units, "note": "a gift"}))
            .must(201);
    }

    /// A link that signs the user in.
    pub fn login_link(&self, user: &str) -> String {
        let link = self.api.call("POST", &format!("/v1/users/{user}/login-links"), &json!({})).must(201).json();
        link["url"].as_str().unwrap().to_owned()
    }

    /// A browser in which the user is signed in.
    pub fn sign_in(&self, user: &str) -> Client {
        let browser = self.visitor();
        let answer = browser.follow(&self.login_link(user)).must(303);
        assert_eq!(answer.header("location"), "/dashboard");
        browser
    }

    /// The user's remaining units.
    pub fn remaining(&self, user: &str) -> i64 {
        self.api.get(&format!("/v1/users/{user}")).must(200).json()["units"]["remaining"].as_i64().unwrap()
    }

    /// Waits until the user has so many.
    pub fn wait_for_units(&self, user: &str, units: i64) {
        eventually(&format!("{units} units for {user}"), || (self.remaining(user) == units).then_some(()));
    }

    /// Waits until the user's subscription stands so.
    pub fn wait_for_status(&self, user: &str, status: &str) {
        eventually(&format!("{status} for {user}"), || {
            let shown = self.api.get(&format!("/v1/users/{user}")).must(200).json();
            (shown["subscription"]["status"] == status).then_some(())
        });
    }

    /// The user's ledger, newest first: reason, delta, balance after.
    pub fn ledger(&self, user: &str) -> Vec<(String, i64, i64)> {
        let page = self.api.get(&format!("/v1/users/{user}/ledger?limit=100")).must(200).json();
        let row = |row: &Value| {
            let number = |field: &str| row[field].as_i64().unwrap();
            (row["reason"].as_str().unwrap().to_owned(), number("delta"), number("balance_after"))
        };
        page["data"].as_array().unwrap().iter().map(row).collect()
    }

    /// Presses a pack's button on the dashboard; the address of the checkout page.
    pub fn press_buy(&self, browser: &Client, plan: &str) -> String {
        let dashboard = browser.get("/dashboard").must(200);
        let answer = browser.press(&dashboard, &format!("/billing/checkout?plan={plan}")).must(303);
        answer.header("location").to_owned()
    }

    /// Has the pipeline open a checkout for the user: the session's id, and the address of the checkout page.
    pub fn checkout(&self, user: &str, plan: &str) -> (String, String) {
        let made =
            self.api.call("POST", &format!("/v1/users/{user}/checkout"), &json!({ "plan": plan })).must(200).json();
        let text = |field: &str| made[field].as_str().unwrap().to_owned();
        (text("session_id"), text("checkout_url"))
    }

    /// What Stripe knows: a call of its API.
    #[track_caller]
    pub fn ask_stripe(&self, method: &str, path: &str) -> Value {
        let client = Client::new(&self.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
        client.send(method, path, &[], b"").must(200).json()
    }

    /// Proves the books; what is wrong with them fails the story.
    #[track_caller]
    pub fn verify_books(&self) {
        self.till_prints(&["ledger", "verify"]);
    }

    /// The rows of the inbox, newest first; `more` goes to `till event list`.
    pub fn inbox(&self, more: &[&str]) -> Vec<Value> {
        let listed = self.till_prints(&[&["event", "list", "--json"], more].concat());
        let listed: Value = serde_json::from_str(&listed).unwrap();
        listed["data"].as_array().unwrap().clone()
    }

    /// Fills in the checkout page.
    pub fn pay(&self, checkout: &str, fields: &[(&str, &str)]) -> Answer {
        Client::browser(&self.stripe.url()).post_form(checkout, fields)
    }

    /// Presses a button on the stand-in's control page.
    pub fn stripe_control(&self, path: &str, fields: &[(&str, &str)]) {
        Client::browser(&self.stripe.url()).post_form(&format!("/control/{path}"), fields).must(303);
    }

    /// What the stand-in has sent and is still to send.
    pub fn deliveries(&self) -> Vec<Value> {
        let state = Client::browser(&self.stripe.url()).get("/control/state").must(200).json();
        state["deliveries"].as_array().unwrap().clone()
    }

    /// Sends an event as Stripe would.
    pub fn webhook(&self, event: &Value) -> Answer {
        let body = event.to_string();
        let signature = webhook::signature(WEBHOOK_SECRET, body.as_bytes(), webhook::now());
        self.webhook_bytes(body.as_bytes(), &signature)
    }

    /// Sends any bytes with any signature.
    pub fn webhook_bytes(&self, body: &[u8], signature: &str) -> Answer {
        let headers = [("content-type", "application/json; charset=utf-8"), ("stripe-signature", signature)];
        Client::new(&self.till.url, &[]).send("POST", "/billing/webhook", &headers, body)
    }
}

/// The stand-in with these prices, which sends no webhooks yet.
pub fn start_stripe() -> Sandbox {
    let price = |(id, name, amount, recurring, _): &(&str, &str, i64, Option<&'static str>, &str)| SeedPrice {
        id: (*id).to_owned(),
        product_name: (*name).to_owned(),
        unit_amount: *amount,
        currency: "usd".to_owned(),
        recurring: *recurring,
    };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let prices = PRICES.iter().map(price).collect();
    sandbox::start(Options { listen, public_url: None, endpoint: None, prices, clock: Clock::System }).unwrap()
}

/// How a till is set up in a test: a free port, a fresh database, the built-in catalogue with prices.
pub fn variables(folder: &Folder, stripe: &str) -> BTreeMap<String, String> {
    let database = folder.database("till.db");
    let own = [
        ("SPRITE_LISTEN", "127.0.0.1:0"),
        ("SPRITE_DATABASE", database.as_str()),
        ("SPRITE_STRIPE_API_BASE", stripe),
        ("SPRITE_STRIPE_SECRET_KEY", "sk_test_stories"),
        ("SPRITE_STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET),
        ("SPRITE_LOG_FORMAT", "json"),
    ];
    let prices = PRICES.iter().map(|(id, _, _, _, variable)| (*variable, *id));
    own.into_iter().chain(prices).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Makes a token on the command line.
pub fn token(variables: &BTreeMap<String, String>, scopes: &str) -> String {
    let output = process::run(variables, &["token", "create", "stories", "--scopes", scopes, "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let token: Value = serde_json::from_slice(&output.stdout).unwrap();
    token["token"].as_str().unwrap().to_owned()
}
