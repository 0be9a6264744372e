//! Stripe's events: the envelope as it arrives ([`EventEnvelope`]), and what till handles of it ([`Event`]).
//!
//! [`TYPES`] is the one list of event types that till handles. The webhook endpoint is set up with it, `till check`
//! compares with it, and the documents repeat it. To handle a further type, add a row; where it needs a new variant of
//! [`Event`], the compiler names every place that has to handle it.

use serde_json::{Map, Value};

use crate::clock::{self, Timestamp};
use crate::stripe::objects::{
    Charge, CheckoutSession, CreditNote, Customer, Dispute, Fields, Invoice, InvoicePayment, Refund, ScheduleHint,
    Subscription, Unreadable, parse_json,
};

/// What an event says, as an object that can be applied. `usecase::stripe_events::prefetch` completes the object with
/// what Stripe leaves out of events.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Checkout(CheckoutSession, CheckoutStep),
    Invoice(Invoice),
    /// An invoice of which a payment failed.
    PaymentFailed(Invoice),
    InvoicePayment(InvoicePayment),
    Charge(Charge),
    /// A charge succeeded. Its units come by other events; this one tells what paid, and the receipt.
    ChargeMade(Charge),
    Refund(Refund),
    Dispute(Dispute, DisputeStep),
    CreditNote(CreditNote),
    Subscription {
        subscription: Subscription,
        step: SubscriptionStep,
        /// As it was before this event, where Stripe says what the event changed.
        before: Option<Box<Subscription>>,
        /// When the event happened: of two descriptions, the later one counts.
        as_of: Timestamp,
    },
    Schedule {
        hint: ScheduleHint,
        /// The subscription as it is now. `prefetch` asks Stripe for it.
        subscription: Option<Box<Subscription>>,
    },
    CustomerDeleted(Customer),
    /// Events of this type change nothing here.
    Unhandled {
        kind: String,
    },
    /// Its type is handled, but its object cannot be read.
    Unreadable {
        kind: String,
        cause: Unreadable,
    },
}

/// What the type of a `checkout.session.…` event adds: the session's own fields do not tell a slow payment that failed
/// from one that is still under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckoutStep {
    /// The session is as its fields say.
    AsDescribed,
    /// The slow payment did not arrive (`checkout.session.async_payment_failed`).
    AsyncPaymentFailed,
}

/// What the type of a `charge.dispute.…` event adds: the funds may have moved before the dispute lists the movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeStep {
    /// The dispute is as its fields say.
    AsDescribed,
    /// The funds came back (`charge.dispute.funds_reinstated`).
    FundsReinstated,
}

/// What the type of a `customer.subscription.…` event adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionStep {
    /// It began (`customer.subscription.created`): there is no earlier description of it.
    Created,
    /// The subscription is as its fields say.
    AsDescribed,
    /// It ended (`customer.subscription.deleted`), whether or not its fields say when.
    Deleted,
}

/// What the id of an event begins with that stands for a row of a list.
pub(super) const LISTED_PREFIX: &str = "sweep_";

type Reader = fn(&EventEnvelope) -> Result<Event, Unreadable>;

