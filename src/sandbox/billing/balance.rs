//! A customer's balance. Below zero it is credit, which the next invoices use. Each change leaves a
//! `customer_balance_transaction`. Source: Stripe, "Customer credit balance".

use serde_json::{Value, json};

use crate::sandbox::shape::{change, integer};
use crate::sandbox::state::State;

/// The least amount that Stripe collects, in the minor unit.
const MINIMUM_CHARGE: i64 = 50;

pub fn of(state: &State, customer: &str) -> i64 {
    state.customers.get(customer).map(|customer| integer(customer, "balance")).unwrap_or_default()
}

/// The amount due of a total, and the balance afterwards.
pub fn due_after_credit(total: i64, balance: i64) -> (i64, i64) {
    match total.saturating_add(balance) {
        due if due < MINIMUM_CHARGE => (0, due),
        due => (due, 0),
    }
}

/// Changes a customer's balance by `amount`. Returns the transaction.
pub fn move_by(state: &mut State, customer: &str, amount: i64, kind: &str, fields: Value) -> Value {
    let (id, now) = (state.new_id("cbtxn_1", 24), state.now());
    let Some(object) = state.customers.get_mut(customer) else { return Value::Null };
    let ending = integer(object, "balance").saturating_add(amount);
    let previous = change(object, json!({ "balance": ending }));
    let object = object.clone();
    let mut transaction = json!({
        "id": id, "object": "customer_balance_transaction", "amount": amount, "checkout_session": null, "created": now,
        "credit_note": null, "currency": "usd", "customer": customer, "customer_account": null, "description": null,
        "ending_balance": ending, "invoice": null, "livemode": false, "metadata": {}, "type": kind,
    });
    change(&mut transaction, fields);
    state.balance_transactions.put(&id, transaction.clone());
    state.emit_change("customer.updated", object, previous);
    transaction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_pays_first_and_small_sums_wait() {
        for (total, balance, expected) in [
            (2900, 0, (2900, 0)),
            (2900, -3500, (0, -600)),
            (2900, -900, (2000, 0)),
            (-3500, 0, (0, -3500)),
            (30, 0, (0, 30)),
            (2900, 30, (2930, 0)),
            (0, -500, (0, -500)),
        ] {
            assert_eq!(due_after_credit(total, balance), expected, "{total} {balance}");
        }
    }
}
