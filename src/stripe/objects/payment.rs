//! Money that came in and money that went back: payment intents, charges, refunds, disputes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::{Fields, List, Unreadable};
use crate::clock::Timestamp;

/// A payment intent (`pi_…`): one payment, over all its attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentIntent {
    /// `pi_…`.
    pub id: String,
    /// `succeeded`, `processing`, `requires_payment_method`, `canceled` …
    pub status: String,
    /// Minor units to be paid.
    pub amount: Option<i64>,
    /// Minor units that came in.
    pub amount_received: Option<i64>,
    /// Three letters, lower case.
    pub currency: Option<String>,
    /// Who pays; `None` for a guest.
    pub customer: Option<String>,
    /// The invoice it pays; only before API version 2025-03-31, after which it has to be asked for.
    pub invoice: Option<String>,
    /// The charge that succeeded, or the last that failed.
    pub latest_charge: Option<String>,
    /// Our own facts.
    pub metadata: BTreeMap<String, String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Live mode, or test mode; `None` when Stripe did not say.
    pub livemode: Option<bool>,
}

impl PaymentIntent {
    /// Reads it from Stripe's JSON.
    pub fn read(value: &Value) -> Result<PaymentIntent, Unreadable> {
        let fields = Fields::of("payment intent", value)?;
        Ok(PaymentIntent {
            id: fields.id()?,
            status: fields.word("/status")?,
            amount: fields.whole("/amount")?,
            amount_received: fields.whole("/amount_received")?,
            currency: fields.text("/currency")?,
            customer: fields.reference("/customer")?,
            invoice: fields.reference("/invoice")?,
            // Before 2022-11-15 the charges were a list, newest first.
            latest_charge: fields.first_reference(&["/latest_charge", "/charges/data/0"])?,
            metadata: fields.metadata(&["/metadata"])?,
            created: fields.time("/created")?,
            livemode: fields.flag("/livemode")?,
        })
    }

    /// Whether the money came in.
    pub fn is_paid(&self) -> bool {
        self.status == "succeeded"
    }
}

/// A charge (`ch_…` or `py_…`): one attempt at a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// `ch_…` or `py_…`.
    pub id: String,
    /// `succeeded`, `pending` or `failed`.
    pub status: String,
    /// Minor units charged.
    pub amount: Option<i64>,
    /// Minor units given back so far, over all refunds; goes down again when one fails.
    pub amount_refunded: Option<i64>,
    /// Whether all of it was given back.
    pub refunded: bool,
    /// Whether it was ever disputed.
    pub disputed: bool,
    /// Three letters, lower case.
    pub currency: Option<String>,
    /// Who paid; `None` for a guest.
    pub customer: Option<String>,
    /// The payment it belongs to.
    pub payment_intent: Option<String>,
    /// The invoice it pays; only before API version 2025-03-31, after which it has to be asked for.
    pub invoice: Option<String>,
    /// The refunds; only before 2022-11-15, or when asked for.
    pub refunds: Option<List<Refund>>,
    /// Copied from the payment intent when the charge was made.
    pub metadata: BTreeMap<String, String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Live mode, or test mode; `None` when Stripe did not say.
    pub livemode: Option<bool>,
}

impl Charge {
    /// Reads it from Stripe's JSON.
    pub fn read(value: &Value) -> Result<Charge, Unreadable> {
        let fields = Fields::of("charge", value)?;
        Ok(Charge {
            id: fields.id()?,
            status: fields.word("/status")?,
            amount: fields.whole("/amount")?,
            amount_refunded: fields.whole("/amount_refunded")?,
            refunded: fields.first_flag(&["/refunded"])?,
            disputed: fields.first_flag(&["/disputed"])?,
            currency: fields.text("/currency")?,
            customer: fields.reference("/customer")?,
            payment_intent: fields.reference("/payment_intent")?,
            invoice: fields.reference("/invoice")?,
            refunds: fields.included("/refunds", Refund::read)?,
            metadata: fields.metadata(&["/metadata"])?,
            created: fields.time("/created")?,
            livemode: fields.flag("/livemode")?,
        })
    }

    /// Whether the money came in.
    pub fn is_paid(&self) -> bool {
        self.status == "succeeded"
    }
}

/// A refund (`re_…` or `pyr_…`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// `re_…` or `pyr_…`.
    pub id: String,
    /// `pending`, `requires_action`, `succeeded`, `failed` or `canceled`.
    pub status: String,
    /// Minor units of this refund alone.
    pub amount: Option<i64>,
    /// Three letters, lower case.
    pub currency: Option<String>,
    /// The charge it gives back.
    pub charge: Option<String>,
    /// The payment it gives back.
    pub payment_intent: Option<String>,
    /// Our own facts.
    pub metadata: BTreeMap<String, String>,
    /// When it was made.
    pub created: Option<Timestamp>,
}

