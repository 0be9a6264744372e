//! Invoices with their lines, and the payments that settle them. API version 2025-03-31 (basil) moved most of their
//! fields. Each is read from both places.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::stripe::objects::checkout::CheckoutSession;
use crate::stripe::objects::fields::{Fields, List, Unreadable};

/// An invoice (`in_…`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    pub id: String,
    /// `draft`, `open`, `paid`, `uncollectible` or `void`.
    pub status: String,
    /// Why Stripe created it: `subscription_create`, `subscription_cycle`, `subscription_update`, `manual` …
    pub billing_reason: String,
    pub customer: Option<String>,
    pub subscription: Option<String>,
    /// The subscription's metadata when the invoice became final.
    pub subscription_metadata: BTreeMap<String, String>,
    pub metadata: BTreeMap<String, String>,
    /// Minor units, after discounts and taxes; negative when the customer is owed.
    pub total: Option<i64>,
    /// Minor units before discounts and taxes.
    pub subtotal: Option<i64>,
    /// Minor units that credit notes took off the total before it was paid.
    pub credited_before: i64,
    /// Minor units. Zero does not mean unpaid: a credit balance pays too.
    pub amount_paid: Option<i64>,
    /// Minor units that are still to be paid.
    pub amount_remaining: Option<i64>,
    /// How often its payment was tried.
    pub attempts: i64,
    /// When its payment is tried again by itself.
    pub next_attempt_at: Option<Timestamp>,
    /// Where it is sent and not charged.
    pub due_date: Option<Timestamp>,
    /// Three letters, lower case.
    pub currency: Option<String>,
    /// Whether it was marked as paid although Stripe did not take the money.
    pub paid_out_of_band: bool,
    /// Since 2025-03-31 only when the payments were requested.
    pub payment_intent: Option<String>,
    /// Only before 2025-03-31.
    pub charge: Option<String>,
    /// Stripe includes the first ten. The rest must be requested, or all if none are here.
    pub lines: List<InvoiceLine>,
    /// As people read it: `ABCD-0001`.
    pub number: Option<String>,
    /// Stripe's page with the invoice.
    pub hosted_url: Option<String>,
    pub created: Option<Timestamp>,
    pub paid_at: Option<Timestamp>,
    /// `None` when Stripe did not say.
    pub livemode: Option<bool>,
    /// The checkout session that created it, for a pack sold with `invoice_creation`. Stripe's object does not name it:
    /// `prefetch` asks.
    pub checkout: Option<Box<CheckoutSession>>,
    /// Stripe was asked for more of it, and does not know it, or not the checkout that it belongs to.
    pub is_unknown_to_stripe: bool,
}

impl Invoice {
    /// Reads it from Stripe's JSON.
    pub fn read(value: &Value) -> Result<Invoice, Unreadable> {
        let fields = Fields::of("invoice", value)?;
        let off_stripe = fields.whole("/amount_paid_off_stripe")?.is_some_and(|amount| amount > 0);
        Ok(Invoice {
            id: fields.id()?,
            status: fields.word("/status")?,
            billing_reason: fields.word("/billing_reason")?,
            customer: fields.reference("/customer")?,
            subscription: fields.first_reference(&["/parent/subscription_details/subscription", "/subscription"])?,
            subscription_metadata: fields
                .metadata(&["/parent/subscription_details/metadata", "/subscription_details/metadata"])?,
            metadata: fields.metadata(&["/metadata"])?,
            total: fields.whole("/total")?,
            subtotal: fields.whole("/subtotal")?,
            credited_before: fields.whole("/pre_payment_credit_notes_amount")?.unwrap_or(0).max(0),
            amount_paid: fields.whole("/amount_paid")?,
            amount_remaining: fields.whole("/amount_remaining")?,
            attempts: fields.whole("/attempt_count")?.unwrap_or(0),
            next_attempt_at: fields.time("/next_payment_attempt")?,
            due_date: fields.time("/due_date")?,
            currency: fields.text("/currency")?,
            paid_out_of_band: off_stripe || fields.first_flag(&["/paid_out_of_band"])?,
            payment_intent: match paid_payment_intent(&fields)? {
                Some(id) => Some(id),
                None => fields.reference("/payment_intent")?,
            },
            charge: fields.reference("/charge")?,
            lines: fields.list("/lines", InvoiceLine::read)?,
            number: fields.text("/number")?,
            hosted_url: fields.text("/hosted_invoice_url")?.filter(|url| url.starts_with("http")),
            created: fields.time("/created")?,
            paid_at: fields.time("/status_transitions/paid_at")?,
            livemode: fields.flag("/livemode")?,
            checkout: None,
            is_unknown_to_stripe: false,
        })
    }

    /// Whether it is paid, by whatever means. Its lines say what was bought, never `amount_paid`.
    pub fn is_paid(&self) -> bool {
        self.status == "paid"
    }
}