/// Every event type that till handles, with the way to read its object.
const READERS: [(&str, Reader); 32] = [
    ("checkout.session.completed", checkout),
    ("checkout.session.async_payment_succeeded", checkout),
    ("checkout.session.async_payment_failed", |envelope| {
        Ok(Event::Checkout(CheckoutSession::read(&envelope.object)?, CheckoutStep::AsyncPaymentFailed))
    }),
    ("checkout.session.expired", checkout),
    ("customer.deleted", |envelope| Ok(Event::CustomerDeleted(Customer::read(&envelope.object)?))),
    ("customer.subscription.created", |envelope| described(envelope, SubscriptionStep::Created)),
    ("customer.subscription.updated", subscription),
    ("customer.subscription.deleted", |envelope| described(envelope, SubscriptionStep::Deleted)),
    ("customer.subscription.paused", subscription),
    ("customer.subscription.resumed", subscription),
    ("subscription_schedule.created", schedule),
    ("subscription_schedule.updated", schedule),
    ("subscription_schedule.released", schedule),
    ("subscription_schedule.canceled", schedule),
    ("invoice.paid", invoice),
    ("invoice.payment_succeeded", invoice),
    ("invoice.payment_failed", |envelope| Ok(Event::PaymentFailed(Invoice::read(&envelope.object)?))),
    ("invoice_payment.paid", |envelope| Ok(Event::InvoicePayment(InvoicePayment::read(&envelope.object)?))),
    ("charge.succeeded", |envelope| Ok(Event::ChargeMade(Charge::read(&envelope.object)?))),
    ("charge.refunded", |envelope| Ok(Event::Charge(Charge::read(&envelope.object)?))),
    ("charge.refund.updated", refund),
    ("refund.created", refund),
    ("refund.updated", refund),
    ("refund.failed", refund),
    ("charge.dispute.created", dispute),
    ("charge.dispute.updated", dispute),
    ("charge.dispute.closed", dispute),
    ("charge.dispute.funds_withdrawn", dispute),
    ("charge.dispute.funds_reinstated", |envelope| {
        Ok(Event::Dispute(Dispute::read(&envelope.object)?, DisputeStep::FundsReinstated))
    }),
    ("credit_note.created", credit_note),
    ("credit_note.updated", credit_note),
    ("credit_note.voided", credit_note),
];

/// The event types that till handles, in the order in which they are shown to people.
pub const TYPES: [&str; READERS.len()] = {
    let mut types = [""; READERS.len()];
    let mut at = 0;
    while at < types.len() {
        types[at] = READERS[at].0;
        at += 1;
    }
    types
};

fn checkout(envelope: &EventEnvelope) -> Result<Event, Unreadable> {
    Ok(Event::Checkout(CheckoutSession::read(&envelope.object)?, CheckoutStep::AsDescribed))
}

fn subscription(envelope: &EventEnvelope) -> Result<Event, Unreadable> {
    described(envelope, SubscriptionStep::AsDescribed)
}

fn described(envelope: &EventEnvelope, step: SubscriptionStep) -> Result<Event, Unreadable> {
    let subscription = Subscription::read(&envelope.object)?;
    let before = envelope.object_before().and_then(|before| Subscription::read(&before).ok()).map(Box::new);
    Ok(Event::Subscription { subscription, step, before, as_of: envelope.created })
}

fn schedule(envelope: &EventEnvelope) -> Result<Event, Unreadable> {
    Ok(Event::Schedule { hint: ScheduleHint::read(&envelope.object)?, subscription: None })
}

fn invoice(envelope: &EventEnvelope) -> Result<Event, Unreadable> {
    Ok(Event::Invoice(Invoice::read(&envelope.object)?))
}

fn refund(envelope: &EventEnvelope) -> Result<Event, Unreadable> {
    Ok(Event::Refund(Refund::read(&envelope.object)?))
}

fn dispute(envelope: &EventEnvelope) -> Result<Event, Unreadable> {
    Ok(Event::Dispute(Dispute::read(&envelope.object)?, DisputeStep::AsDescribed))
}

fn credit_note(envelope: &EventEnvelope) -> Result<Event, Unreadable> {
    Ok(Event::CreditNote(CreditNote::read(&envelope.object)?))
}

/// One of Stripe's events as it was sent, in the shape of any API version. Its object has not been read yet.
#[derive(Clone, Debug, PartialEq)]
pub struct EventEnvelope {
    /// `evt_…`. The same in every delivery and in the list of events.
    pub id: String,
    /// The event's type, such as `checkout.session.completed`. Stripe adds new ones at any time.
    pub kind: String,
    /// In whole seconds, so two events of one second have no order.
    pub created: Timestamp,
    /// `None` when Stripe did not say.
    pub livemode: Option<bool>,
    /// The API version that rendered `object`.
    pub api_version: Option<String>,
    /// The connected account (Stripe Connect) that it belongs to; `None` for the account of our own key.
    pub account: Option<String>,
    /// `data.object` at the time of the event; null in a thin event.
    pub object: Value,
    /// The former values of what the event changed (`data.previous_attributes`); null if Stripe did not say.
    pub previous: Value,
    /// A thin event (`v2.core.event`) encloses no object.
    pub thin: bool,
}

