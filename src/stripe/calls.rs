//! The calls that till makes, each with its path, parameters and result. `client` sends them.

use serde_json::Value;

use crate::clock::{Deadline, Timestamp};
use crate::stripe::client::Stripe;
use crate::stripe::error::{StripeError, StripeErrorKind};
use crate::stripe::event::EventEnvelope;
use crate::stripe::objects::{
    BalanceTransaction, CheckoutSession, CreditNote, Customer, Fields, Invoice, InvoiceLine, InvoicePayment, LineItem,
    List, PaymentIntent, Price, Refund, Subscription, Unreadable,
};

/// Rows per page: Stripe's maximum.
const PAGE: &str = "100";

/// The most pages that are read of one list: 5,000 rows.
const PAGES_LIMIT: usize = 50;

/// Which page of a list to read. Lists are newest first.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only rows created at this time or later, in whole seconds.
    pub created_from: Option<Timestamp>,
    /// Only rows created at this time or earlier, in whole seconds.
    pub created_to: Option<Timestamp>,
    /// Only rows after this one: the `last_id` of the previous page. New rows at the head do not shift it.
    pub after: Option<String>,
}

/// Which events to read: one page, newest first. Stripe keeps events for 30 days.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    pub page: ListQuery,
    /// At most 20 types; all when empty.
    pub kinds: Vec<String>,
    /// Only events that could not be delivered to every webhook endpoint.
    pub undelivered: bool,
}

/// A row of the list of events.
#[derive(Clone, Debug)]
pub struct ListedEvent {
    /// Its JSON, stored like a webhook's body.
    pub body: String,
    pub event: EventEnvelope,
}

/// A row of a list that cannot be read. It does not stop the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRow {
    /// `-` if not even the id can be read.
    pub id: String,
    /// `None` if not even this can be read.
    pub created: Option<Timestamp>,
    pub cause: Unreadable,
}

impl UnreadableRow {
    pub(super) fn of(value: &Value, cause: Unreadable) -> UnreadableRow {
        let id = value.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()).unwrap_or("-");
        let created = value.get("created").and_then(Value::as_i64).map(Timestamp::from_seconds);
        UnreadableRow { id: id.to_owned(), created, cause }
    }
}

impl Stripe {
    /// Creates a customer. `body` comes from `CustomerRequest::body`.
    pub fn create_customer(&self, body: &str, key: &str, deadline: Deadline) -> Result<Customer, StripeError> {
        Ok(Customer::read(&self.post("/v1/customers", body, key, deadline)?)?)
    }

    /// Changes what `body` names of a customer. It comes from `CustomerRequest::body`.
    pub fn update_customer(
        &self,
        id: &str,
        body: &str,
        key: &str,
        deadline: Deadline,
    ) -> Result<Customer, StripeError> {
        Ok(Customer::read(&self.post(&format!("/v1/customers/{}", checked(id)?), body, key, deadline)?)?)
    }

    /// Creates a session. `body` comes from `CheckoutRequest::body`. The buyer pays at the session's `url`.
    pub fn create_checkout_session(
        &self,
        body: &str,
        key: &str,
        deadline: Deadline,
    ) -> Result<CheckoutSession, StripeError> {
        Ok(CheckoutSession::read(&self.post("/v1/checkout/sessions", body, key, deadline)?)?)
    }

    /// Expires an open session: nobody can pay it any more. Stripe refuses if it is not open.
    pub fn expire_checkout_session(
        &self,
        id: &str,
        key: &str,
        deadline: Deadline,
    ) -> Result<CheckoutSession, StripeError> {
        let path = format!("/v1/checkout/sessions/{}/expire", checked(id)?);
        Ok(CheckoutSession::read(&self.post(&path, "", key, deadline)?)?)
    }

    /// Creates a link to the customer portal. `body` comes from `PortalRequest::body`. The link opens once, within
    /// minutes.
    pub fn create_portal_session(&self, body: &str, key: &str, deadline: Deadline) -> Result<String, StripeError> {
        let value = self.post("/v1/billing_portal/sessions", body, key, deadline)?;
        let fields = Fields::of("portal session", &value)?;
        Ok(fields.text("/url")?.ok_or_else(|| fields.missing("/url"))?)
    }

    /// A session with the first of its line items. If there are more, [`Stripe::list_line_items`] returns all.
    pub fn checkout_session(&self, id: &str, deadline: Deadline) -> Result<CheckoutSession, StripeError> {
        self.one("/v1/checkout/sessions/", id, &[("expand[]", "line_items")], CheckoutSession::read, deadline)
    }

    /// All line items of a session.
    pub fn list_line_items(&self, session: &str, deadline: Deadline) -> Result<Vec<LineItem>, StripeError> {
        let path = format!("/v1/checkout/sessions/{}/line_items", checked(session)?);
        self.all(&path, &[], LineItem::read, deadline)
    }

    /// Reads a price, with what it costs in each of its currencies.
    pub fn price(&self, id: &str, deadline: Deadline) -> Result<Price, StripeError> {
        self.one("/v1/prices/", id, &[("expand[]", "currency_options")], Price::read, deadline)
    }

    /// A subscription as it is now. It decides where the order of events is unclear.
    pub fn subscription(&self, id: &str, deadline: Deadline) -> Result<Subscription, StripeError> {
        self.one("/v1/subscriptions/", id, &[("expand[]", "schedule")], Subscription::read, deadline)
    }

    /// Reads a customer. One that was deleted is still known by its id.
    pub fn customer(&self, id: &str, deadline: Deadline) -> Result<Customer, StripeError> {
        self.one("/v1/customers/", id, &[], Customer::read, deadline)
    }

