//! Objects that are looked through for what no event told: listed as they are, and put into the form of an event, so that
//! they are settled as if Stripe had sent one.

use serde_json::{Value, json};

use super::client::Stripe;
use super::error::StripeError;
use super::objects::{CheckoutSession, CreditNote, Event, Invoice, List, Subscription, Unreadable};
use super::{API_VERSION, ListQuery};
use crate::clock::{Deadline, Timestamp};

/// What is looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedKind {
    /// Checkout sessions: packs.
    Sessions,
    /// Invoices: plans.
    Invoices,
    /// Refunds.
    Refunds,
    /// Disputes.
    Disputes,
    /// Credit notes.
    CreditNotes,
    /// Subscriptions of every status.
    Subscriptions,
}

impl ListedKind {
    /// In the order in which they are best looked through: what was paid before what was reversed.
    pub const ALL: [ListedKind; 6] = [
        ListedKind::Sessions,
        ListedKind::Invoices,
        ListedKind::Refunds,
        ListedKind::Disputes,
        ListedKind::CreditNotes,
        ListedKind::Subscriptions,
    ];

    /// What they are, in a word.
    pub fn word(self) -> &'static str {
        match self {
            ListedKind::Sessions => "checkouts",
            ListedKind::Invoices => "invoices",
            ListedKind::Refunds => "refunds",
            ListedKind::Disputes => "disputes",
            ListedKind::CreditNotes => "credit notes",
            ListedKind::Subscriptions => "subscriptions",
        }
    }

    fn path(self) -> &'static str {
        match self {
            ListedKind::Sessions => "/v1/checkout/sessions",
            ListedKind::Invoices => "/v1/invoices",
            ListedKind::Refunds => "/v1/refunds",
            ListedKind::Disputes => "/v1/disputes",
            ListedKind::CreditNotes => "/v1/credit_notes",
            ListedKind::Subscriptions => "/v1/subscriptions",
        }
    }

    /// Without it, Stripe leaves out the subscriptions that have ended.
    fn query(self) -> &'static [(&'static str, &'static str)] {
        match self {
            ListedKind::Subscriptions => &[("status", "all")],
            _ => &[],
        }
    }

    fn kind(self) -> &'static str {
        match self {
            ListedKind::Sessions => "checkout.session.completed",
            ListedKind::Invoices => "invoice.paid",
            ListedKind::Refunds => "refund.updated",
            ListedKind::Disputes => "charge.dispute.updated",
            ListedKind::CreditNotes => "credit_note.updated",
            ListedKind::Subscriptions => "customer.subscription.updated",
        }
    }
}

/// An object as it is listed.
#[derive(Clone, Debug)]
pub struct ListedObject {
    /// What it is.
    pub swept: ListedKind,
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it means something for the books: paid, or a reversal.
    pub is_settled: bool,
    /// Minor units that were paid by it, and their currency.
    pub paid: Option<(i64, String)>,
    /// What it says, if it is a subscription: whether that means something, only the books can tell.
    pub subscription: Option<Subscription>,
    value: Value,
}

impl ListedObject {
    fn read(swept: ListedKind, value: &Value) -> Result<ListedObject, Unreadable> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let amount = |amount: Option<i64>, currency: &Option<String>| amount.zip(currency.clone());
        let (is_settled, paid) = match swept {
            ListedKind::Sessions => {
                let session = CheckoutSession::read(value)?;
                let is_bought = session.is_payment() && session.is_paid() && !session.is_open();
                (is_bought, amount(session.amount_total, &session.currency).filter(|_| is_bought))
            }
            ListedKind::Invoices => {
                let invoice = Invoice::read(value)?;
                (invoice.is_paid(), amount(invoice.amount_paid, &invoice.currency).filter(|_| invoice.is_paid()))
            }
            ListedKind::CreditNotes => (CreditNote::read(value)?.returned != Some(0), None),
            ListedKind::Refunds | ListedKind::Disputes => (true, None),
            ListedKind::Subscriptions => (false, None),
        };
        let subscription = (swept == ListedKind::Subscriptions).then(|| Subscription::read(value)).transpose()?;
        let created = value.get("created").and_then(Value::as_i64).unwrap_or(0);
        let created = Timestamp::from_seconds(created);
        Ok(ListedObject { swept, id: text("id"), created, is_settled, paid, subscription, value: value.clone() })
    }

    /// The event that Stripe might have sent, of this time, and its body. Its id is made of the object's id and state, so
    /// that the same state is one event however often it is found; a subscription, which can come back to a state that it
    /// had before, is another event each time.
    pub fn as_event(&self, created: Timestamp, now: Timestamp) -> (Event, String) {
        let status = self.value.get("status").and_then(Value::as_str).unwrap_or("-");
        let moves = self.value.get("balance_transactions").and_then(Value::as_array).map_or(0, Vec::len);
        let livemode = self.value.get("livemode").and_then(Value::as_bool);
        let id = match self.swept {
            ListedKind::Subscriptions => format!("sweep_{}_{status}_{}", self.id, now.millis()),
            _ => format!("sweep_{}_{status}_{moves}", self.id),
        };
        let body = json!({
            "id": id,
            "object": "event",
            "type": self.swept.kind(),
            "created": created.seconds(),
            "livemode": livemode,
            "api_version": API_VERSION,
            "data": { "object": self.value },
        });
        let event = Event {
            id,
            kind: self.swept.kind().to_owned(),
            created,
            livemode,
            api_version: Some(API_VERSION.to_owned()),
            account: None,
            object: self.value.clone(),
            thin: false,
        };
        (event, body.to_string())
    }
}

impl Stripe {
    /// A page of objects of one kind.
    pub fn list_objects(
        &self,
        swept: ListedKind,
        sweep: &ListQuery,
        deadline: Deadline,
    ) -> Result<List<ListedObject>, StripeError> {
        self.page(swept.path(), swept.query(), sweep, |value| ListedObject::read(swept, value), deadline)
    }
}