/// The payment intent of an included payment that is paid, else of the default payment.
fn paid_payment_intent(fields: &Fields<'_>) -> Result<Option<String>, Unreadable> {
    let Some(payments) = fields.included("/payments", InvoicePayment::read)? else { return Ok(None) };
    let paid = payments.rows.iter().find(|payment| payment.is_paid() && payment.payment_intent.is_some());
    let default = payments.rows.iter().find(|payment| payment.is_default);
    Ok(paid.or(default).and_then(|payment| payment.payment_intent.clone()))
}

/// One line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceLine {
    /// `il_…`; the same line may have another id in another list.
    pub id: String,
    pub price: Option<String>,
    pub product: Option<String>,
    pub quantity: Option<i64>,
    /// Minor units before discounts and taxes; negative where paid time is credited.
    pub amount: i64,
    /// Three letters, lower case.
    pub currency: Option<String>,
    /// Whether it settles a change within a period, and not a whole period.
    pub proration: bool,
    pub subscription: Option<String>,
    pub subscription_item: Option<String>,
    pub period_start: Option<Timestamp>,
    pub period_end: Option<Timestamp>,
    /// What a proration gives back, where Stripe names it.
    pub credited: Option<CreditedLines>,
    /// Stripe's words, in English.
    pub description: Option<String>,
    /// What one of the price costs in the invoice's currency. Stripe's line does not say it free of discounts: `prefetch`
    /// asks where the period does not tell the share.
    pub unit_amount: Option<i64>,
    /// The billing period that a proration lies in, where `prefetch` found it at the subscription.
    pub billing_period: Option<(Timestamp, Timestamp)>,
}

/// The lines of an earlier invoice whose paid time a proration gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditedLines {
    pub invoice: Option<String>,
    pub lines: Vec<String>,
}

impl InvoiceLine {
    /// Reads it from Stripe's JSON.
    pub fn read(value: &Value) -> Result<InvoiceLine, Unreadable> {
        let fields = Fields::of("invoice line", value)?;
        Ok(InvoiceLine {
            id: fields.id()?,
            price: fields.first_reference(&["/pricing/price_details/price", "/price", "/plan"])?,
            product: fields.first_reference(&["/pricing/price_details/product", "/price/product", "/plan/product"])?,
            quantity: fields.whole("/quantity")?,
            amount: fields.whole("/amount")?.ok_or_else(|| fields.missing("/amount"))?,
            currency: fields.text("/currency")?,
            proration: fields.first_flag(&[
                "/parent/subscription_item_details/proration",
                "/parent/invoice_item_details/proration",
                "/proration",
            ])?,
            subscription: fields.first_reference(&[
                "/parent/subscription_item_details/subscription",
                "/parent/invoice_item_details/subscription",
                "/subscription",
            ])?,
            subscription_item: fields
                .first_reference(&["/parent/subscription_item_details/subscription_item", "/subscription_item"])?,
            period_start: fields.time("/period/start")?,
            period_end: fields.time("/period/end")?,
            credited: credited_lines(&fields)?,
            // A clue, and no more: an odd one is none.
            description: fields.text("/description").unwrap_or_default(),
            unit_amount: None,
            billing_period: None,
        })
    }

    /// Whether it is for sure a proration that gives back.
    pub fn is_credit(&self) -> bool {
        self.proration && (self.amount < 0 || self.credited.is_some() || self.is_of_unused_time() == Some(true))
    }

    /// Whether a proration is of unused time, and not of remaining time, where Stripe's words tell.
    pub fn is_of_unused_time(&self) -> Option<bool> {
        let words = self.description.as_deref()?;
        if words.starts_with("Unused time ") {
            return Some(true);
        }
        words.starts_with("Remaining time ").then_some(false)
    }

    /// The time that the line bills, if it says one.
    pub fn period(&self) -> Option<(Timestamp, Timestamp)> {
        self.period_start.zip(self.period_end).filter(|(start, end)| start < end)
    }
}

fn credited_lines(fields: &Fields<'_>) -> Result<Option<CreditedLines>, Unreadable> {
    const PLACES: [&str; 3] = [
        "/parent/subscription_item_details/proration_details/credited_items",
        "/parent/invoice_item_details/proration_details/credited_items",
        "/proration_details/credited_items",
    ];
    let Some(place) = PLACES.into_iter().find(|place| fields.value(place).is_some()) else { return Ok(None) };
    let lines = fields.array(&format!("{place}/invoice_line_items"))?.map(Vec::as_slice).unwrap_or_default();
    Ok(Some(CreditedLines {
        invoice: fields.reference(&format!("{place}/invoice"))?,
        lines: lines.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    }))
}