    /// Deletes a customer, for good: with it go name, address and cards. Its subscriptions end at once. What it paid stays.
    pub fn delete_customer(&self, id: &str, deadline: Deadline) -> Result<(), StripeError> {
        let path = format!("/v1/customers/{}", checked(id)?);
        self.delete(&path, deadline).map(drop)
    }

    /// Reads a payment intent.
    pub fn payment_intent(&self, id: &str, deadline: Deadline) -> Result<PaymentIntent, StripeError> {
        self.one("/v1/payment_intents/", id, &[], PaymentIntent::read, deadline)
    }

    /// An invoice with its payments and the first of its lines. If there are more, [`Stripe::list_invoice_lines`]
    /// returns all.
    pub fn invoice(&self, id: &str, deadline: Deadline) -> Result<Invoice, StripeError> {
        self.one("/v1/invoices/", id, &[("expand[]", "payments")], Invoice::read, deadline)
    }

    /// Reads a credit note.
    pub fn credit_note(&self, id: &str, deadline: Deadline) -> Result<CreditNote, StripeError> {
        self.one("/v1/credit_notes/", id, &[], CreditNote::read, deadline)
    }

    /// All lines of an invoice.
    pub fn list_invoice_lines(&self, invoice: &str, deadline: Deadline) -> Result<Vec<InvoiceLine>, StripeError> {
        let path = format!("/v1/invoices/{}/lines", checked(invoice)?);
        self.all(&path, &[], InvoiceLine::read, deadline)
    }

    /// The invoice payments made with a payment intent. They name the invoice that it paid, which a payment intent
    /// itself no longer does.
    pub fn invoice_payments_of(
        &self,
        payment_intent: &str,
        deadline: Deadline,
    ) -> Result<Vec<InvoicePayment>, StripeError> {
        let query = [("payment[type]", "payment_intent"), ("payment[payment_intent]", payment_intent)];
        self.all("/v1/invoice_payments", &query, InvoicePayment::read, deadline)
    }

    /// The checkout session that a payment intent belongs to, if it came from one.
    pub fn session_of_payment(
        &self,
        payment_intent: &str,
        deadline: Deadline,
    ) -> Result<Option<CheckoutSession>, StripeError> {
        let query = [("payment_intent", payment_intent), ("limit", "1")];
        let sessions = List::read(&self.get("/v1/checkout/sessions", &query, deadline)?, CheckoutSession::read)?;
        Ok(sessions.rows.into_iter().next())
    }

    /// The checkout session that made an invoice, if it is among the customer's hundred newest.
    pub fn session_of_invoice(
        &self,
        customer: &str,
        invoice: &str,
        deadline: Deadline,
    ) -> Result<Option<CheckoutSession>, StripeError> {
        let query = [("customer", customer)];
        let page =
            self.page("/v1/checkout/sessions", &query, &ListQuery::default(), CheckoutSession::read, deadline)?;
        Ok(page.rows.into_iter().find(|session| session.invoice.as_deref() == Some(invoice)))
    }

    /// All refunds of a payment intent.
    pub fn refunds_of(&self, payment_intent: &str, deadline: Deadline) -> Result<Vec<Refund>, StripeError> {
        self.all("/v1/refunds", &[("payment_intent", payment_intent)], Refund::read, deadline)
    }

    /// One page of balance transactions, each with its charge, refund or dispute.
    pub fn balance_transactions(
        &self,
        page: &ListQuery,
        deadline: Deadline,
    ) -> Result<List<BalanceTransaction>, StripeError> {
        let query = [("expand[]", "data.source")];
        self.page("/v1/balance_transactions", &query, page, BalanceTransaction::read, deadline)
    }

    /// One page of events. A row that cannot be read does not stop the others.
    pub fn list_events(
        &self,
        filter: &EventFilter,
        deadline: Deadline,
    ) -> Result<List<Result<ListedEvent, UnreadableRow>>, StripeError> {
        let mut query: Vec<(&str, &str)> = filter.kinds.iter().map(|kind| ("types[]", kind.as_str())).collect();
        if filter.undelivered {
            query.push(("delivery_success", "false"));
        }
        let read_row = |value: &Value| {
            let event = EventEnvelope::read(value).map_err(|cause| UnreadableRow::of(value, cause));
            Ok(event.map(|event| ListedEvent { body: value.to_string(), event }))
        };
        self.page("/v1/events", &query, &filter.page, read_row, deadline)
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
        let created_from = seconds(page_query.created_from);
        let created_to = seconds(page_query.created_to);
        let mut query = query.to_vec();
        query.push(("limit", PAGE));
        query.extend(created_from.as_deref().map(|seconds| ("created[gte]", seconds)));
        query.extend(created_to.as_deref().map(|seconds| ("created[lte]", seconds)));
        query.extend(page_query.after.as_deref().map(|id| ("starting_after", id)));
        let page = List::read(&self.get(path, &query, deadline)?, row)?;
        if page.has_more && page.last_id.is_none() {
            // To end here would pass off a part of the list as all of it.
            Err(Unreadable::new("the list has more rows, and none that is here has an id"))?;
        }
        Ok(page)
    }

    pub(super) fn all<T>(
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
            if !page.has_more {
                return Ok(rows);
            }
            page_query.after = page.last_id;
        }
        Err(Unreadable::new("the list has more than 5,000 rows"))?
    }
}

/// An id as part of a path. It may come from a browser. One that cannot be Stripe's is not sent, since Stripe would not
/// find it.
pub(super) fn checked(id: &str) -> Result<&str, StripeError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if (1..=255).contains(&id.len()) && id.bytes().all(allowed) {
        return Ok(id);
    }
    let kind = StripeErrorKind::Missing { param: Some("id".to_owned()) };
    Err(StripeError::unsent(kind, "not sent: this cannot be a Stripe id"))
}
