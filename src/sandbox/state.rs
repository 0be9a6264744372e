//! Everything the stand-in knows, in memory, behind one lock. The API, the pages and the webhook threads change it only
//! through [`Shared::with`], which wakes the webhook threads afterwards.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::clock::{Clock, Timestamp};
use crate::error::Fault;
use crate::id;
use crate::sandbox::agenda::Agenda;
use crate::sandbox::faults::Faults;
use crate::sandbox::idempotency::Keys;
use crate::sandbox::model::invoice::Invoice;
use crate::sandbox::model::session::Session;
use crate::sandbox::model::subscription::Subscription;
use crate::sandbox::model::webhook_endpoint::Endpoint;
use crate::sandbox::outbox::Outbox;
use crate::sandbox::shape::text;
use crate::sandbox::table::Table;
use crate::sandbox::wire;

/// The API version that answers and events have when nobody asks for another: the one of the shapes.
pub const API_VERSION: &str = "2026-05-27.dahlia";

const OBJECTS_LIMIT: usize = 20_000;
const BILLING_LIMIT: usize = 5_000;
const EVENTS_LIMIT: usize = 5_000;

/// What caused an event: the API request, or nothing for what happens on a page.
#[derive(Clone, Debug, Default)]
pub struct Cause {
    /// `req_…`.
    pub request: Option<String>,
    /// The request's idempotency key.
    pub idempotency_key: Option<String>,
}

/// What becomes of a subscription whose last retry failed: at Stripe, a setting of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterRetries {
    /// It is cancelled.
    Cancel,
    /// It becomes `unpaid`.
    Unpaid,
    /// It stays `past_due`.
    PastDue,
}

impl AfterRetries {
    /// What happens, for the control page.
    pub fn in_words(self) -> &'static str {
        match self {
            AfterRetries::Cancel => "it is cancelled",
            AfterRetries::Unpaid => "it becomes unpaid",
            AfterRetries::PastDue => "it stays past due",
        }
    }
}

/// The tables, and what is under way.
#[derive(Debug)]
pub struct State {
    /// The time of the world outside, which signatures are made with.
    pub clock: Clock,
    /// What the events made now were caused by.
    pub cause: Cause,
    /// What is to happen, and when.
    pub agenda: Agenda,
    /// The origin that checkout pages are shown under, without a slash at its end.
    pub base_url: String,
    /// `customer`; a deleted one stays as Stripe's deleted object.
    pub customers: Table<Value>,
    /// `product`.
    pub products: Table<Value>,
    /// `price`.
    pub prices: Table<Value>,
    /// `coupon`.
    pub coupons: Table<Value>,
    /// `promotion_code`.
    pub promotion_codes: Table<Value>,
    /// `checkout.session`, with what is not in the object.
    pub sessions: Table<Session>,
    /// `payment_intent`.
    pub payment_intents: Table<Value>,
    /// `charge`.
    pub charges: Table<Value>,
    /// `refund`.
    pub refunds: Table<Value>,
    /// `dispute`.
    pub disputes: Table<Value>,
    /// `payment_method`.
    pub payment_methods: Table<Value>,
    /// `test_helpers.test_clock`.
    pub test_clocks: Table<Value>,
    /// `subscription`, with what is not in the object.
    pub subscriptions: Table<Subscription>,
    /// `discount`, of a subscription.
    pub discounts: Table<Value>,
    /// `invoice`, with all its lines.
    pub invoices: Table<Invoice>,
    /// `invoiceitem`: what waits for the next invoice.
    pub invoice_items: Table<Value>,
    /// `invoice_payment`.
    pub invoice_payments: Table<Value>,
    /// `credit_note`.
    pub credit_notes: Table<Value>,
    /// `customer_balance_transaction`.
    pub balance_transactions: Table<Value>,
    /// `billing_portal.configuration`.
    pub portal_configurations: Table<Value>,
    /// `billing_portal.session`.
    pub portal_sessions: Table<Value>,
    /// What becomes of a subscription whose last retry failed.
    pub after_retries: AfterRetries,
    /// `event`.
    pub events: Table<Value>,
    /// `webhook_endpoint`, with its secret.
    pub webhook_endpoints: Table<Endpoint>,
    /// Webhooks: sent, waiting, held back.
    pub outbox: Outbox,
    /// Idempotency keys and their answers.
    pub keys: Keys,
    /// Faults to inject.
    pub faults: Faults,
    ahead_millis: i64,
    standing: Option<i64>,
    salt: [u8; 32],
    made: u64,
}

impl State {
    /// Nothing yet. Fails only when the operating system gives no random numbers.
    pub fn new(clock: Clock, base_url: String) -> Result<State, Fault> {
        Ok(State {
            clock,
            cause: Cause::default(),
            agenda: Agenda::default(),
            base_url,
            customers: Table::new(OBJECTS_LIMIT),
            products: Table::new(OBJECTS_LIMIT),
            prices: Table::new(OBJECTS_LIMIT),
            coupons: Table::new(OBJECTS_LIMIT),
            promotion_codes: Table::new(OBJECTS_LIMIT),
            sessions: Table::new(OBJECTS_LIMIT),
            payment_intents: Table::new(OBJECTS_LIMIT),
            charges: Table::new(OBJECTS_LIMIT),
            refunds: Table::new(OBJECTS_LIMIT),
            disputes: Table::new(OBJECTS_LIMIT),
            payment_methods: Table::new(OBJECTS_LIMIT),
            test_clocks: Table::new(100),
            subscriptions: Table::new(BILLING_LIMIT),
            discounts: Table::new(BILLING_LIMIT),
            invoices: Table::new(BILLING_LIMIT),
            invoice_items: Table::new(OBJECTS_LIMIT),
            invoice_payments: Table::new(OBJECTS_LIMIT),
            credit_notes: Table::new(OBJECTS_LIMIT),
            balance_transactions: Table::new(OBJECTS_LIMIT),
            portal_configurations: Table::new(100),
            portal_sessions: Table::new(BILLING_LIMIT),
            after_retries: AfterRetries::Cancel,
            events: Table::new(EVENTS_LIMIT),
            webhook_endpoints: Table::new(16),
            outbox: Outbox::default(),
            keys: Keys::default(),
            faults: Faults::default(),
            ahead_millis: 0,
            standing: None,
            salt: id::random_bytes()?,
            made: 0,
        })
    }

