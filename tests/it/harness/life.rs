//! An appliance in this process, without a network of its own, at a time that is set by hand: for stories that need many of
//! Stripe's events, or a date far away. The only helper that calls into the appliance.

use std::sync::Arc;

use serde_json::{Value, json};
use till::app::App;
use till::clock::{Clock, Deadline, Timestamp};
use till::config::{Need, Sources, load};
use till::sandbox::{self, Options, SeedPrice};
use till::store::inbox::Status;
use till::stripe::client::LONGEST_WAIT;
use till::usecase::checkout::start::{self, PurchaseRequest};
use till::usecase::operator::verify;
use till::usecase::stripe_events::{inbox, receive};
use till::usecase::users::{self, UserPatch};

use super::client::Client;
use super::folder::Folder;
use super::hand::Hand;
use super::lots;
use super::webhook::signature;

const SECRET: &str = "whsec_lives";
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// An appliance without a network of its own, at a time that stands still.
pub struct Life {
    pub app: Arc<App>,
    pub clock: Clock,
    folder: Folder,
}

impl Life {
    /// With `alice`, whose customer is `cus_alice` by an earlier purchase's metadata.
    pub fn begin(stripe: &str) -> Life {
        Life::begin_with(stripe, None)
    }

    /// With another catalogue than the built-in one, whose prices are in it.
    pub fn begin_with(stripe: &str, catalog: Option<&str>) -> Life {
        let life = Life::open(Folder::new(), stripe, catalog);
        users::put(&life.app, "alice", UserPatch::default()).unwrap();
        life
    }

    /// The same books after the operator edited the catalogue.
    pub fn with_catalog(self, catalog: &str) -> Life {
        let Life { app, folder, .. } = self;
        let stripe = app.config.stripe.api_base.clone();
        drop(app);
        Life::open(folder, &stripe, Some(catalog))
    }

    /// The same, with a mail server.
    pub fn begin_mailing(stripe: &str, server: &str, from: &str, catalog: Option<&str>) -> Life {
        let mail = [("SPRITE_SMTP_URL", server), ("SPRITE_MAIL_FROM", from)];
        let life = Life::open_with(Folder::new(), stripe, catalog, &mail);
        users::put(&life.app, "alice", UserPatch::default()).unwrap();
        life
    }

    /// A hand in the books, past the appliance.
    pub fn hand(&self) -> Hand {
        Hand::open(&self.folder.database("till.db"))
    }

    /// Closes the books; they stay while the folder does.
    pub fn close(self) -> Folder {
        let Life { app, folder, .. } = self;
        drop(app);
        folder
    }

    fn open(folder: Folder, stripe: &str, catalog: Option<&str>) -> Life {
        Life::open_with(folder, stripe, catalog, &[])
    }

    fn open_with(folder: Folder, stripe: &str, catalog: Option<&str>, more: &[(&str, &str)]) -> Life {
        let database = folder.database("till.db");
        let variables = [
            ("SPRITE_DATABASE", database.as_str()),
            ("SPRITE_STRIPE_SECRET_KEY", "sk_test_lives"),
            ("SPRITE_STRIPE_WEBHOOK_SECRET", SECRET),
            ("SPRITE_STRIPE_API_BASE", stripe),
            ("SPRITE_STRIPE_STARTER_PRICE_ID", "price_starter"),
            ("SPRITE_STRIPE_PRO_PRICE_ID", "price_pro"),
            ("SPRITE_STRIPE_TOPUP_100_PRICE_ID", "price_topup_100"),
        ];
        let path = folder.path("catalog.toml");
        let mut variables = [&variables[..], more].concat();
        if let Some(text) = catalog {
            std::fs::write(&path, text).unwrap();
            variables.retain(|(name, _)| !name.ends_with("_PRICE_ID"));
            variables.push(("SPRITE_CATALOG", path.to_str().unwrap()));
        }
        let loaded = load(&Sources::from_variables(variables), Need::Serve).unwrap();
        let clock = Clock::manual(NOW);
        let app = Arc::new(App::open(loaded.config, clock.clone()).unwrap());
        Life { app, clock, folder }
    }

