//! What a purchase in Stripe Checkout consists of: the session, its line items, the price, the customer.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::stripe::objects::fields::{Fields, List, Unreadable};

/// A Checkout Session (`cs_…`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutSession {
    pub id: String,
    /// `payment`, `subscription` or `setup`.
    pub mode: String,
    /// `open`, `complete` or `expired`.
    pub status: String,
    /// `paid`, `unpaid` or `no_payment_required`: see [`CheckoutSession::is_paid`].
    pub payment_status: String,
    /// `None` for a free order, a subscription, or before the buyer paid.
    pub payment_intent: Option<String>,
    /// The invoice of a subscription, or of a payment with `invoice_creation`.
    pub invoice: Option<String>,
    pub subscription: Option<String>,
    /// `None` for a guest.
    pub customer: Option<String>,
    pub client_reference_id: Option<String>,
    /// Stripe does not copy it to the payment intent or the subscription.
    pub metadata: BTreeMap<String, String>,
    /// Minor units, before discounts and taxes.
    pub amount_subtotal: Option<i64>,
    /// Minor units, after discounts and taxes.
    pub amount_total: Option<i64>,
    /// Three letters, lower case.
    pub currency: Option<String>,
    /// The currency of the price, and the subtotal in it. Set where an API version before 2025-03-31 states the amounts
    /// above in the buyer's own currency (adaptive pricing).
    pub converted_from: Option<(String, i64)>,
    /// The total in other currencies, as Stripe states it where it converts the price for the buyer (adaptive pricing).
    /// Which of them is `amount_total` depends on the API version that describes the session.
    pub other_totals: Vec<(i64, String)>,
    /// Where the buyer pays; `None` once the session is no longer open.
    pub url: Option<String>,
    /// `None` when Stripe did not say.
    pub livemode: Option<bool>,
    pub created: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub payment_link: Option<String>,
    /// Only when requested.
    pub line_items: Option<List<LineItem>>,
}

impl CheckoutSession {
    /// Reads it from Stripe's JSON.
    pub fn read(value: &Value) -> Result<CheckoutSession, Unreadable> {
        let fields = Fields::of("checkout session", value)?;
        Ok(CheckoutSession {
            id: fields.id()?,
            mode: fields.word("/mode")?,
            status: fields.word("/status")?,
            payment_status: fields.word("/payment_status")?,
            payment_intent: fields.reference("/payment_intent")?,
            invoice: fields.reference("/invoice")?,
            subscription: fields.reference("/subscription")?,
            customer: fields.reference("/customer")?,
            client_reference_id: fields.text("/client_reference_id")?,
            metadata: fields.metadata(&["/metadata"])?,
            amount_subtotal: fields.whole("/amount_subtotal")?,
            amount_total: fields.whole("/amount_total")?,
            currency: fields.text("/currency")?,
            converted_from: fields
                .text("/currency_conversion/source_currency")?
                .zip(fields.whole("/currency_conversion/amount_subtotal")?),
            other_totals: other_totals(&fields)?,
            url: fields.text("/url")?,
            livemode: fields.flag("/livemode")?,
            created: fields.time("/created")?,
            expires_at: fields.time("/expires_at")?,
            payment_link: fields.reference("/payment_link")?,
            line_items: fields.included("/line_items", LineItem::read)?,
        })
    }

    /// Whether Stripe says that nothing is owed: `paid`, or `no_payment_required` (a full discount).
    ///
    /// Stripe also says the latter of a session in setup mode, of one that begins a trial, and of one that is still
    /// open. [`CheckoutSession::is_bought`] says whether something was sold.
    pub fn is_paid(&self) -> bool {
        matches!(self.payment_status.as_str(), "paid" | "no_payment_required")
    }

    /// Whether the money has arrived, or none was owed ("Fulfill orders"). Money counts however the session ended.
    /// Owing nothing counts only after the buyer has finished, since an open or abandoned session may owe nothing too.
    pub fn is_bought(&self) -> bool {
        let is_finished = !self.is_open() && !self.is_expired();
        (self.is_payment() || self.is_subscription())
            && (self.payment_status == "paid" || (self.is_paid() && is_finished))
    }

    /// The subtotal before discounts and taxes, in minor units of `currency`. `None` if Stripe states it only in
    /// another currency.
    pub fn subtotal_in(&self, currency: &str) -> Option<i64> {
        let converted =
            self.converted_from.iter().find(|(source, _)| source == currency).map(|(_, subtotal)| *subtotal);
        converted.or(self.amount_subtotal.filter(|_| self.currency.as_deref() == Some(currency)))
    }