    /// The time in whole seconds, as Stripe writes it: the stand-in's own, or that of the test clock or the step of the
    /// agenda under way.
    pub fn now(&self) -> i64 {
        self.standing.unwrap_or_else(|| self.own_time().seconds())
    }

    /// The stand-in's own time: the world's, and what it was put ahead by.
    pub fn own_time(&self) -> Timestamp {
        self.clock.now().plus_millis(self.ahead_millis)
    }

    /// Puts the stand-in's own time ahead of the world's, to this instant. It never goes back.
    pub fn put_ahead(&mut self, to: Timestamp) {
        let missing = to.millis().saturating_sub(self.own_time().millis());
        self.ahead_millis = self.ahead_millis.saturating_add(missing.max(0));
    }

    /// Lets time stand still at `at` until [`State::leave_clock`].
    pub fn stand_at(&mut self, at: i64) {
        self.standing = Some(at);
    }

    /// Lives by the customer's test clock, where it has one, until [`State::leave_clock`].
    pub fn live_by(&mut self, customer: &str) {
        self.standing = self.test_clock_of(customer).and_then(|clock| {
            let frozen = self.test_clocks.get(&clock)?;
            frozen["frozen_time"].as_i64()
        });
    }

    /// Lives by the stand-in's own time again.
    pub fn leave_clock(&mut self) {
        self.standing = None;
    }

    /// The test clock that the customer lives by.
    pub fn test_clock_of(&self, customer: &str) -> Option<String> {
        self.customers.get(customer)?["test_clock"].as_str().map(str::to_owned)
    }

    /// Asks to be woken for an object at a time of its customer's clock.
    pub fn wake(&mut self, customer: &str, at: i64, id: &str) {
        let clock = self.test_clock_of(customer).unwrap_or_default();
        self.agenda.add(&clock, at, id);
    }

    /// A new id: the prefix and `letters` letters and digits (at most 52) that nobody can guess.
    pub fn new_id(&mut self, prefix: &str, letters: usize) -> String {
        self.made += 1;
        let digest = Sha256::new().chain_update(self.salt).chain_update(self.made.to_be_bytes()).finalize();
        let mut text = data_encoding::BASE32_NOPAD.encode(&digest).to_ascii_lowercase();
        text.truncate(letters);
        format!("{prefix}{text}")
    }

    /// Records an event about `object` as it is now, and queues it for every endpoint that asked for its type. Events
    /// have the stand-in's own time, also those of a test clock, so that they are listed in their order.
    pub fn emit(&mut self, kind: &str, object: Value) {
        self.emit_change(kind, object, Value::Null);
    }

    /// The same for a change: `previous` holds the changed fields' former values.
    pub fn emit_change(&mut self, kind: &str, object: Value, previous: Value) {
        let id = self.new_id("evt_1", 24);
        let endpoints: Vec<String> =
            self.webhook_endpoints.oldest().filter(|endpoint| endpoint.wants(kind)).map(Endpoint::id).collect();
        let mut data = json!({ "object": object });
        if !previous.is_null() {
            data["previous_attributes"] = previous;
        }
        let event = json!({
            "id": id, "object": "event", "api_version": API_VERSION, "created": self.own_time().seconds(), "data": data,
            "livemode": false, "pending_webhooks": endpoints.len(), "type": kind,
            "request": { "id": self.cause.request, "idempotency_key": self.cause.idempotency_key },
        });
        self.events.put(&id, event);
        for endpoint in endpoints {
            self.outbox.queue(&id, kind, &endpoint);
        }
    }

    /// Queues an event once more for every endpoint that asked for its type. `false`: there is no such event.
    pub fn send_again(&mut self, event: &str) -> bool {
        let Some(kind) = self.events.get(event).map(|event| text(event, "type").to_owned()) else { return false };
        let endpoints: Vec<String> =
            self.webhook_endpoints.oldest().filter(|endpoint| endpoint.wants(&kind)).map(Endpoint::id).collect();
        for endpoint in endpoints {
            self.outbox.queue(event, &kind, &endpoint);
        }
        true
    }

    /// Notes that one endpoint has confirmed an event.
    pub fn confirm(&mut self, event: &str) {
        if let Some(event) = self.events.get_mut(event) {
            let pending = event["pending_webhooks"].as_i64().unwrap_or_default();
            event["pending_webhooks"] = json!(pending.saturating_sub(1).max(0));
        }
    }

    /// The bytes of an event's webhook, its endpoint's URL, and the signature as of now; `None` when either is gone.
    pub fn letter(&self, event: &str, endpoint: &str) -> Option<Letter> {
        let body = wire::render(self.events.get(event)?);
        let endpoint = self.webhook_endpoints.get(endpoint)?;
        let signature = wire::signature(&endpoint.secret, self.clock.now().seconds(), &body);
        Some(Letter { url: text(&endpoint.object, "url").to_owned(), body, signature })
    }
}

/// One webhook, ready to be posted.
#[derive(Debug)]
pub struct Letter {
    /// Where to.
    pub url: String,
    /// The event, printed.
    pub body: String,
    /// The value of `Stripe-Signature`.
    pub signature: String,
}
