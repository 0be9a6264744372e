//! One attempt to collect an intent's amount with a payment method, and how it ends. Who pays for what is decided by the
//! callers: a checkout session (`checkout`), an invoice (`billing`), or the API (`resource::payment_intents`).

use serde_json::{Value, json};

use super::dispute::{self, DisputeKind};
use super::{charge, intent};
use crate::sandbox::api_error::ApiError;
use crate::sandbox::card::{self, CardBehaviour};
use crate::sandbox::shape::change;
use crate::sandbox::state::State;

/// Whether the payer can authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// At a page, and has authenticated.
    Authenticated,
    /// At a page, not asked yet.
    Present,
    /// Away, as for a renewal.
    Away,
}

/// How an attempt ended that was not declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    Paid,
    /// A bank debit that settles later.
    Pending,
    NeedsAuthentication,
}

/// Tries to collect an intent's amount. The error is Stripe's `402 card_error`. A declined attempt leaves its charge
/// and its events.
pub fn make(
    state: &mut State,
    intent_id: &str,
    method: &Value,
    payer: &Value,
    presence: Presence,
) -> Result<AttemptOutcome, ApiError> {
    if let Some(object) = state.payment_intents.get_mut(intent_id) {
        change(object, json!({ "payment_method": method["id"], "next_action": null }));
    }
    if method["type"] == "us_bank_account" {
        charge::record(state, intent_id, method, payer, json!({ "status": "pending" }));
        intent::change(state, intent_id, "payment_intent.processing", json!({ "status": "processing" }));
        return Ok(AttemptOutcome::Pending);
    }
    match (card::behaviour(method), presence) {
        (CardBehaviour::IsDeclined | CardBehaviour::FailsWhenCharged, _) => {
            Err(decline(state, intent_id, method, payer, "card_declined", "generic_decline", "Your card was declined."))
        }
        (CardBehaviour::LacksFunds, _) => {
            let message = "Your card has insufficient funds.";
            Err(decline(state, intent_id, method, payer, "card_declined", "insufficient_funds", message))
        }
        (CardBehaviour::NeedsAuthentication, Presence::Away) => {
            let message = "Your card was declined. This transaction requires authentication.";
            Err(decline(state, intent_id, method, payer, "authentication_required", "authentication_required", message))
        }
        (CardBehaviour::NeedsAuthentication, Presence::Present) => {
            let page = format!("{}/", state.base_url);
            let next = json!({ "type": "redirect_to_url", "redirect_to_url": { "url": page, "return_url": null } });
            let fields = json!({ "status": "requires_action", "next_action": next });
            intent::change(state, intent_id, "payment_intent.requires_action", fields);
            Ok(AttemptOutcome::NeedsAuthentication)
        }
        (behaviour, _) => {
            let charge = charge::record(state, intent_id, method, payer, charge::succeeded());
            finish(state, intent_id);
            match behaviour {
                CardBehaviour::IsDisputed => dispute::open(state, &charge, DisputeKind::Chargeback)?,
                CardBehaviour::IsInquired => dispute::open(state, &charge, DisputeKind::Inquiry)?,
                _ => {}
            }
            Ok(AttemptOutcome::Paid)
        }
    }
}

/// The bank has paid a debit.
pub fn settle_debit(state: &mut State, intent_id: &str, charge_id: &str) {
    charge::change(state, charge_id, "charge.succeeded", charge::succeeded());
    finish(state, intent_id);
}

/// The bank has refused a debit.
pub fn fail_debit(state: &mut State, intent_id: &str, charge_id: &str) {
    let message = "The customer's bank account has insufficient funds to cover this payment.";
    let failure = json!({ "status": "failed", "failure_code": "insufficient_funds", "failure_message": message });
    charge::change(state, charge_id, "charge.failed", failure);
    let error = json!({
        "type": "invalid_request_error", "code": "payment_intent_payment_attempt_failed", "message": message,
        "charge": charge_id,
    });
    let fields = json!({ "status": "requires_payment_method", "payment_method": null, "last_payment_error": error });
    intent::change(state, intent_id, "payment_intent.payment_failed", fields);
}

fn decline(
    state: &mut State,
    intent_id: &str,
    method: &Value,
    payer: &Value,
    code: &'static str,
    decline: &str,
    message: &str,
) -> ApiError {
    let outcome = json!({
        "advice_code": "try_again_later", "network_advice_code": null, "network_decline_code": null,
        "network_status": "declined_by_network", "reason": decline, "risk_level": "normal", "risk_score": 12,
        "seller_message": "The bank did not return any further details with this decline.", "type": "issuer_declined",
    });
    let fields = json!({ "status": "failed", "outcome": outcome, "failure_code": code, "failure_message": message });
    let charge = charge::record(state, intent_id, method, payer, fields);
    let error = json!({
        "type": "card_error", "code": code, "decline_code": decline, "message": message, "charge": charge,
        "doc_url": format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")),
    });
    let fields = json!({ "status": "requires_payment_method", "payment_method": null, "last_payment_error": error });
    intent::change(state, intent_id, "payment_intent.payment_failed", fields);
    let object = state.payment_intents.get(intent_id).cloned().unwrap_or_default();
    let more = json!({ "charge": charge, "decline_code": decline, "payment_intent": object });
    ApiError::card(code, message).with_fields(more)
}

fn finish(state: &mut State, intent_id: &str) {
    let amount = state.payment_intents.get(intent_id).map(|object| object["amount"].clone());
    let fields = json!({
        "status": "succeeded", "amount_received": amount, "last_payment_error": null, "next_action": null,
    });
    intent::change(state, intent_id, "payment_intent.succeeded", fields);
}
