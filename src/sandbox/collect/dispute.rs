//! Disputes: opened as a chargeback or an inquiry, answered, escalated, closed. A chargeback withdraws the funds, and
//! winning brings them back. An inquiry moves no funds. Source: Stripe, "How disputes work".

use serde_json::{Value, json};

use super::charge;
use super::transaction::{self, MoveKind};
use crate::clock::DAY_SECONDS;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::shape::{DISPUTE, change, filled, integer, text};
use crate::sandbox::state::State;

const TIME_TO_RESPOND: i64 = 9 * DAY_SECONDS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeKind {
    Chargeback,
    Inquiry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeEnding {
    /// This amount comes back; all of it when `None`.
    Won(Option<i64>),
    Lost,
}

/// Opens a dispute about what has not been refunded of a charge.
pub fn open(state: &mut State, charge: &str, kind: DisputeKind) -> Result<(), ApiError> {
    let charge = state.charges.required("charge", charge, "charge").cloned()?;
    let amount = integer(&charge, "amount") - integer(&charge, "amount_refunded");
    if charge["status"] != "succeeded" || charge["disputed"] == true || amount <= 0 {
        let message = "Only a charge that has succeeded and is neither disputed nor fully refunded can be disputed.";
        return Err(ApiError::invalid(message).status(409));
    }
    let is_inquiry = kind == DisputeKind::Inquiry;
    let (id, now) = (state.new_id("du_1", 24), state.now());
    let card = json!({
        "brand": "visa", "case_type": if is_inquiry { "inquiry" } else { "chargeback" }, "network_reason_code": "10.4",
    });
    let mut dispute = filled(
        DISPUTE,
        json!({
            "id": id, "amount": amount, "charge": charge["id"], "created": now, "currency": charge["currency"],
            "payment_intent": charge["payment_intent"], "is_charge_refundable": is_inquiry,
            "payment_method_details": { "type": "card", "card": card },
            "status": if is_inquiry { "warning_needs_response" } else { "needs_response" },
        }),
    );
    dispute["evidence_details"]["due_by"] = json!(now + TIME_TO_RESPOND);
    if !is_inquiry {
        move_funds(state, &mut dispute, MoveKind::Dispute, -amount);
    }
    state.disputes.put(&id, dispute.clone());
    state.emit("charge.dispute.created", dispute.clone());
    charge::change(state, text(&charge, "id"), "charge.updated", json!({ "disputed": true, "dispute": id }));
    if !is_inquiry {
        state.emit("charge.dispute.funds_withdrawn", dispute);
    }
    Ok(())
}

/// The bank turns an inquiry into a chargeback.
pub fn escalate(state: &mut State, id: &str) -> Result<(), ApiError> {
    let mut dispute = open_one(state, id)?;
    if !is_inquiry(&dispute) {
        return Err(ApiError::invalid("Only an inquiry can be escalated. This is already a chargeback.").status(409));
    }
    let amount = integer(&dispute, "amount");
    let previous = change(&mut dispute, json!({ "status": "needs_response", "is_charge_refundable": false }));
    dispute["payment_method_details"]["card"]["case_type"] = json!("chargeback");
    move_funds(state, &mut dispute, MoveKind::Dispute, -amount);
    state.disputes.put(id, dispute.clone());
    state.emit_change("charge.dispute.updated", dispute.clone(), previous);
    state.emit("charge.dispute.funds_withdrawn", dispute);
    Ok(())
}

/// Closes a dispute. An inquiry closes without effect, whatever `ending` says.
pub fn close(state: &mut State, id: &str, ending: DisputeEnding) -> Result<(), ApiError> {
    let mut dispute = open_one(state, id)?;
    let status = match ending {
        _ if is_inquiry(&dispute) => "warning_closed",
        DisputeEnding::Won(_) => "won",
        DisputeEnding::Lost => "lost",
    };
    let previous = change(&mut dispute, json!({ "status": status }));
    if let (DisputeEnding::Won(part), "won") = (ending, status) {
        let amount = part.unwrap_or_else(|| integer(&dispute, "amount"));
        if !(1..=integer(&dispute, "amount")).contains(&amount) {
            let message = "`amount` must be from 1 to the disputed amount, in the minor unit.";
            return Err(ApiError::invalid(message).param("amount"));
        }
        move_funds(state, &mut dispute, MoveKind::DisputeReversal, amount);
        state.emit("charge.dispute.funds_reinstated", dispute.clone());
    }
    state.disputes.put(id, dispute.clone());
    state.emit_change("charge.dispute.closed", dispute, previous);
    Ok(())
}

/// Sends the seller's evidence to the bank. Stripe's words for tests, `winning_evidence` and `losing_evidence`, decide
/// the dispute at once.
pub fn submit(state: &mut State, id: &str) -> Result<(), ApiError> {
    let mut dispute = open_one(state, id)?;
    let status = if is_inquiry(&dispute) { "warning_under_review" } else { "under_review" };
    let previous = change(&mut dispute, json!({ "status": status }));
    dispute["evidence_details"]["has_evidence"] = json!(true);
    dispute["evidence_details"]["submission_count"] = json!(1);
    let word = text(&dispute["evidence"], "uncategorized_text").to_owned();
    state.disputes.put(id, dispute.clone());
    state.emit_change("charge.dispute.updated", dispute, previous);
    match word.as_str() {
        "winning_evidence" => close(state, id, DisputeEnding::Won(None)),
        "losing_evidence" => close(state, id, DisputeEnding::Lost),
        _ => Ok(()),
    }
}

pub fn is_closed(dispute: &Value) -> bool {
    matches!(text(dispute, "status"), "won" | "lost" | "warning_closed")
}

pub fn is_inquiry(dispute: &Value) -> bool {
    text(dispute, "status").starts_with("warning_")
}

fn open_one(state: &State, id: &str) -> Result<Value, ApiError> {
    let dispute = state.disputes.required("dispute", id, "dispute").cloned()?;
    match is_closed(&dispute) {
        true => Err(ApiError::invalid("This dispute is already closed.").code("dispute_already_closed")),
        false => Ok(dispute),
    }
}

fn move_funds(state: &mut State, dispute: &mut Value, kind: MoveKind, amount: i64) {
    let transaction = transaction::make(state, kind, dispute, amount);
    if let Some(transactions) = dispute["balance_transactions"].as_array_mut() {
        transactions.push(transaction);
    }
}