impl Refund {
    /// Reads it from Stripe's JSON.
    pub fn read(value: &Value) -> Result<Refund, Unreadable> {
        let fields = Fields::of("refund", value)?;
        Ok(Refund {
            id: fields.id()?,
            status: fields.word("/status")?,
            amount: fields.whole("/amount")?,
            currency: fields.text("/currency")?,
            charge: fields.reference("/charge")?,
            payment_intent: fields.reference("/payment_intent")?,
            metadata: fields.metadata(&["/metadata"])?,
            created: fields.time("/created")?,
        })
    }

    /// Whether the money went back.
    pub fn is_succeeded(&self) -> bool {
        self.status == "succeeded"
    }

    /// Whether it came to nothing, perhaps after it had succeeded: then what it took back is given again.
    pub fn is_undone(&self) -> bool {
        matches!(self.status.as_str(), "failed" | "canceled")
    }
}

/// A dispute (`du_…` or `dp_…`): the buyer's bank takes a charge back, or asks about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// `du_…` or `dp_…`.
    pub id: String,
    /// `needs_response`, `under_review`, `won`, `lost`, `prevented`, and the same words with `warning_` for an inquiry.
    pub status: String,
    /// Minor units disputed; may differ from what was charged.
    pub amount: Option<i64>,
    /// Three letters, lower case.
    pub currency: Option<String>,
    /// The bank's reason, in Stripe's words.
    pub reason: String,
    /// The charge in dispute.
    pub charge: Option<String>,
    /// The payment in dispute.
    pub payment_intent: Option<String>,
    /// The money that was moved over it so far: at most one withdrawal and one reinstatement.
    pub funds: Vec<FundsMove>,
    /// When it was opened.
    pub created: Option<Timestamp>,
    /// Live mode, or test mode; `None` when Stripe did not say.
    pub livemode: Option<bool>,
}

/// Money that a dispute moved on our balance at Stripe (one of its `balance_transactions`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FundsMove {
    /// Minor units; negative when withdrawn, positive when reinstated. Fees are not in it.
    pub amount: i64,
    /// Of our balance at Stripe, which may not be the currency of the dispute.
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
            currency: fields.text("/currency")?,
            reason: fields.word("/reason")?,
            charge: fields.reference("/charge")?,
            payment_intent: fields.reference("/payment_intent")?,
            funds: moves.iter().map(FundsMove::read).collect::<Result<_, _>>()?,
            created: fields.time("/created")?,
            livemode: fields.flag("/livemode")?,
        })
    }

    /// Whether it is only an inquiry: no money was moved.
    pub fn is_inquiry(&self) -> bool {
        self.status.starts_with("warning_")
    }

    /// Whether it ended for us.
    pub fn is_won(&self) -> bool {
        self.status == "won"
    }

    /// Whether it ended against us.
    pub fn is_lost(&self) -> bool {
        self.status == "lost"
    }
}

impl FundsMove {
    fn read(value: &Value) -> Result<FundsMove, Unreadable> {
        let fields = Fields::of("balance transaction", value)?;
        Ok(FundsMove {
            amount: fields.whole("/amount")?.ok_or_else(|| fields.missing("/amount"))?,
            currency: fields.text("/currency")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn charges_and_payments_are_read_in_both_shapes() {
        let old = json!({"id": "pi_1", "status": "succeeded", "invoice": "in_1",
            "charges": {"data": [{"id": "ch_1", "amount": 5}]}});
        let new = json!({"id": "pi_1", "status": "succeeded", "latest_charge": {"id": "ch_1"}});
        for (value, invoice) in [(old, Some("in_1")), (new, None)] {
            let payment = PaymentIntent::read(&value).unwrap();
            assert_eq!((payment.latest_charge.as_deref(), payment.invoice.as_deref()), (Some("ch_1"), invoice));
            assert!(payment.is_paid());
        }
        let charge = json!({"id": "ch_1", "amount_refunded": 500, "refunded": false,
            "refunds": {"data": [{"id": "re_1", "status": "succeeded", "amount": 500}]}});
        let charge = Charge::read(&charge).unwrap();
        assert_eq!((charge.amount_refunded, charge.refunded, charge.is_paid()), (Some(500), false, false));
        assert_eq!(charge.refunds.unwrap().rows[0].amount, Some(500));
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
        for (status, inquiry, won, lost) in [
            ("needs_response", false, false, false),
            ("warning_needs_response", true, false, false),
            ("warning_closed", true, false, false),
            ("won", false, true, false),
            ("lost", false, false, true),
            ("prevented", false, false, false),
        ] {
            let dispute = Dispute::read(&json!({"id": "du_1", "status": status})).unwrap();
            assert_eq!((dispute.is_inquiry(), dispute.is_won(), dispute.is_lost()), (inquiry, won, lost), "{status}");
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
