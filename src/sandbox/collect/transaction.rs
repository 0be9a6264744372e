//! `balance_transaction`: what a charge, a refund, a refund's failure or a dispute moves on the account's balance, made when
//! it is moved. What was charged in a currency in which the account is not settled is converted. Source: Stripe, "Balance
//! transactions", and the description of `balance_transaction` (OpenAPI).

use serde_json::{Value, json};

use crate::clock::DAY_SECONDS;
use crate::sandbox::shape::text;
use crate::sandbox::state::State;

/// In thousandths of the amount, and in the minor unit for each charge.
const FEE_SHARE: i64 = 29;
const FEE_EACH: i64 = 30;
/// Of a dispute.
const DISPUTE_FEE: i64 = 1_500;

/// What moved the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveKind {
    Charge,
    Refund,
    RefundFailure,
    Dispute,
    DisputeReversal,
}

impl MoveKind {
    fn category(self) -> &'static str {
        match self {
            MoveKind::Charge => "charge",
            MoveKind::Refund => "refund",
            MoveKind::RefundFailure => "refund_failure",
            MoveKind::Dispute => "dispute",
            MoveKind::DisputeReversal => "dispute_reversal",
        }
    }

    /// Stripe's `type`, which has other words where no card is used.
    fn word(self, is_debit: bool) -> &'static str {
        match (self, is_debit) {
            (MoveKind::Charge, true) => "payment",
            (MoveKind::Dispute | MoveKind::DisputeReversal, _) => "adjustment",
            (kind, _) => kind.category(),
        }
    }

    /// What Stripe charges for it, and what it calls that.
    fn fee(self, amount: i64) -> (i64, &'static str) {
        match self {
            MoveKind::Charge => (amount.saturating_mul(FEE_SHARE) / 1_000 + FEE_EACH, "Stripe processing fees"),
            MoveKind::Dispute => (DISPUTE_FEE, "Dispute fee"),
            _ => (0, ""),
        }
    }
}

/// The one with this id.
pub fn find(state: &State, id: &str) -> Option<Value> {
    state.transactions.get(id).cloned()
}

/// All of them, the newest first.
pub fn all(state: &State) -> impl Iterator<Item = &Value> {
    state.transactions.newest()
}

/// Moves an amount, in the minor unit of the source's currency: above zero to the account, below zero from it. `source` is
/// the charge, the refund or the dispute. Returns the transaction.
pub fn make(state: &mut State, kind: MoveKind, source: &Value, amount: i64) -> Value {
    let charged_in = text(source, "currency");
    let settlement = state.settlement.clone().filter(|settlement| settlement.currency != charged_in);
    let (amount, currency, rate) = match &settlement {
        Some(settlement) => {
            (settlement.converted(amount), settlement.currency.as_str(), Some(settlement.exchange_rate()))
        }
        None => (amount, charged_in, None),
    };
    let is_debit = text(&source["payment_method_details"], "type") == "us_bank_account";
    let (fee, fee_name) = kind.fee(amount);
    let details = json!([{ "amount": fee, "application": null, "currency": currency, "description": fee_name,
                 "type": "stripe_fee" }]);
    let description = match kind {
        MoveKind::Dispute | MoveKind::DisputeReversal => json!(format!("Chargeback for {}", text(source, "charge"))),
        _ => source["description"].clone(),
    };
    let (id, now) = (state.new_id("txn_3", 24), state.now());
    let transaction = json!({
        "id": id, "object": "balance_transaction", "amount": amount, "available_on": now + 2 * DAY_SECONDS,
        "balance_type": "payments", "created": now, "currency": currency, "description": description,
        "exchange_rate": rate, "fee": fee,
        "fee_details": if fee == 0 { json!([]) } else { details }, "net": amount - fee,
        "reporting_category": kind.category(), "source": source["id"], "status": "pending", "type": kind.word(is_debit),
    });
    state.transactions.put(&id, transaction.clone());
    transaction
}