    /// Whether it sells something once (a pack), and not a subscription or a card set up for later.
    pub fn is_payment(&self) -> bool {
        self.mode == "payment"
    }

    /// Whether it sells a subscription (a plan).
    pub fn is_subscription(&self) -> bool {
        self.mode == "subscription"
    }

    /// Whether the buyer has not finished yet.
    pub fn is_open(&self) -> bool {
        self.status == "open"
    }

    /// Whether it ended before the buyer finished.
    pub fn is_expired(&self) -> bool {
        self.status == "expired"
    }
}

fn other_totals(fields: &Fields<'_>) -> Result<Vec<(i64, String)>, Unreadable> {
    let presented = fields
        .whole("/presentment_details/presentment_amount")?
        .zip(fields.text("/presentment_details/presentment_currency")?);
    let converted =
        fields.whole("/currency_conversion/amount_total")?.zip(fields.text("/currency_conversion/source_currency")?);
    Ok([presented, converted].into_iter().flatten().collect())
}

/// One thing sold in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineItem {
    pub id: String,
    /// `None` for a price made up for this session only.
    pub price: Option<String>,
    pub product: Option<String>,
    /// The buyer may have changed it.
    pub quantity: Option<i64>,
    /// Minor units, after discounts and taxes.
    pub amount_total: Option<i64>,
}

impl LineItem {
    /// Reads it from Stripe's JSON.
    pub fn read(value: &Value) -> Result<LineItem, Unreadable> {
        let fields = Fields::of("line item", value)?;
        Ok(LineItem {
            id: fields.id()?,
            price: fields.reference("/price")?,
            product: fields.reference("/price/product")?,
            quantity: fields.whole("/quantity")?,
            amount_total: fields.whole("/amount_total")?,
        })
    }
}

/// A price (`price_…`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    pub id: String,
    /// Whether it can be bought now. `None` when Stripe did not say.
    pub active: Option<bool>,
    /// `one_time` or `recurring`.
    pub kind: String,
    /// Three letters, lower case.
    pub currency: Option<String>,
    /// Minor units for one; `None` if it depends on the quantity or is fractional.
    pub unit_amount: Option<i64>,
    pub product: Option<String>,
    /// `exclusive`, `inclusive` or `unspecified`: whether tax comes on top. Empty when Stripe did not say.
    pub tax_behavior: String,
    /// `day`, `week`, `month` or `year`; empty for a price paid once.
    pub interval: String,
    /// The number of intervals between two payments.
    pub interval_count: Option<i64>,
    pub lookup_key: Option<String>,
    /// What one costs in further currencies, in their minor units. Only when they were asked for.
    pub currency_options: BTreeMap<String, i64>,
    pub metadata: BTreeMap<String, String>,
    /// `None` when Stripe did not say.
    pub livemode: Option<bool>,
}

impl Price {
    /// Reads it from Stripe's JSON.
    pub fn read(value: &Value) -> Result<Price, Unreadable> {
        let fields = Fields::of("price", value)?;
        Ok(Price {
            id: fields.id()?,
            active: fields.flag("/active")?,
            kind: fields.word("/type")?,
            currency: fields.text("/currency")?,
            unit_amount: fields.whole("/unit_amount")?,
            product: fields.reference("/product")?,
            tax_behavior: fields.word("/tax_behavior")?,
            interval: fields.word("/recurring/interval")?,
            interval_count: fields.whole("/recurring/interval_count")?,
            lookup_key: fields.text("/lookup_key")?,
            currency_options: currency_options(&fields),
            metadata: fields.metadata(&["/metadata"])?,
            livemode: fields.flag("/livemode")?,
        })
    }

    /// What one costs in a currency, in its minor unit. `None` where the price is not sold in it, or depends on the
    /// quantity.
    pub fn amount_in(&self, currency: &str) -> Option<i64> {
        if self.currency.as_deref() == Some(currency) {
            return self.unit_amount;
        }
        self.currency_options.get(currency).copied()
    }

    /// Whether it is paid repeatedly, like a plan's price.
    pub fn is_recurring(&self) -> bool {
        self.kind == "recurring"
    }
}

/// An option without a fixed amount, as of a tiered price, is left out.
fn currency_options(fields: &Fields<'_>) -> BTreeMap<String, i64> {
    let options = fields.value("/currency_options").and_then(Value::as_object);
    let amount = |option: &Value| option.get("unit_amount").and_then(Value::as_i64);
    let options = options.into_iter().flatten();
    options.filter_map(|(currency, option)| Some((currency.clone(), amount(option)?))).collect()
}

