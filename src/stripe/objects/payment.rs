//! Charges, refunds and disputes: the fields that a reversal is computed from.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::stripe::objects::fields::{Fields, List, Unreadable};

/// Where a payment came from. Stripe's objects rarely say it, so `prefetch` asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentOrigin {
    /// The invoice that it paid. Since 2025-03-31 no object names it.
    pub invoice: Option<String>,
    pub payment_intent: Option<String>,
    /// The checkout session that it was made in.
    pub session: Option<String>,
    /// Whether all that Stripe says of it has nothing of ours.
    pub is_foreign: bool,
}

/// A payment intent (`pi_…`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentIntent {
    pub id: String,
    pub customer: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

impl PaymentIntent {
    /// Reads it from Stripe's JSON.
    pub fn read(value: &Value) -> Result<PaymentIntent, Unreadable> {
        let fields = Fields::of("payment intent", value)?;
        Ok(PaymentIntent {
            id: fields.id()?,
            customer: fields.reference("/customer")?,
            metadata: fields.metadata(&["/metadata"])?,
        })
    }
}

/// A charge (`ch_…` or `py_…`): one attempt at a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    pub id: String,
    /// Minor units returned so far, over all refunds. Decreases when a refund fails.
    pub amount_refunded: Option<i64>,
    pub payment_intent: Option<String>,
    pub customer: Option<String>,
    /// The card's brand in Stripe's word, or the kind of another means of payment.
    pub brand: Option<String>,
    /// The last digits of the card's or account's number.
    pub last4: Option<String>,
    /// Stripe's page with the receipt.
    pub receipt_url: Option<String>,
    pub created: Option<Timestamp>,
    /// Only before 2022-11-15, or when requested.
    pub refunds: Option<List<Refund>>,
    /// Where the payment came from, as far as it is known.
    pub origin: PaymentOrigin,
}

impl Charge {
    /// Reads it from Stripe's JSON.
    pub fn read(value: &Value) -> Result<Charge, Unreadable> {
        let fields = Fields::of("charge", value)?;
        let means = fields.text("/payment_method_details/type")?.unwrap_or_default();
        let of_means = |field: &str| fields.text(&format!("/payment_method_details/{means}/{field}"));
        Ok(Charge {
            customer: fields.reference("/customer")?,
            brand: of_means("brand")?.or((!means.is_empty()).then(|| means.clone())),
            last4: of_means("last4")?.filter(|digits| (1..=8).contains(&digits.len())),
            receipt_url: fields.text("/receipt_url")?.filter(|url| url.starts_with("http")),
            created: fields.time("/created")?,
            id: fields.id()?,
            amount_refunded: fields.whole("/amount_refunded")?,
            payment_intent: fields.reference("/payment_intent")?,
            refunds: fields.included("/refunds", Refund::read)?,
            origin: PaymentOrigin { invoice: fields.reference("/invoice")?, ..PaymentOrigin::default() },
        })
    }
}

/// A refund (`re_…` or `pyr_…`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    pub id: String,
    /// `pending`, `requires_action`, `succeeded`, `failed` or `canceled`.
    pub status: String,
    /// Minor units of this refund alone.
    pub amount: Option<i64>,
    pub charge: Option<String>,
    pub payment_intent: Option<String>,
    pub created: Option<Timestamp>,
    /// Where the payment came from, as far as it is known.
    pub origin: PaymentOrigin,
}

impl Refund {
    /// Reads it from Stripe's JSON.
    pub fn read(value: &Value) -> Result<Refund, Unreadable> {
        let fields = Fields::of("refund", value)?;
        Ok(Refund {
            id: fields.id()?,
            status: fields.word("/status")?,
            amount: fields.whole("/amount")?,
            charge: fields.reference("/charge")?,
            payment_intent: fields.reference("/payment_intent")?,
            created: fields.time("/created")?,
            origin: PaymentOrigin::default(),
        })
    }

    /// Whether the money went back.
    pub fn is_succeeded(&self) -> bool {
        self.status == "succeeded"
    }

    /// Whether it failed or was cancelled, perhaps after it had succeeded. Then the units that it took are returned.
    pub fn is_undone(&self) -> bool {
        matches!(self.status.as_str(), "failed" | "canceled")
    }
}

