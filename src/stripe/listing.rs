//! Stripe's lists of objects, for changes that no event reported. Each object is put into the form of an event, so that
//! it is applied as if Stripe had sent one.

use serde_json::{Value, json};

use crate::clock::{Deadline, Timestamp};
use crate::stripe::client::Stripe;
use crate::stripe::error::StripeError;
use crate::stripe::event::{EventEnvelope, LISTED_PREFIX};
use crate::stripe::objects::{CheckoutSession, CreditNote, Fields, Invoice, List, Subscription, Unreadable};
use crate::stripe::{API_VERSION, ListQuery, UnreadableRow};

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

    /// Those that can be looked through from a given time on. A subscription may change at any time.
    pub const WITHOUT_SUBSCRIPTIONS: &[ListedKind] = &[
        ListedKind::Sessions,
        ListedKind::Invoices,
        ListedKind::Refunds,
        ListedKind::Disputes,
        ListedKind::CreditNotes,
    ];

    /// Whether it lists what was paid.
    pub fn is_paid(self) -> bool {
        matches!(self, ListedKind::Sessions | ListedKind::Invoices)
    }

    /// What a restricted key needs to read the list, where Stripe does not say it in its answer.
    pub fn permission(self) -> &'static str {
        match self {
            ListedKind::Sessions => "to read checkout sessions",
            ListedKind::Invoices => "to read invoices",
            ListedKind::Refunds => "rak_charge_read",
            ListedKind::Disputes => "to read disputes",
            ListedKind::CreditNotes => "to read credit notes",
            ListedKind::Subscriptions => "rak_subscription_read",
        }
    }

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
    pub described: Described,
    value: Value,
}

/// What a row describes, as far as it is compared with the books and not only applied.
#[derive(Clone, Debug)]
pub enum Described {
    Session(Box<CheckoutSession>),
    Invoice(Box<Invoice>),
    Subscription(Box<Subscription>),
    Reversal,
}

impl ListedObject {
    fn read(kind: ListedKind, value: &Value) -> Result<ListedObject, Unreadable> {
        let fields = Fields::of("row", value)?;
        let (is_final, described) = match kind {
            ListedKind::Sessions => {
                let session = CheckoutSession::read(value)?;
                (session.is_bought(), Described::Session(Box::new(session)))
            }
            ListedKind::Invoices => {
                let invoice = Invoice::read(value)?;
                (invoice.is_paid(), Described::Invoice(Box::new(invoice)))
            }
            ListedKind::CreditNotes => (CreditNote::read(value)?.returned != Some(0), Described::Reversal),
            ListedKind::Refunds | ListedKind::Disputes => (true, Described::Reversal),
            ListedKind::Subscriptions => (false, Described::Subscription(Box::new(Subscription::read(value)?))),
        };
        let created = fields.time("/created")?.ok_or_else(|| fields.missing("/created"))?;
        Ok(ListedObject { kind, id: fields.id()?, created, is_final, described, value: value.clone() })
    }

    /// The id of the event that stands for the object. It is made from the object's id and state, so that one state is one
    /// event however often it is listed. A subscription can return to an earlier state, so each of its listings is a new
    /// event.
    pub fn event_id(&self, now: Timestamp) -> String {
        let status = self.value.get("status").and_then(Value::as_str).unwrap_or("-");
        let moves = self.value.get("balance_transactions").and_then(Value::as_array).map_or(0, Vec::len);
        match self.kind {
            ListedKind::Subscriptions => format!("{LISTED_PREFIX}{}_{status}_{}", self.id, now.millis()),
            _ => format!("{LISTED_PREFIX}{}_{status}_{moves}", self.id),
        }
    }

    /// The event that Stripe might have sent at `created`, and its body.
    pub fn as_event(&self, created: Timestamp, now: Timestamp) -> (EventEnvelope, String) {
        let livemode = self.value.get("livemode").and_then(Value::as_bool);
        let id = self.event_id(now);
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
            previous: Value::Null,
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

    /// One page of objects of one kind. A row that cannot be read does not stop the others.
    pub fn list_objects(
        &self,
        kind: ListedKind,
        page: &ListQuery,
        deadline: Deadline,
    ) -> Result<List<Result<ListedObject, UnreadableRow>>, StripeError> {
        let read_row =
            |value: &Value| Ok(ListedObject::read(kind, value).map_err(|cause| UnreadableRow::of(value, cause)));
        self.page(kind.path(), kind.query(), page, read_row, deadline)
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