/// A customer (`cus_…`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    pub id: String,
    /// Deleted at Stripe: nothing else is known about it, and nothing can be sold to it.
    pub deleted: bool,
    /// May differ from ours. Customers are never looked up by it.
    pub email: Option<String>,
    pub name: Option<String>,
    pub metadata: BTreeMap<String, String>,
    /// `None` when Stripe did not say.
    pub livemode: Option<bool>,
}

impl Customer {
    /// Reads it from Stripe's JSON.
    pub fn read(value: &Value) -> Result<Customer, Unreadable> {
        let fields = Fields::of("customer", value)?;
        Ok(Customer {
            id: fields.id()?,
            deleted: fields.first_flag(&["/deleted"])?,
            email: fields.text("/email")?,
            name: fields.text("/name")?,
            metadata: fields.metadata(&["/metadata"])?,
            livemode: fields.flag("/livemode")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_two_words_mean_paid() {
        let rows = [
            (json!("paid"), true),
            (json!("no_payment_required"), true),
            (json!("unpaid"), false),
            (json!("paid_later"), false),
            (json!("PAID"), false),
            (json!(""), false),
            (json!(null), false),
        ];
        for (word, paid) in rows {
            let session = CheckoutSession::read(&json!({"id": "cs_1", "payment_status": word})).unwrap();
            assert_eq!(session.is_paid(), paid, "{word}");
        }
        assert!(!CheckoutSession::read(&json!({"id": "cs_1"})).unwrap().is_paid());
    }

    #[test]
    fn a_reference_is_an_id_or_an_object_with_one() {
        let rows = [
            (json!("pi_1"), Ok(Some("pi_1"))),
            (json!({"id": "pi_1", "object": "payment_intent"}), Ok(Some("pi_1"))),
            (json!(null), Ok(None)),
            (json!(""), Ok(None)),
            (json!({}), Err("the checkout session's payment_intent is not an id, or an object with one")),
            (json!(7), Err("the checkout session's payment_intent is not an id, or an object with one")),
        ];
        for (given, expected) in rows {
            let session = CheckoutSession::read(&json!({"id": "cs_1", "payment_intent": given}));
            let found = session.map(|session| session.payment_intent).map_err(|unreadable| unreadable.to_string());
            assert_eq!(found, expected.map(|id| id.map(str::to_owned)).map_err(str::to_owned), "{given}");
        }
    }

    #[test]
    fn line_items_are_read_when_they_are_included() {
        let session = CheckoutSession::read(&json!({
            "id": "cs_1", "metadata": {"user_id": "alice", "odd": 1},
            "line_items": {"data": [
                {"id": "li_1", "price": {"id": "price_1", "unit_amount_decimal": "2000"}, "quantity": 3},
                {"id": "li_2", "price": null, "quantity": null},
            ], "has_more": true},
        }))
        .unwrap();
        let items = session.line_items.unwrap();
        assert_eq!((items.rows[0].price.as_deref(), items.rows[0].quantity), (Some("price_1"), Some(3)));
        assert_eq!((items.rows[1].price.as_deref(), items.rows[1].quantity), (None, None));
        assert_eq!((items.has_more, items.last_id.as_deref()), (true, Some("li_2")));
        assert_eq!(session.metadata, BTreeMap::from([("user_id".to_owned(), "alice".to_owned())]));
        assert_eq!(CheckoutSession::read(&json!({"id": "cs_1"})).unwrap().line_items, None);
    }

    #[test]
    fn a_field_of_the_wrong_type_is_named() {
        let rows = [
            (json!({"id": "cs_1", "amount_total": "12"}), "amount_total is not a whole number of 64 bits"),
            (json!({"id": "cs_1", "amount_total": 1.5}), "amount_total is not a whole number of 64 bits"),
            (json!({"id": "cs_1", "amount_total": u64::MAX}), "amount_total is not a whole number of 64 bits"),
            (json!({"id": "cs_1", "mode": 1}), "mode is not text"),
            (json!({"id": "cs_1", "livemode": "no"}), "livemode is not true or false"),
            (json!({"id": "cs_1", "metadata": []}), "metadata is not a JSON object"),
        ];
        for (value, reason) in rows {
            let reason = format!("the checkout session's {reason}");
            assert_eq!(CheckoutSession::read(&value), Err(Unreadable::new(reason)));
        }
    }

    #[test]
    fn a_deleted_customer_is_known_as_such() {
        for (value, deleted) in [
            (json!({"id": "cus_1", "object": "customer", "deleted": true}), true),
            (json!({"id": "cus_1", "deleted": false}), false),
            (json!({"id": "cus_1", "email": "a@example.org"}), false),
        ] {
            assert_eq!(Customer::read(&value).unwrap().deleted, deleted);
        }
    }
}
