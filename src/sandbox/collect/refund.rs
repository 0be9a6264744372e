//! Refunds: made, settled, failed later, waiting for the customer, canceled. A charge's `amount_refunded` counts
//! refunds that have succeeded. A pending refund is reserved and cannot be refunded again. Source: Stripe, "Refund and
//! cancel payments".

use serde_json::{Value, json};

use super::charge;
use super::transaction::{self, MoveKind};
use crate::sandbox::amount::money;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::card::{CardBehaviour, behaviour};
use crate::sandbox::shape::{REFUND, change, filled, integer, text};
use crate::sandbox::state::State;

#[derive(Clone, Debug, Default)]
pub struct RefundRequest {
    /// Everything that is left when `None`.
    pub amount: Option<i64>,
    /// Further fields of the object.
    pub fields: Value,
}

/// Refunds a charge in whole or in part. Returns the refund as it is at first.
pub fn make(state: &mut State, charge: &str, request: RefundRequest) -> Result<Value, ApiError> {
    let charge = state.charges.get(charge).cloned().ok_or_else(|| ApiError::no_such("charge", charge, "charge"))?;
    let amount = allowed_amount(state, &charge, request.amount)?;
    let method = &charge["payment_method_details"];
    let (is_card, behaviour) = (method["type"] == "card", behaviour(method));
    let is_pending = !is_card || behaviour == CardBehaviour::RefundPends;
    let destination = if is_card {
        let card = json!({
            "reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund",
        });
        json!({ "type": "card", "card": card })
    } else {
        json!({ "type": "us_bank_transfer", "us_bank_transfer": { "reference": null, "reference_status": null } })
    };

    let id = state.new_id("re_3", 24);
    let mut refund = filled(REFUND, request.fields);
    let fields = json!({
        "id": id, "amount": amount, "charge": charge["id"], "created": state.now(), "currency": charge["currency"],
        "payment_intent": charge["payment_intent"], "destination_details": destination,
        "status": if is_pending { "pending" } else { "succeeded" },
    });
    change(&mut refund, fields);
    refund["balance_transaction"] = transaction::make(state, MoveKind::Refund, &refund, -amount)["id"].take();
    if is_pending {
        refund["pending_reason"] = json!("processing");
    }
    state.refunds.put(&id, refund.clone());
    state.emit("refund.created", refund.clone());
    if !is_pending {
        count_on_charge(state, text(&charge, "id"));
        if behaviour == CardBehaviour::RefundFails {
            fail(state, &id)?;
        }
    }
    Ok(refund)
}

pub fn settle(state: &mut State, id: &str) -> Result<(), ApiError> {
    require_status(state, id, &["pending", "requires_action"], "settled")?;
    let charge = set_status(state, id, "succeeded", Value::Null, &["refund.updated", "charge.refund.updated"]);
    count_on_charge(state, &charge);
    Ok(())
}

/// The bank could not make a refund, perhaps after reporting success. The charge counts it no longer.
pub fn fail(state: &mut State, id: &str) -> Result<(), ApiError> {
    require_status(state, id, &["pending", "requires_action", "succeeded"], "failed")?;
    let transaction = given_back(state, id);
    let fields = json!({ "failure_reason": "expired_or_canceled_card", "failure_balance_transaction": transaction });
    let events = ["refund.failed", "refund.updated", "charge.refund.updated"];
    let charge = set_status(state, id, "failed", fields, &events);
    recount_on_charge(state, &charge);
    Ok(())
}

/// The bank needs something from the customer before it makes a pending refund.
pub fn require_action(state: &mut State, id: &str) -> Result<(), ApiError> {
    require_status(state, id, &["pending"], "made to require an action")?;
    set_status(state, id, "requires_action", Value::Null, &["refund.updated"]);
    Ok(())
}

/// Cancels a refund that requires an action.
pub fn cancel(state: &mut State, id: &str) -> Result<(), ApiError> {
    require_status(state, id, &["requires_action"], "canceled")?;
    let fields = json!({ "failure_balance_transaction": given_back(state, id) });
    set_status(state, id, "canceled", fields, &["refund.updated"]);
    Ok(())
}

