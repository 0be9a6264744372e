//! Everything the stand-in knows, in memory: the tables, the time, ids, and events, which are made here and nowhere
//! else. `shared` puts it behind a lock.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::clock::{Clock, Timestamp};
use crate::error::Fault;
use crate::id;
use crate::sandbox::access::Access;
use crate::sandbox::agenda::Agenda;
use crate::sandbox::faults::Faults;
use crate::sandbox::idempotency::IdempotencyKeys;
use crate::sandbox::model::invoice::StoredInvoice;
use crate::sandbox::model::link::StoredLink;
use crate::sandbox::model::session::StoredSession;
use crate::sandbox::model::settlement::SettlementCurrency;
use crate::sandbox::model::subscription::StoredSubscription;
use crate::sandbox::model::webhook_endpoint::StoredEndpoint;
use crate::sandbox::outbox::Outbox;
use crate::sandbox::shape::text;
use crate::sandbox::table::Table;

/// The API version of the shapes. Answers and events have it unless the request names another.
pub const API_VERSION: &str = "2026-05-27.dahlia";

/// The account, until the control page gives it another id.
const OWN_ACCOUNT: &str = "acct_1Sandbox0000000";

const OBJECTS_LIMIT: usize = 20_000;
const BILLING_LIMIT: usize = 5_000;
const EVENTS_LIMIT: usize = 5_000;

/// What caused an event: an API request, or nothing if it happened on a page.
#[derive(Clone, Debug, Default)]
pub struct EventCause {
    pub request: Option<String>,
    pub idempotency_key: Option<String>,
}

/// What happens to a subscription after its last failed retry. At Stripe this is a setting of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterRetries {
    Cancel,
    Unpaid,
    PastDue,
}

impl AfterRetries {
    /// For the control page.
    pub fn in_words(self) -> &'static str {
        match self {
            AfterRetries::Cancel => "it is cancelled",
            AfterRetries::Unpaid => "it becomes unpaid",
            AfterRetries::PastDue => "it stays past due",
        }
    }
}

#[derive(Debug)]
pub struct State {
    /// The world's time. Signatures are made with it.
    pub clock: Clock,
    /// The cause of the events that are made now.
    pub cause: EventCause,
    pub agenda: Agenda,
    /// The origin of the checkout and portal pages, without a slash at its end.
    pub base_url: String,
    /// A deleted customer stays as Stripe's deleted object.
    pub customers: Table<Value>,
    /// `tax_id` of customers.
    pub tax_ids: Table<Value>,
    pub products: Table<Value>,
    pub prices: Table<Value>,
    /// `currency_options` of prices, by the price's id and without its own currency. Stripe shows them only if expanded.
    pub currency_options: Table<Value>,
    pub coupons: Table<Value>,
    pub promotion_codes: Table<Value>,
    pub sessions: Table<StoredSession>,
    /// `payment_link`, by the name at the end of its URL.
    pub payment_links: Table<StoredLink>,
    pub payment_intents: Table<Value>,
    pub charges: Table<Value>,
    pub refunds: Table<Value>,
    pub disputes: Table<Value>,
    pub payment_methods: Table<Value>,
    pub test_clocks: Table<Value>,
    pub subscriptions: Table<StoredSubscription>,
    /// `subscription_schedule`.
    pub schedules: Table<Value>,
    /// Discounts of subscriptions.
    pub discounts: Table<Value>,
    pub invoices: Table<StoredInvoice>,
    /// `invoiceitem`. Those without an invoice wait for the next one.
    pub invoice_items: Table<Value>,
    pub invoice_payments: Table<Value>,
    pub credit_notes: Table<Value>,
    /// `customer_balance_transaction`.
    pub balance_transactions: Table<Value>,
    /// `balance_transaction`.
    pub transactions: Table<Value>,
    /// In which currency the account is settled; in each that is charged if `None`.
    pub settlement: Option<SettlementCurrency>,
    pub portal_configurations: Table<Value>,
    /// `billing_portal.session`, by the secret in its URL.
    pub portal_sessions: Table<Value>,
    pub after_retries: AfterRetries,
    pub events: Table<Value>,
    pub webhook_endpoints: Table<StoredEndpoint>,
    pub outbox: Outbox,
    pub keys: IdempotencyKeys,
    pub faults: Faults,
    pub access: Access,
    ahead_millis: i64,
    held_time: Option<i64>,
    salt: [u8; 32],
    ids_made: u64,
}