impl EventEnvelope {
    /// Reads a webhook's body. Its signature must have been verified before.
    pub fn parse(body: &[u8]) -> Result<EventEnvelope, Unreadable> {
        EventEnvelope::read(&parse_json(body)?)
    }

    /// Reads an event from one of Stripe's lists or from the inbox.
    pub fn read(value: &Value) -> Result<EventEnvelope, Unreadable> {
        let fields = Fields::of("event", value)?;
        let thin = fields.text("/object")?.as_deref() == Some("v2.core.event");
        Ok(EventEnvelope {
            id: fields.id()?,
            kind: fields.text("/type")?.ok_or_else(|| fields.missing("/type"))?,
            created: created(&fields, thin)?,
            livemode: fields.flag("/livemode")?,
            api_version: fields.text("/api_version")?,
            account: fields.reference("/account")?,
            object: match fields.value("/data/object") {
                Some(object @ Value::Object(_)) => object.clone(),
                _ if thin => Value::Null,
                _ => return Err(fields.missing("/data/object")),
            },
            previous: fields.value("/data/previous_attributes").cloned().unwrap_or_default(),
            thin,
        })
    }

    /// The object as it was before the event; `None` if Stripe did not say what the event changed.
    fn object_before(&self) -> Option<Value> {
        let previous = self.previous.as_object().filter(|previous| !previous.is_empty())?;
        let mut object = self.object.clone();
        overwrite(object.as_object_mut()?, previous);
        Some(object)
    }

    /// Of an invoice payment: the id of the invoice that it paid.
    pub fn paid_invoice(&self) -> Option<String> {
        let is_invoice_payment = self.kind.starts_with("invoice_payment.");
        self.named_by_object("/invoice").filter(|_| is_invoice_payment)
    }

    /// The id of the customer that the object names.
    pub fn customer(&self) -> Option<String> {
        self.named_by_object("/customer")
    }

    /// The id of the object where it is a customer.
    pub fn customer_itself(&self) -> Option<String> {
        let is_customer = self.object.get("object").is_some_and(|object| object == "customer");
        self.named_by_object("/id").filter(|_| is_customer)
    }

    /// When it happened, for people to read: Stripe's time, or of a row of a list that stands for an event, the latest time
    /// that the row names.
    pub fn happened_at(&self) -> Timestamp {
        if !self.id.starts_with(LISTED_PREFIX) {
            return self.created;
        }
        let Ok(fields) = Fields::of("event's object", &self.object) else { return self.created };
        let named = ["/created", "/status_transitions/paid_at", "/ended_at", "/canceled_at"];
        let latest = named.iter().filter_map(|pointer| fields.time(pointer).ok().flatten()).max();
        latest.unwrap_or(self.created).min(self.created)
    }

    fn named_by_object(&self, pointer: &str) -> Option<String> {
        Fields::of("event's object", &self.object).ok()?.reference(pointer).ok()?
    }

    /// Reads the object by the event's type.
    pub fn event(&self) -> Event {
        let Some((_, read)) = READERS.iter().find(|(kind, _)| *kind == self.kind) else {
            return Event::Unhandled { kind: self.kind.clone() };
        };
        read(self).unwrap_or_else(|cause| Event::Unreadable { kind: self.kind.clone(), cause })
    }
}

/// Stripe states the former values of changed fields, of an object inside the object only those of its changed fields, and
/// of a list all rows.
fn overwrite(object: &mut Map<String, Value>, previous: &Map<String, Value>) {
    for (name, value) in previous {
        match (object.get_mut(name), value) {
            (Some(Value::Object(inner)), Value::Object(previous)) => overwrite(inner, previous),
            _ => drop(object.insert(name.clone(), value.clone())),
        }
    }
}