/// The id of what a refund that is not made moves back.
fn given_back(state: &mut State, id: &str) -> Value {
    let refund = state.refunds.get(id).cloned().unwrap_or_default();
    transaction::make(state, MoveKind::RefundFailure, &refund, integer(&refund, "amount"))["id"].take()
}

fn require_status(state: &State, id: &str, statuses: &[&str], done: &str) -> Result<(), ApiError> {
    let refund = state.refunds.required("refund", id, "refund")?;
    match statuses.contains(&text(refund, "status")) {
        true => Ok(()),
        false => Err(ApiError::invalid(format!(
            "Only refunds with status {} can be {done}. This refund has status {}.",
            statuses.join(" or "),
            text(refund, "status")
        ))),
    }
}

fn set_status(state: &mut State, id: &str, status: &str, fields: Value, events: &[&str]) -> String {
    let Some(refund) = state.refunds.get_mut(id) else { return String::new() };
    let previous = change(refund, json!({ "status": status }));
    change(refund, fields);
    if status != "pending"
        && let Some(fields) = refund.as_object_mut()
    {
        fields.remove("pending_reason");
    }
    let refund = refund.clone();
    for event in events {
        state.emit_change(event, refund.clone(), previous.clone());
    }
    text(&refund, "charge").to_owned()
}

fn refund_sum(state: &State, charge: &str, statuses: &[&str]) -> i64 {
    let of_charge = |row: &&Value| row["charge"] == charge && statuses.contains(&text(row, "status"));
    state.refunds.oldest().filter(of_charge).map(|row| integer(row, "amount")).sum()
}

fn count_on_charge(state: &mut State, charge: &str) {
    let fields = refund_totals(state, charge);
    charge::change(state, charge, "charge.refunded", fields);
}

fn recount_on_charge(state: &mut State, charge: &str) {
    let fields = refund_totals(state, charge);
    let changes = |object: &Value| object["amount_refunded"] != fields["amount_refunded"];
    if state.charges.get(charge).is_some_and(changes) {
        charge::change(state, charge, "charge.updated", fields);
    }
}

fn refund_totals(state: &State, charge: &str) -> Value {
    let refunded = refund_sum(state, charge, &["succeeded"]);
    let amount = state.charges.get(charge).map(|charge| integer(charge, "amount")).unwrap_or_default();
    json!({ "amount_refunded": refunded, "refunded": refunded == amount })
}

fn allowed_amount(state: &State, charge: &Value, amount: Option<i64>) -> Result<i64, ApiError> {
    let (id, currency, paid) = (text(charge, "id"), text(charge, "currency"), integer(charge, "amount"));
    if charge["status"] != "succeeded" {
        let message = format!("The charge {id} has not succeeded, so there is nothing to refund.");
        return Err(ApiError::invalid(message).param("charge"));
    }
    let disputed = |row: &&Value| row["charge"] == id && row["is_charge_refundable"] == false && row["status"] != "won";
    if state.disputes.oldest().any(|row| disputed(&row)) {
        let message = format!("Charge {id} has been charged back; cannot issue a refund.");
        return Err(ApiError::invalid(message).code("charge_disputed"));
    }
    let left = paid - refund_sum(state, id, &["succeeded", "pending", "requires_action"]);
    if left <= 0 {
        let message = format!("Charge {id} has already been refunded.");
        return Err(ApiError::invalid(message).code("charge_already_refunded"));
    }
    match amount.unwrap_or(left) {
        amount if amount < 1 => {
            let message = "Invalid positive integer";
            Err(ApiError::invalid(message).code("parameter_invalid_integer").param("amount"))
        }
        amount if amount > left => {
            let what = if left == paid { "charge amount" } else { "unrefunded amount on charge" };
            let (amount, left) = (money(amount, currency), money(left, currency));
            let message = format!("Refund amount ({amount}) is greater than {what} ({left})");
            Err(ApiError::invalid(message).param("amount"))
        }
        amount => Ok(amount),
    }
}