impl State {
    /// An empty state. Fails if the operating system gives no random numbers.
    pub fn new(clock: Clock, base_url: String) -> Result<State, Fault> {
        Ok(State {
            clock,
            cause: EventCause::default(),
            agenda: Agenda::default(),
            base_url,
            customers: Table::new(OBJECTS_LIMIT),
            tax_ids: Table::new(OBJECTS_LIMIT),
            products: Table::new(OBJECTS_LIMIT),
            prices: Table::new(OBJECTS_LIMIT),
            currency_options: Table::new(OBJECTS_LIMIT),
            coupons: Table::new(OBJECTS_LIMIT),
            promotion_codes: Table::new(OBJECTS_LIMIT),
            sessions: Table::new(OBJECTS_LIMIT),
            payment_links: Table::new(BILLING_LIMIT),
            payment_intents: Table::new(OBJECTS_LIMIT),
            charges: Table::new(OBJECTS_LIMIT),
            refunds: Table::new(OBJECTS_LIMIT),
            disputes: Table::new(OBJECTS_LIMIT),
            payment_methods: Table::new(OBJECTS_LIMIT),
            test_clocks: Table::new(100),
            subscriptions: Table::new(BILLING_LIMIT),
            schedules: Table::new(BILLING_LIMIT),
            discounts: Table::new(BILLING_LIMIT),
            invoices: Table::new(BILLING_LIMIT),
            invoice_items: Table::new(OBJECTS_LIMIT),
            invoice_payments: Table::new(OBJECTS_LIMIT),
            credit_notes: Table::new(OBJECTS_LIMIT),
            balance_transactions: Table::new(OBJECTS_LIMIT),
            transactions: Table::new(OBJECTS_LIMIT),
            settlement: None,
            portal_configurations: Table::new(100),
            portal_sessions: Table::new(BILLING_LIMIT),
            after_retries: AfterRetries::Cancel,
            events: Table::new(EVENTS_LIMIT),
            webhook_endpoints: Table::new(16),
            outbox: Outbox::default(),
            keys: IdempotencyKeys::default(),
            faults: Faults::default(),
            access: Access::new(OWN_ACCOUNT),
            ahead_millis: 0,
            held_time: None,
            salt: id::random_bytes()?,
            ids_made: 0,
        })
    }

    /// The time in whole seconds, as Stripe writes it: the stand-in's own time, or the time that is held for a test
    /// clock or a step of the agenda.
    pub fn now(&self) -> i64 {
        self.held_time.unwrap_or_else(|| self.own_time().seconds())
    }

    /// The stand-in's own time: the world's, plus what it was put ahead by.
    pub fn own_time(&self) -> Timestamp {
        self.clock.now().plus_millis(self.ahead_millis)
    }

    /// Moves the stand-in's own time ahead to this instant. It never goes back.
    pub fn put_ahead(&mut self, to: Timestamp) {
        let missing = to.millis().saturating_sub(self.own_time().millis());
        self.ahead_millis = self.ahead_millis.saturating_add(missing.max(0));
    }

    /// Holds the time at `at` until [`State::follow_own_clock`].
    pub fn hold_time_at(&mut self, at: i64) {
        self.held_time = Some(at);
    }

    /// If the customer has a test clock, holds its time until [`State::follow_own_clock`].
    pub fn follow_clock_of(&mut self, customer: &str) {
        self.held_time = self.test_clock_of(customer).and_then(|clock| {
            let frozen = self.test_clocks.get(&clock)?;
            frozen["frozen_time"].as_i64()
        });
    }

    /// Ends [`State::hold_time_at`].
    pub fn follow_own_clock(&mut self) {
        self.held_time = None;
    }

    /// The test clock of a customer.
    pub fn test_clock_of(&self, customer: &str) -> Option<String> {
        self.customers.get(customer)?["test_clock"].as_str().map(str::to_owned)
    }

    /// Schedules an object to be woken, at a time of its customer's clock.
    pub fn wake_at(&mut self, customer: &str, at: i64, id: &str) {
        let clock = self.test_clock_of(customer).unwrap_or_default();
        self.agenda.add(&clock, at, id);
    }

    /// A new id: the prefix, and `letters` letters and digits (at most 52) that nobody can guess.
    pub fn new_id(&mut self, prefix: &str, letters: usize) -> String {
        self.ids_made += 1;
        let digest = Sha256::new().chain_update(self.salt).chain_update(self.ids_made.to_be_bytes()).finalize();
        let mut text = data_encoding::BASE32_NOPAD.encode(&digest).to_ascii_lowercase();
        text.truncate(letters);
        format!("{prefix}{text}")
    }

    /// Records an event about `object` as it is now, and queues it for every endpoint that wants its type. All events
    /// have the stand-in's own time, even those of a test clock, so that they are listed in order.
    pub fn emit(&mut self, kind: &str, object: Value) {
        self.emit_change(kind, object, Value::Null);
    }

    /// Like [`State::emit`], for a change. `previous` has the former values of the changed fields.
    pub fn emit_change(&mut self, kind: &str, object: Value, previous: Value) {
        let id = self.new_id("evt_1", 24);
        let endpoints = self.endpoints_for(kind);
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

    /// Queues an event again for every endpoint that wants its type. `false`: there is no such event.
    pub fn resend(&mut self, event: &str) -> bool {
        let Some(kind) = self.events.get(event).map(|event| text(event, "type").to_owned()) else { return false };
        for endpoint in self.endpoints_for(&kind) {
            self.outbox.queue(event, &kind, &endpoint);
        }
        true
    }

    fn endpoints_for(&self, kind: &str) -> Vec<String> {
        self.webhook_endpoints.oldest().filter(|endpoint| endpoint.wants(kind)).map(StoredEndpoint::id).collect()
    }

    /// Counts an endpoint's confirmation of an event.
    pub fn mark_confirmed(&mut self, event: &str) {
        if let Some(event) = self.events.get_mut(event) {
            let pending = event["pending_webhooks"].as_i64().unwrap_or_default();
            event["pending_webhooks"] = json!(pending.saturating_sub(1).max(0));
        }
    }
}