/// Connects an invoice to a payment since 2025-03-31 (`inpay_…`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoicePayment {
    pub id: String,
    /// `open`, `paid` or `canceled`.
    pub status: String,
    pub invoice: Option<String>,
    /// Stripe's object has only the id: `prefetch` asks for the invoice if the books do not have it.
    pub paid_invoice: Option<Box<Invoice>>,
    /// `None` if it was not paid through a payment intent of Stripe's.
    pub payment_intent: Option<String>,
    /// Where there is no payment intent.
    pub charge: Option<String>,
    /// Minor units.
    pub amount_paid: Option<i64>,
    /// Whether Stripe itself made this payment for the invoice.
    pub is_default: bool,
    /// `None` when Stripe did not say.
    pub livemode: Option<bool>,
}

impl InvoicePayment {
    /// Reads it from Stripe's JSON.
    pub fn read(value: &Value) -> Result<InvoicePayment, Unreadable> {
        let fields = Fields::of("invoice payment", value)?;
        Ok(InvoicePayment {
            id: fields.id()?,
            status: fields.word("/status")?,
            invoice: fields.reference("/invoice")?,
            paid_invoice: None,
            payment_intent: fields.reference("/payment/payment_intent")?,
            charge: fields.reference("/payment/charge")?,
            amount_paid: fields.whole("/amount_paid")?,
            is_default: fields.first_flag(&["/is_default"])?,
            livemode: fields.flag("/livemode")?,
        })
    }

    /// Whether the payment went through.
    pub fn is_paid(&self) -> bool {
        self.status == "paid"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn old() -> Value {
        json!({
            "id": "in_1", "status": "paid", "paid": true, "subscription": "sub_1", "payment_intent": {"id": "pi_1"},
            "charge": "ch_1", "paid_out_of_band": true, "subscription_details": {"metadata": {"user_id": "alice"}},
            "lines": {"has_more": true, "data": [{"id": "il_1", "amount": -1450, "quantity": 1, "proration": true,
                "price": {"id": "price_1"}, "subscription": "sub_1", "subscription_item": "si_1",
                "period": {"start": 1, "end": 2}}]},
        })
    }

    fn new() -> Value {
        let details = json!({"proration": true, "subscription": "sub_1", "subscription_item": "si_1"});
        json!({
            "id": "in_1", "status": "paid", "amount_paid_off_stripe": 2900, "charge": "ch_1",
            "parent": {"subscription_details": {"subscription": "sub_1", "metadata": {"user_id": "alice"}}},
            "payments": {"data": [
                {"id": "inpay_0", "status": "canceled", "is_default": true, "payment": {"payment_intent": "pi_0"}},
                {"id": "inpay_1", "status": "paid", "payment": {"payment_intent": {"id": "pi_1"}}},
            ]},
            "lines": {"has_more": true, "data": [{"id": "il_1", "amount": -1450, "quantity": 1,
                "pricing": {"price_details": {"price": "price_1"}, "unit_amount_decimal": "-1450"},
                "parent": {"invoice_item_details": null, "subscription_item_details": details},
                "period": {"start": 1, "end": 2}}]},
        })
    }

    #[test]
    fn both_shapes_read_the_same() {
        let invoice = Invoice::read(&new()).unwrap();
        assert_eq!(Invoice::read(&old()).unwrap(), invoice);
        assert_eq!((invoice.subscription.as_deref(), invoice.payment_intent.as_deref()), (Some("sub_1"), Some("pi_1")));
        assert!(invoice.is_paid() && invoice.paid_out_of_band && invoice.lines.has_more);
        assert_eq!(invoice.subscription_metadata["user_id"], "alice");
        let line = &invoice.lines.rows[0];
        assert_eq!((line.price.as_deref(), line.amount, line.proration), (Some("price_1"), -1450, true));
        assert_eq!((line.subscription.as_deref(), line.subscription_item.as_deref()), (Some("sub_1"), Some("si_1")));
    }

    #[test]
    fn the_new_place_wins_where_both_are_there() {
        let mut mixed = old();
        mixed["parent"] = json!({"subscription_details": {"subscription": "sub_2", "metadata": null}});
        let invoice = Invoice::read(&mixed).unwrap();
        assert_eq!(invoice.subscription.as_deref(), Some("sub_2"));
        assert_eq!(invoice.subscription_metadata["user_id"], "alice");
    }

    #[test]
    fn only_the_status_says_paid_and_lines_left_out_have_to_be_asked_for() {
        for (value, paid) in [
            (json!({"id": "in_1", "status": "paid", "amount_paid": 0}), true),
            (json!({"id": "in_1", "status": "open", "amount_paid": 100, "paid": true}), false),
            (json!({"id": "in_1", "status": "paid_somehow"}), false),
            (json!({"id": "in_1"}), false),
        ] {
            let invoice = Invoice::read(&value).unwrap();
            assert_eq!(invoice.is_paid(), paid, "{value}");
            assert!(invoice.lines.has_more && invoice.lines.rows.is_empty());
        }
    }
}