fn created(fields: &Fields<'_>, thin: bool) -> Result<Timestamp, Unreadable> {
    let created = match thin {
        true => fields.text("/created")?.and_then(|text| clock::parse_rfc3339(&text)),
        false => fields.time("/created")?,
    };
    created.ok_or_else(|| fields.missing("/created that can be read"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_read_whole_thin_or_without_a_mode() {
        let event = EventEnvelope::parse(
            br#"{"id":"evt_1","object":"event","type":"x.new","created":1790000000,"livemode":false,"account":"acct_2",
                 "api_version":"2026-05-27.dahlia","data":{"object":{"id":"x_1"}},"more":[1.5,null]}"#,
        )
        .unwrap();
        assert_eq!((event.id.as_str(), event.kind.as_str(), event.thin), ("evt_1", "x.new", false));
        assert_eq!((event.created, event.livemode), (Timestamp::from_seconds(1_790_000_000), Some(false)));
        assert_eq!(event.account.as_deref(), Some("acct_2"));
        assert_eq!(event.api_version.as_deref(), Some("2026-05-27.dahlia"));
        assert_eq!(event.object, json!({"id": "x_1"}));

        let event = EventEnvelope::parse(br#"{"id":"evt_1","type":"x","created":1,"data":{"object":{}}}"#).unwrap();
        assert_eq!((event.livemode, event.account, event.api_version), (None, None, None));

        let thin =
            br#"{"id":"evt_2","object":"v2.core.event","type":"v1.invoice.paid","created":"2026-10-01T12:00:00Z"}"#;
        let event = EventEnvelope::parse(thin).unwrap();
        assert_eq!((event.thin, event.object, event.created.seconds()), (true, Value::Null, 1_790_856_000));
    }

    #[test]
    fn a_body_that_is_not_an_event_is_refused_with_its_reason() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let with = |more: &str| format!(r#"{{"id":"evt_1","type":"x","created":1,"data":{{"object":{{{more}}}}}}}"#);
        let rows = [
            (b"\xff{}".to_vec(), "the body is not UTF-8"),
            (
                b"{\"id\":\"a\0\"}".to_vec(),
                "the body is not JSON: control character (\\u0000-\\u001F) found while parsing a string at line 1 column 9",
            ),
            (deep.into_bytes(), "the event is not a JSON object"),
            (b"".to_vec(), "the body is not JSON: EOF while parsing a value at line 1 column 0"),
            (b"[]".to_vec(), "the event is not a JSON object"),
            (b"{}".to_vec(), "the event has no id"),
            (br#"{"id":7}"#.to_vec(), "the event's id is not text"),
            (br#"{"id":"evt_1"}"#.to_vec(), "the event has no type"),
            (br#"{"id":"evt_1","type":"x"}"#.to_vec(), "the event has no created that can be read"),
            (br#"{"id":"evt_1","type":"x","created":1,"data":{}}"#.to_vec(), "the event has no data.object"),
        ];
        for (body, reason) in rows {
            let outcome = EventEnvelope::parse(&body).map_err(|unreadable| unreadable.to_string());
            assert_eq!(outcome, Err(reason.to_owned()), "{}", String::from_utf8_lossy(&body));
        }
        let deep = format!(r#""a":{}"#, "[".repeat(10_000) + &"]".repeat(10_000));
        for fine in [
            r#""n":18446744073709551615"#,
            r#""n":-9223372036854775807,"f":0.25"#,
            r#""n":18446744073709551616"#,
            r#""n":1e999"#,
            r#""a":"b\u0000""#,
            r#""a\u0000":"\ud800""#,
            &deep,
        ] {
            assert!(EventEnvelope::parse(with(fine).as_bytes()).is_ok(), "{fine}");
        }
    }

    #[test]
    fn every_type_is_listed_once_and_read_as_its_own_object() {
        for kind in TYPES {
            assert_eq!(TYPES.iter().filter(|other| **other == kind).count(), 1, "{kind}");
            let body = format!(r#"{{"id":"evt_1","type":"{kind}","created":1,"data":{{"object":{{"id":"x_1"}}}}}}"#);
            let envelope = EventEnvelope::parse(body.as_bytes()).unwrap();
            assert!(!matches!(envelope.event(), Event::Unhandled { .. } | Event::Unreadable { .. }), "{kind}");
            let unreadable = EventEnvelope { object: json!({"id": 7}), ..envelope };
            assert!(matches!(unreadable.event(), Event::Unreadable { .. }), "{kind}");
        }
        let other = EventEnvelope::parse(br#"{"id":"evt_1","type":"plan.created","created":1,"data":{"object":{}}}"#);
        assert_eq!(other.unwrap().event(), Event::Unhandled { kind: "plan.created".to_owned() });
    }
}
