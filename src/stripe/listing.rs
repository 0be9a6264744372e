//! Stripe's lists of objects, for changes that no event reported. Each object is put into the form of an event, so that
//! it is applied as if Stripe had sent one.

use serde_json::{Value, json};

use crate::clock::{Deadline, Timestamp};
use crate::stripe::client::Stripe;
use crate::stripe::error::StripeError;
use crate::stripe::event::EventEnvelope;
use crate::stripe::objects::{CheckoutSession, CreditNote, Invoice, List, Subscription, Unreadable};
use crate::stripe::{API_VERSION, ListQuery};

/// Which of Stripe's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedKind {
    Sessions,
    Invoices,
    Refunds,
    Disputes,
    CreditNotes,
    /// Of every status.
    Subscriptions,
}

impl ListedKind {
    /// In the order in which they are read: payments before reversals.
    pub const ALL: [ListedKind; 6] = [
        ListedKind::Sessions,
        ListedKind::Invoices,
        ListedKind::Refunds,
        ListedKind::Disputes,
        ListedKind::CreditNotes,
        ListedKind::Subscriptions,
    ];

    /// The list's name in reports and in stored cursors.
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

    /// Without the status, Stripe leaves out the subscriptions that have ended.
    fn query(self) -> &'static [(&'static str, &'static str)] {
        match self {
            ListedKind::Subscriptions => &[("status", "all")],
            _ => &[],
        }
    }

    fn event_type(self) -> &'static str {
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

/// A row of a list.
#[derive(Clone, Debug)]
pub struct ListedObject {
    pub kind: ListedKind,
    pub id: String,
    pub created: Timestamp,
    /// Whether it changes the books: it is paid, or it is a reversal. For a subscription, only the books can tell.
    pub is_final: bool,
    /// Minor units that it paid, and their currency.
    pub paid: Option<(i64, String)>,
    /// Set for subscriptions only.
    pub subscription: Option<Subscription>,
    value: Value,
}

impl ListedObject {
    fn read(kind: ListedKind, value: &Value) -> Result<ListedObject, Unreadable> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let amount = |amount: Option<i64>, currency: &Option<String>| amount.zip(currency.clone());
        let (is_final, paid) = match kind {
            ListedKind::Sessions => {
                let session = CheckoutSession::read(value)?;
                // What a plan's checkout was paid is in its invoice.
                let is_paid = session.is_payment() && session.is_bought();
                (session.is_bought(), amount(session.amount_total, &session.currency).filter(|_| is_paid))
            }
            ListedKind::Invoices => {
                let invoice = Invoice::read(value)?;
                (invoice.is_paid(), amount(invoice.amount_paid, &invoice.currency).filter(|_| invoice.is_paid()))
            }
            ListedKind::CreditNotes => (CreditNote::read(value)?.returned != Some(0), None),
            ListedKind::Refunds | ListedKind::Disputes => (true, None),
            ListedKind::Subscriptions => (false, None),
        };
        let subscription = (kind == ListedKind::Subscriptions).then(|| Subscription::read(value)).transpose()?;
        let created = value.get("created").and_then(Value::as_i64).unwrap_or(0);
        let created = Timestamp::from_seconds(created);
        Ok(ListedObject { kind, id: text("id"), created, is_final, paid, subscription, value: value.clone() })
    }

    /// The event that Stripe might have sent at `created`, and its body. Its id is made from the object's id and state,
    /// so that one state is one event however often it is listed. A subscription can return to an earlier state, so
    /// each of its listings is a new event.
    pub fn as_event(&self, created: Timestamp, now: Timestamp) -> (EventEnvelope, String) {
        let status = self.value.get("status").and_then(Value::as_str).unwrap_or("-");
        let moves = self.value.get("balance_transactions").and_then(Value::as_array).map_or(0, Vec::len);
        let livemode = self.value.get("livemode").and_then(Value::as_bool);
        let id = match self.kind {
            ListedKind::Subscriptions => format!("sweep_{}_{status}_{}", self.id, now.millis()),
            _ => format!("sweep_{}_{status}_{moves}", self.id),
        };
        let body = json!({
            "id": id,
            "object": "event",
            "type": self.kind.event_type(),
            "created": created.seconds(),
            "livemode": livemode,
            "api_version": API_VERSION,
            "data": { "object": self.value },
        });
        let event = EventEnvelope {
            id,
            kind: self.kind.event_type().to_owned(),
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
    /// All objects of one kind that `query` selects, such as those of a customer.
    pub fn objects_of(
        &self,
        kind: ListedKind,
        query: &[(&str, &str)],
        deadline: Deadline,
    ) -> Result<Vec<ListedObject>, StripeError> {
        let query = [kind.query(), query].concat();
        self.all(kind.path(), &query, |value| ListedObject::read(kind, value), deadline)
    }

    /// One page of objects of one kind.
    pub fn list_objects(
        &self,
        kind: ListedKind,
        page: &ListQuery,
        deadline: Deadline,
    ) -> Result<List<ListedObject>, StripeError> {
        self.page(kind.path(), kind.query(), page, |value| ListedObject::read(kind, value), deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::ListedKind;
    use crate::stripe::event::TYPES;

    #[test]
    fn every_list_becomes_an_event_that_is_handled() {
        for kind in ListedKind::ALL {
            assert!(TYPES.contains(&kind.event_type()), "{kind:?}");
        }
    }
}
