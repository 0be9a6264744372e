//! The calls that till makes, each with its path, its parameters and what it answers. How they are sent is in `client`.

use serde_json::Value;

use super::client::Stripe;
use super::error::{StripeError, StripeErrorKind};
use super::event::EventEnvelope;
use super::objects::{
    CheckoutSession, CreditNote, Customer, Fields, Invoice, InvoiceLine, InvoicePayment, LineItem, List, Price, Refund,
    Subscription, Unreadable,
};
use crate::clock::{Deadline, Timestamp};

/// Rows a page: Stripe's most.
const PAGE: &str = "100";

/// The most pages that are read of one list: 5,000 rows.
const PAGES_LIMIT: usize = 50;

/// Which page of a list to read; lists are newest first.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only what was made at this time or later, in whole seconds.
    pub created_from: Option<Timestamp>,
    /// Only what was made at this time or earlier, in whole seconds.
    pub created_to: Option<Timestamp>,
    /// Only what comes after this row: the `last_id` of the page before. New rows at the head do not disturb it.
    pub after: Option<String>,
}

/// Which events to read: one page, newest first. Stripe keeps them for 30 days.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    pub page: ListQuery,
    /// Only these types, 20 at most; all when empty.
    pub kinds: Vec<String>,
    /// Only those that could not be delivered to every webhook endpoint.
    pub undelivered: bool,
}

/// A row of the list of events.
#[derive(Clone, Debug)]
pub struct ListedEvent {
    /// Its JSON, stored as a webhook's body is.
    pub body: String,
    /// One that cannot be read does not hold up the others.
    pub event: Result<EventEnvelope, Unreadable>,
}

impl Stripe {
    /// Makes a customer; `body` is `CustomerRequest::body`.
    pub fn create_customer(&self, body: &str, key: &str, deadline: Deadline) -> Result<Customer, StripeError> {
        Ok(Customer::read(&self.post("/v1/customers", body, key, deadline)?)?)
    }

    /// Makes a session; `body` is `CheckoutRequest::body`. Its `url` is where the buyer pays.
    pub fn create_checkout_session(
        &self,
        body: &str,
        key: &str,
        deadline: Deadline,
    ) -> Result<CheckoutSession, StripeError> {
        Ok(CheckoutSession::read(&self.post("/v1/checkout/sessions", body, key, deadline)?)?)
    }

    /// Makes a link to the customer portal; `body` is `PortalRequest::body`. It opens once, within minutes.
    pub fn create_portal_session(&self, body: &str, key: &str, deadline: Deadline) -> Result<String, StripeError> {
        let value = self.post("/v1/billing_portal/sessions", body, key, deadline)?;
        let fields = Fields::of("portal session", &value)?;
        Ok(fields.text("/url")?.ok_or_else(|| fields.missing("/url"))?)
    }

    /// A session with the first of its line items; when there are more, [`Stripe::list_line_items`] has all.
    pub fn checkout_session(&self, id: &str, deadline: Deadline) -> Result<CheckoutSession, StripeError> {
        self.one("/v1/checkout/sessions/", id, &[("expand[]", "line_items")], CheckoutSession::read, deadline)
    }

    /// All line items of a session.
    pub fn list_line_items(&self, session: &str, deadline: Deadline) -> Result<Vec<LineItem>, StripeError> {
        let path = format!("/v1/checkout/sessions/{}/line_items", checked(session)?);
        self.all(&path, &[], LineItem::read, deadline)
    }

    /// A price.
    pub fn price(&self, id: &str, deadline: Deadline) -> Result<Price, StripeError> {
        self.one("/v1/prices/", id, &[], Price::read, deadline)
    }

    /// A subscription as it is now: where the order of events cannot be told, this decides.
    pub fn subscription(&self, id: &str, deadline: Deadline) -> Result<Subscription, StripeError> {
        self.one("/v1/subscriptions/", id, &[], Subscription::read, deadline)
    }

    /// An invoice with its payments and the first of its lines; when there are more, [`Stripe::list_invoice_lines`] has
    /// all.
    pub fn invoice(&self, id: &str, deadline: Deadline) -> Result<Invoice, StripeError> {
        self.one("/v1/invoices/", id, &[("expand[]", "payments")], Invoice::read, deadline)
    }

    /// A credit note.
    pub fn credit_note(&self, id: &str, deadline: Deadline) -> Result<CreditNote, StripeError> {
        self.one("/v1/credit_notes/", id, &[], CreditNote::read, deadline)
    }