    pub fn hear(&self, event: &Value) {
        let body = event.to_string();
        let header = signature(SECRET, body.as_bytes(), self.clock.now());
        receive::receive(&self.app, Some(header.as_bytes()), body.as_bytes()).unwrap();
    }

    /// Begins a checkout for the user: the session's id, and the path of its page at this Stripe.
    pub fn checkout(&self, user: &str, offer: &str, stripe: &str) -> (String, String) {
        let (member, _) = users::put(&self.app, user, UserPatch::default()).unwrap();
        let request = PurchaseRequest::new(&self.app, offer, None).unwrap();
        let made = start::start_checkout(&self.app, &member.user, request, Deadline::after(LONGEST_WAIT)).unwrap();
        (made.session_id, made.checkout_url.trim_start_matches(stripe).to_owned())
    }

    pub fn remaining(&self) -> i64 {
        users::show(&self.app, "alice").unwrap().balance.remaining
    }

    /// How many events wait for the operator.
    pub fn unmatched(&self) -> usize {
        inbox::list(&self.app, Some(Status::Unmatched), 100).unwrap().len()
    }

    pub fn prove(&self) {
        let proof = verify::verify(&self.app, |_| ()).unwrap();
        assert_eq!(proof.breaks, [], "the books must be provable");
        lots::check_all(&self.app);
    }
}

pub fn stripe() -> sandbox::Sandbox {
    let listen = "127.0.0.1:0".parse().unwrap();
    sandbox::start(Options { listen, public_url: None, endpoint: None, prices: vec![], clock: Clock::System }).unwrap()
}

/// A stand-in that keeps this time.
pub fn stripe_at(clock: Clock) -> sandbox::Sandbox {
    let price = |id: &str, unit_amount: i64, recurring| SeedPrice {
        id: id.to_owned(),
        product_name: id.to_owned(),
        unit_amount,
        currency: "usd".to_owned(),
        recurring,
    };
    let prices = vec![
        price("price_topup_100", 900, None),
        price("price_starter", 900, Some("month")),
        price("price_small", 9_000, Some("year")),
        price("price_large", 29_000, Some("year")),
    ];
    let listen = "127.0.0.1:0".parse().unwrap();
    sandbox::start(Options { listen, public_url: None, endpoint: None, prices, clock }).unwrap()
}

/// Everything that has happened at Stripe, newest first.
pub fn events(api: &Client) -> Vec<Value> {
    let (mut all, mut after) = (vec![], String::new());
    loop {
        let page = api.get(&format!("/v1/events?limit=100{after}")).must(200).json();
        let rows = page["data"].as_array().unwrap().clone();
        let Some(last) = rows.last() else { return all };
        after = format!("&starting_after={}", last["id"].as_str().unwrap());
        all.extend(rows);
        if page["has_more"] != true {
            return all;
        }
    }
}

pub fn event(id: &str, kind: &str, created: i64, object: Value) -> Value {
    json!({"id": format!("evt_{id}"), "object": "event", "type": kind, "created": 1_790_000_000 + created,
        "livemode": false, "api_version": "2026-05-27.dahlia", "data": {"object": object}})
}

/// Every order of `events`.
pub fn permutations(events: &[Value]) -> Vec<Vec<Value>> {
    if events.is_empty() {
        return vec![vec![]];
    }
    let rest = |at: usize| {
        events.iter().enumerate().filter(move |(i, _)| *i != at).map(|(_, e)| e.clone()).collect::<Vec<_>>()
    };
    (0..events.len())
        .flat_map(|at| {
            permutations(&rest(at)).into_iter().map(move |mut order| {
                order.insert(0, events[at].clone());
                order
            })
        })
        .collect()
}

/// All orders, with every second event heard twice, must end in `units`.
pub fn check(stripe: &str, name: &str, events: &[Value], units: i64) {
    for order in permutations(events) {
        let life = Life::begin(stripe);
        for (i, event) in order.iter().enumerate() {
            life.hear(event);
            if i % 2 == 0 {
                life.hear(event);
            }
        }
        let heard: Vec<&str> = order.iter().filter_map(|event| event["id"].as_str()).collect();
        assert_eq!(life.remaining(), units, "{name}, heard as {heard:?}");
        life.prove();
    }
}