/// A dispute (`du_…` or `dp_…`): the buyer's bank takes a charge back, or asks about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    pub id: String,
    /// `needs_response`, `under_review`, `won`, `lost`, `prevented`, and the same words with `warning_` for an inquiry.
    pub status: String,
    /// Minor units disputed; may differ from what was charged.
    pub amount: Option<i64>,
    pub charge: Option<String>,
    pub payment_intent: Option<String>,
    /// Where the payment came from, as far as it is known.
    pub origin: PaymentOrigin,
    pub created: Option<Timestamp>,
    /// ISO code in lower case.
    pub currency: Option<String>,
    /// At most one withdrawal and one reinstatement.
    pub funds: Vec<FundsMove>,
}

/// Money that a dispute moved on our balance at Stripe (one of its `balance_transactions`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FundsMove {
    /// Minor units of our balance's currency, which may differ from the dispute's. Negative when withdrawn, positive
    /// when reinstated. Fees are not included.
    pub amount: i64,
    pub created: Option<Timestamp>,
    /// ISO code in lower case.
    pub currency: Option<String>,
}

impl Dispute {
    /// Reads it from Stripe's JSON.
    pub fn read(value: &Value) -> Result<Dispute, Unreadable> {
        let fields = Fields::of("dispute", value)?;
        let moves = fields.array("/balance_transactions")?.map(Vec::as_slice).unwrap_or_default();
        Ok(Dispute {
            id: fields.id()?,
            status: fields.word("/status")?,
            amount: fields.whole("/amount")?,
            charge: fields.reference("/charge")?,
            payment_intent: fields.reference("/payment_intent")?,
            created: fields.time("/created")?,
            currency: fields.text("/currency")?,
            origin: PaymentOrigin::default(),
            funds: moves.iter().map(FundsMove::read).collect::<Result<_, _>>()?,
        })
    }

    /// Whether it is only an inquiry: no money was moved.
    pub fn is_inquiry(&self) -> bool {
        self.status.starts_with("warning_")
    }

    /// Whether we won it.
    pub fn is_won(&self) -> bool {
        self.status == "won"
    }
}

impl FundsMove {
    fn read(value: &Value) -> Result<FundsMove, Unreadable> {
        let fields = Fields::of("balance transaction", value)?;
        Ok(FundsMove {
            amount: fields.whole("/amount")?.ok_or_else(|| fields.missing("/amount"))?,
            created: fields.time("/created")?,
            currency: fields.text("/currency")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_charge_may_list_its_refunds() {
        let charge = json!({"id": "ch_1", "amount_refunded": 500,
            "refunds": {"data": [{"id": "re_1", "status": "succeeded", "amount": 500}]}});
        let charge = Charge::read(&charge).unwrap();
        assert_eq!((charge.amount_refunded, charge.refunds.unwrap().rows[0].amount), (Some(500), Some(500)));
        assert_eq!(Charge::read(&json!({"id": "ch_1"})).unwrap().refunds, None);
    }

    #[test]
    fn words_of_refunds_and_disputes_mean_what_stripe_says() {
        for (status, succeeded, undone) in [
            ("succeeded", true, false),
            ("pending", false, false),
            ("requires_action", false, false),
            ("failed", false, true),
            ("canceled", false, true),
            ("new_word", false, false),
        ] {
            let refund = Refund::read(&json!({"id": "re_1", "status": status})).unwrap();
            assert_eq!((refund.is_succeeded(), refund.is_undone()), (succeeded, undone), "{status}");
        }
        for (status, inquiry, won) in [
            ("needs_response", false, false),
            ("warning_needs_response", true, false),
            ("warning_closed", true, false),
            ("won", false, true),
            ("lost", false, false),
            ("prevented", false, false),
        ] {
            let dispute = Dispute::read(&json!({"id": "du_1", "status": status})).unwrap();
            assert_eq!((dispute.is_inquiry(), dispute.is_won()), (inquiry, won), "{status}");
        }
    }

    #[test]
    fn the_funds_of_a_dispute_are_read_with_their_sign() {
        let dispute = Dispute::read(&json!({"id": "du_1", "balance_transactions": [
            {"id": "txn_1", "amount": -2000, "currency": "usd", "fee": 1500},
            {"id": "txn_2", "amount": 1200, "currency": "usd"},
        ]}));
        let amounts: Vec<i64> = dispute.unwrap().funds.iter().map(|funds| funds.amount).collect();
        assert_eq!(amounts, [-2000, 1200]);
    }
}