    /// All lines of an invoice.
    pub fn list_invoice_lines(&self, invoice: &str, deadline: Deadline) -> Result<Vec<InvoiceLine>, StripeError> {
        let path = format!("/v1/invoices/{}/lines", checked(invoice)?);
        self.all(&path, &[], InvoiceLine::read, deadline)
    }

    /// The invoice payments made with a payment intent: which invoice it paid, since it no longer says so itself.
    pub fn invoice_payments_of(
        &self,
        payment_intent: &str,
        deadline: Deadline,
    ) -> Result<Vec<InvoicePayment>, StripeError> {
        let query = [("payment[type]", "payment_intent"), ("payment[payment_intent]", payment_intent)];
        self.all("/v1/invoice_payments", &query, InvoicePayment::read, deadline)
    }

    /// The checkout session that a payment intent belongs to, if one made it.
    pub fn session_of_payment(
        &self,
        payment_intent: &str,
        deadline: Deadline,
    ) -> Result<Option<CheckoutSession>, StripeError> {
        let query = [("payment_intent", payment_intent), ("limit", "1")];
        let found = List::read(&self.get("/v1/checkout/sessions", &query, deadline)?, CheckoutSession::read)?;
        Ok(found.rows.into_iter().next())
    }

    /// All refunds of a payment intent.
    pub fn refunds_of(&self, payment_intent: &str, deadline: Deadline) -> Result<Vec<Refund>, StripeError> {
        self.all("/v1/refunds", &[("payment_intent", payment_intent)], Refund::read, deadline)
    }

    /// A page of events.
    pub fn list_events(&self, filter: &EventFilter, deadline: Deadline) -> Result<List<ListedEvent>, StripeError> {
        let mut query: Vec<(&str, &str)> = filter.kinds.iter().map(|kind| ("types[]", kind.as_str())).collect();
        if filter.undelivered {
            query.push(("delivery_success", "false"));
        }
        let listed = |value: &Value| Ok(ListedEvent { body: value.to_string(), event: EventEnvelope::read(value) });
        self.page("/v1/events", &query, &filter.page, listed, deadline)
    }

    fn one<T>(
        &self,
        folder: &str,
        id: &str,
        query: &[(&str, &str)],
        read: impl Fn(&Value) -> Result<T, Unreadable>,
        deadline: Deadline,
    ) -> Result<T, StripeError> {
        Ok(read(&self.get(&format!("{folder}{}", checked(id)?), query, deadline)?)?)
    }

    pub(super) fn page<T>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        page_query: &ListQuery,
        row: impl Fn(&Value) -> Result<T, Unreadable>,
        deadline: Deadline,
    ) -> Result<List<T>, StripeError> {
        let seconds = |at: Option<Timestamp>| at.map(|at| at.seconds().to_string());
        let (created_from, created_to) = (seconds(page_query.created_from), seconds(page_query.created_to));
        let mut query = query.to_vec();
        query.push(("limit", PAGE));
        query.extend(created_from.as_deref().map(|seconds| ("created[gte]", seconds)));
        query.extend(created_to.as_deref().map(|seconds| ("created[lte]", seconds)));
        query.extend(page_query.after.as_deref().map(|id| ("starting_after", id)));
        Ok(List::read(&self.get(path, &query, deadline)?, row)?)
    }

    fn all<T>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        row: impl Fn(&Value) -> Result<T, Unreadable>,
        deadline: Deadline,
    ) -> Result<Vec<T>, StripeError> {
        let mut rows = Vec::new();
        let mut page_query = ListQuery::default();
        for _ in 0..PAGES_LIMIT {
            let page = self.page(path, query, &page_query, &row, deadline)?;
            rows.extend(page.rows);
            if !page.has_more || page.last_id.is_none() {
                return Ok(rows);
            }
            page_query.after = page.last_id;
        }
        Err(Unreadable::new("the list has more than 5,000 rows"))?
    }
}

/// An id as a part of a path. What cannot be an id of Stripe's is at Stripe for certain not found, and is not sent: it may
/// come from a browser.
fn checked(id: &str) -> Result<&str, StripeError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if (1..=255).contains(&id.len()) && id.bytes().all(allowed) {
        return Ok(id);
    }
    let kind = StripeErrorKind::Missing { param: Some("id".to_owned()) };
    Err(StripeError::unsent(kind, "not asked: this cannot be one of Stripe's ids"))
}
