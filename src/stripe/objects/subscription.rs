//! Subscriptions. Their period moved to their items on 2025-03-31 (basil). It is read from both places.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::stripe::objects::fields::{Fields, List, Unreadable};
use crate::stripe::objects::invoice::Invoice;
use crate::stripe::objects::schedule::Schedule;

/// A subscription (`sub_…`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    pub id: String,
    /// `active`, `trialing`, `past_due`, `unpaid`, `canceled`, `incomplete`, `incomplete_expired`, `paused` …
    pub status: String,
    pub customer: Option<String>,
    pub items: List<SubscriptionItem>,
    /// When it is set to end. The customer portal sets this, or `cancel_at_period_end`, or both.
    pub cancel_at: Option<Timestamp>,
    pub cancel_at_period_end: bool,
    /// When its end was requested.
    pub canceled_at: Option<Timestamp>,
    /// An ended subscription never comes back.
    pub ended_at: Option<Timestamp>,
    pub trial_end: Option<Timestamp>,
    /// Whether discounts or taxes change what is charged.
    pub is_adjusted: bool,
    /// Payments are paused (`pause_collection`). This does not change the status.
    pub collection_paused: bool,
    /// When they go on, if Stripe knows.
    pub collection_resumes_at: Option<Timestamp>,
    pub latest_invoice: Option<String>,
    /// What is planned for the end of the period.
    pub schedule: Schedule,
    /// The latest invoice, where the subscription waits for its payment. Stripe's object only names it: `prefetch` asks.
    pub open_invoice: Option<Box<Invoice>>,
    pub metadata: BTreeMap<String, String>,
    pub created: Option<Timestamp>,
    /// `None` when Stripe did not say.
    pub livemode: Option<bool>,
    old_period_start: Option<Timestamp>,
    old_period_end: Option<Timestamp>,
}

/// One price that a subscription bills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionItem {
    pub id: String,
    pub price: Option<String>,
    pub product: Option<String>,
    /// `None` where use is metered.
    pub quantity: Option<i64>,
    /// What one of it costs, in minor units; `None` where that depends on the number.
    pub unit_amount: Option<i64>,
    pub currency: Option<String>,
    pub period_start: Option<Timestamp>,
    pub period_end: Option<Timestamp>,
}

/// Whether a discount or a tax is named.
fn is_adjusted(fields: &Fields<'_>) -> Result<bool, Unreadable> {
    let is_some = |path: &str| Ok(fields.array(path)?.is_some_and(|rows| !rows.is_empty()));
    Ok(fields.value("/discount").is_some()
        || fields.first_flag(&["/automatic_tax/enabled"])?
        || is_some("/discounts")?
        || is_some("/default_tax_rates")?)
}

impl Subscription {
    /// Reads it from Stripe's JSON.
    pub fn read(value: &Value) -> Result<Subscription, Unreadable> {
        let fields = Fields::of("subscription", value)?;
        Ok(Subscription {
            id: fields.id()?,
            status: fields.word("/status")?,
            customer: fields.reference("/customer")?,
            items: fields.list("/items", SubscriptionItem::read)?,
            cancel_at: fields.time("/cancel_at")?,
            cancel_at_period_end: fields.first_flag(&["/cancel_at_period_end"])?,
            canceled_at: fields.time("/canceled_at")?,
            ended_at: fields.time("/ended_at")?,
            trial_end: fields.time("/trial_end")?,
            is_adjusted: is_adjusted(&fields)?,
            collection_paused: fields.value("/pause_collection").is_some(),
            collection_resumes_at: fields.time("/pause_collection/resumes_at")?,
            latest_invoice: fields.reference("/latest_invoice")?,
            schedule: Schedule::read(&fields)?,
            open_invoice: None,
            metadata: fields.metadata(&["/metadata"])?,
            created: fields.time("/created")?,
            livemode: fields.flag("/livemode")?,
            old_period_start: fields.time("/current_period_start")?,
            old_period_end: fields.time("/current_period_end")?,
        })
    }

    /// The earliest start of a current period among the items whose price is known.
    pub fn period_start(&self, is_known: impl Fn(&str) -> bool) -> Option<Timestamp> {
        self.items_of(is_known).filter_map(|item| item.period_start).min().or(self.old_period_start)
    }

    /// The earliest end of a current period among the items whose price is known.
    pub fn period_end(&self, is_known: impl Fn(&str) -> bool) -> Option<Timestamp> {
        self.items_of(is_known).filter_map(|item| item.period_end).min().or(self.old_period_end)
    }

    /// When it is set to end, by either of Stripe's two ways; `None` if it continues.
    pub fn ends_at(&self, is_known: impl Fn(&str) -> bool) -> Option<Timestamp> {
        match self.cancel_at {
            Some(at) => Some(at),
            None if self.cancel_at_period_end => self.period_end(is_known),
            None => None,
        }
    }

