//! `balance_transaction`: what a charge, a refund or a refund's failure moves on the account's balance. None is stored:
//! each is made from the object that names it. Source: Stripe, "Balance transactions".

use serde_json::{Value, json};

use crate::clock::DAY_SECONDS;
use crate::sandbox::shape::{integer, text};
use crate::sandbox::state::State;

/// In thousandths of the amount, and in the minor unit for each charge.
const FEE_SHARE: i64 = 29;
const FEE_EACH: i64 = 30;

/// The one with this id.
pub fn find(state: &State, id: &str) -> Option<Value> {
    all(state).into_iter().find(|row| row["id"] == id)
}

/// All of them, the newest first.
pub fn all(state: &State) -> Vec<Value> {
    let charges = state.charges.newest().map(|row| of(row, "balance_transaction", "charge", 1));
    let refunds = state.refunds.newest().map(|row| of(row, "balance_transaction", "refund", -1));
    let failures = state.refunds.newest().map(|row| of(row, "failure_balance_transaction", "refund_failure", 1));
    let mut rows: Vec<Value> = charges.chain(refunds).chain(failures).flatten().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(integer(row, "created")));
    rows
}

fn of(source: &Value, field: &str, kind: &str, sign: i64) -> Option<Value> {
    let id = source[field].as_str()?;
    let (amount, created) = (sign * integer(source, "amount"), integer(source, "created"));
    let is_debit = text(&source["payment_method_details"], "type") == "us_bank_account";
    let fee = if kind == "charge" { amount.saturating_mul(FEE_SHARE) / 1_000 + FEE_EACH } else { 0 };
    let details = json!([{ "amount": fee, "application": null, "currency": source["currency"], "description": "Stripe processing fees",
                 "type": "stripe_fee" }]);
    Some(json!({
        "id": id, "object": "balance_transaction", "amount": amount, "available_on": created + 2 * DAY_SECONDS,
        "balance_type": "payments", "created": created, "currency": source["currency"],
        "description": source["description"], "exchange_rate": null, "fee": fee,
        "fee_details": if fee == 0 { json!([]) } else { details }, "net": amount - fee, "reporting_category": kind,
        "source": source["id"], "status": "pending", "type": if is_debit { "payment" } else { kind },
    }))
}