    /// What its next payment will be, in the currency's minor unit; `None` where there is none, or where that is not certain.
    pub fn next_payment(&self) -> Option<(i64, &str)> {
        let is_certain = !self.is_adjusted && !self.collection_paused && !self.items.has_more && self.is_current();
        let ends = self.cancel_at.is_some() || self.cancel_at_period_end;
        let currency = self.items.rows.first().filter(|_| is_certain && !ends)?.currency.as_deref()?;
        let costs = self.items.rows.iter().map(|item| match item.currency.as_deref() == Some(currency) {
            true => item.unit_amount?.checked_mul(item.quantity?),
            false => None,
        });
        let amount = costs.sum::<Option<i64>>()?;
        (amount > 0).then_some((amount, currency))
    }

    /// Whether it has ended for good, or never began. Nothing later brings it back.
    pub fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "canceled" | "incomplete_expired") || self.ended_at.is_some()
    }

    /// Whether it waits for the payment of its latest invoice.
    pub fn awaits_payment(&self) -> bool {
        !self.is_over() && matches!(self.status.as_str(), "past_due" | "unpaid" | "incomplete")
    }

    /// Whether the customer has the plan now: paid, in trial, or late with a payment that is being retried.
    pub fn is_current(&self) -> bool {
        !self.is_over() && matches!(self.status.as_str(), "active" | "trialing" | "past_due")
    }

    fn items_of(&self, is_known: impl Fn(&str) -> bool) -> impl Iterator<Item = &SubscriptionItem> {
        self.items.rows.iter().filter(move |item| item.price.as_deref().is_some_and(&is_known))
    }
}

impl SubscriptionItem {
    /// Reads it from Stripe's JSON.
    pub fn read(value: &Value) -> Result<SubscriptionItem, Unreadable> {
        let fields = Fields::of("subscription item", value)?;
        Ok(SubscriptionItem {
            id: fields.id()?,
            price: fields.first_reference(&["/price", "/plan"])?,
            product: fields.first_reference(&["/price/product", "/plan/product"])?,
            quantity: fields.whole("/quantity")?,
            unit_amount: match fields.whole("/price/unit_amount")? {
                Some(amount) => Some(amount),
                None => fields.whole("/plan/amount")?,
            },
            currency: match fields.text("/price/currency")? {
                Some(currency) => Some(currency),
                None => fields.text("/plan/currency")?,
            },
            period_start: fields.time("/current_period_start")?,
            period_end: fields.time("/current_period_end")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn end(value: Value) -> Option<i64> {
        let subscription = Subscription::read(&value).unwrap();
        subscription.period_end(|price| price.starts_with("price_plan")).map(Timestamp::seconds)
    }

    #[test]
    fn the_period_is_read_from_known_items_else_from_the_old_place() {
        let item = |price: &str, end: i64| json!({"id": "si", "price": {"id": price}, "current_period_end": end});
        let items = json!({"data": [item("price_plan_a", 200), item("price_plan_b", 100), item("price_other", 50)]});
        let old = json!({"data": [{"id": "si_1", "plan": {"id": "price_plan_a"}}]});
        assert_eq!(end(json!({"id": "sub_1", "items": items, "current_period_end": 999})), Some(100));
        assert_eq!(end(json!({"id": "sub_1", "items": old, "current_period_end": 999})), Some(999));
        assert_eq!(end(json!({"id": "sub_1", "items": old})), None);
        assert!(Subscription::read(&json!({"id": "sub_1"})).unwrap().items.has_more);
    }

    #[test]
    fn both_ways_of_cancelling_mean_an_end() {
        let rows = [
            (json!({"id": "sub_1", "cancel_at": 7, "cancel_at_period_end": false}), Some(7)),
            (json!({"id": "sub_1", "cancel_at": null, "cancel_at_period_end": true, "current_period_end": 9}), Some(9)),
            (json!({"id": "sub_1", "cancel_at_period_end": false, "current_period_end": 9}), None),
        ];
        for (value, expected) in rows {
            let ends_at = Subscription::read(&value).unwrap().ends_at(|_| true);
            assert_eq!(ends_at.map(Timestamp::seconds), expected, "{value}");
        }
    }

    #[test]
    fn an_unknown_status_is_neither_current_nor_over() {
        for (status, current, over) in [
            ("active", true, false),
            ("trialing", true, false),
            ("past_due", true, false),
            ("unpaid", false, false),
            ("incomplete", false, false),
            ("paused", false, false),
            ("canceled", false, true),
            ("incomplete_expired", false, true),
            ("new_word", false, false),
        ] {
            let subscription = Subscription::read(&json!({"id": "sub_1", "status": status})).unwrap();
            assert_eq!((subscription.is_current(), subscription.is_over()), (current, over), "{status}");
        }
    }
}
