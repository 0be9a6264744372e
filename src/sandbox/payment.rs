//! What becomes of a checkout session: paid by card, declined, paid by bank debit now and settled later, free of charge,
//! expired. Each step changes the objects as Stripe does and emits Stripe's events. Source: Stripe, "Fulfill orders" and
//! the event types' descriptions.

use serde_json::{Value, json};

use super::card::Card;
use super::refusal::Refusal;
use super::resource::checkout_create::details;
use super::resource::checkout_sessions::Session;
use super::resource::{customers, promotion_codes};
use super::shape::{CHARGE, PAYMENT_INTENT, filled, integer, text};
use super::state::{Cause, State};

/// Who pays, as typed on the page.
#[derive(Clone, Debug, Default)]
pub struct Payer {
    /// The e-mail address; the session's own when `None`.
    pub email: Option<String>,
    /// The name on the card.
    pub name: Option<String>,
}

/// How the payer pays.
#[derive(Clone, Debug)]
pub enum Method {
    /// At once.
    Card(Card),
    /// By a debit that settles later.
    BankDebit,
}

/// Gives an open session the discount of a promotion code.
pub fn apply_promotion(state: &mut State, id: &str, code: &str) -> Result<(), Refusal> {
    let mut session = open(state, id)?;
    if session.object["allow_promotion_codes"] != true {
        return Err(Refusal::invalid("This page takes no promotion codes: its session was made without them."));
    }
    let Some(promotion) = promotion_codes::find(state, code) else {
        return Err(Refusal::invalid(format!("The code {code} is not valid here.")));
    };
    session.coupon = state.coupons.get(text(&promotion["promotion"], "coupon")).cloned();
    session.object["discounts"] = json!([{ "coupon": null, "promotion_code": promotion["id"] }]);
    session.total();
    state.sessions.put(id, session);
    Ok(())
}

/// Pays an open session. A session with nothing to pay is completed whatever the method.
pub fn pay(state: &mut State, id: &str, payer: &Payer, method: &Method) -> Result<(), Refusal> {
    let session = open(state, id)?;
    if session.object["mode"] == "subscription" {
        return Err(Refusal::not_built("subscriptions yet. Nothing was charged"));
    }
    meet(state, id, payer, &session);
    if integer(&session.object, "amount_total") == 0 {
        complete(state, id, "no_payment_required");
        return Ok(());
    }
    let intent = intent(state, id)?;
    match method {
        Method::Card(card) if card.is_declined() => {
            charge_failed(state, &intent, card);
            Err(Refusal::invalid("Your card was declined. Try another card.").code("card_declined").status(402))
        }
        Method::Card(card) => {
            charge(state, &intent, succeeded(card.details(integer(&session.object, "amount_total"))));
            finish_intent(state, &intent);
            complete(state, id, "paid");
            Ok(())
        }
        Method::BankDebit => {
            let bank = json!({ "type": "us_bank_account", "us_bank_account": bank_account() });
            charge(state, &intent, json!({ "payment_method_details": bank, "status": "pending" }));
            change_intent(state, &intent, "payment_intent.processing", json!({ "status": "processing" }));
            complete(state, id, "unpaid");
            Ok(())
        }
    }
}

/// The bank has paid: the session becomes paid.
pub fn settle(state: &mut State, id: &str) -> Result<(), Refusal> {
    let (intent, charge) = pending(state, id)?;
    let method = state.charges.get(&charge).map(|charge| charge["payment_method_details"].clone());
    change_charge(state, &charge, "charge.succeeded", succeeded(method.unwrap_or_default()));
    finish_intent(state, &intent);
    change_session(state, id, "checkout.session.async_payment_succeeded", json!({ "payment_status": "paid" }));
    Ok(())
}

/// The bank has refused: the session stays complete and unpaid.
pub fn fail(state: &mut State, id: &str) -> Result<(), Refusal> {
    let (intent, charge) = pending(state, id)?;
    let message = "The customer's bank account has insufficient funds to cover this payment.";
    let failure = json!({ "status": "failed", "failure_code": "insufficient_funds", "failure_message": message });
    change_charge(state, &charge, "charge.failed", failure);
    let error = json!({
        "type": "invalid_request_error", "code": "payment_intent_payment_attempt_failed", "message": message,
        "charge": charge,
    });
    let fields = json!({ "status": "requires_payment_method", "payment_method": null, "last_payment_error": error });
    change_intent(state, &intent, "payment_intent.payment_failed", fields);
    let now = state.now();
    if let Some(session) = state.sessions.get_mut(id) {
        session.failed_at = Some(now);
    }
    change_session(state, id, "checkout.session.async_payment_failed", json!({}));
    Ok(())
}

/// Ends an open session unpaid.
pub fn expire(state: &mut State, id: &str, cause: &Cause) -> Result<(), Refusal> {
    let Some(session) = state.sessions.get_mut(id) else {
        return Err(Refusal::not_found("checkout.session", id, "session"));
    };
    if !session.is_open() {
        return Err(Refusal::invalid(format!(
            "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of \
             `{}`.",
            text(&session.object, "status")
        )));
    }
    super::resource::change(&mut session.object, json!({ "status": "expired", "url": null }));
    let object = session.object.clone();
    state.emit("checkout.session.expired", object, cause);
    Ok(())
}

/// Expires every open session whose time is over.
pub fn expire_overdue(state: &mut State) {
    while let Some(id) = state.overdue_session() {
        if state.sessions.get(&id).is_some_and(Session::is_open) && expire(state, &id, &Cause::default()).is_err() {
            return;
        }
    }
}

fn open(state: &State, id: &str) -> Result<Session, Refusal> {
    let session = state.sessions.get(id).ok_or_else(|| Refusal::not_found("checkout.session", id, "session"))?;
    match text(&session.object, "status") {
        "open" => Ok(session.clone()),
        "expired" => Err(Refusal::invalid("This checkout page has expired. Nothing was charged.").status(409)),
        _ => Err(Refusal::invalid("This has been paid already. You were not charged again.").status(409)),
    }
}

/// The intent and the charge of a bank debit under way.
fn pending(state: &State, id: &str) -> Result<(String, String), Refusal> {
    let session = state.sessions.get(id).ok_or_else(|| Refusal::not_found("checkout.session", id, "session"))?;
    let intent = state.payment_intents.get(text(&session.object, "payment_intent"));
    match intent.filter(|_| session.is_pending()) {
        Some(intent) => Ok((text(intent, "id").to_owned(), text(intent, "latest_charge").to_owned())),
        None => Err(Refusal::invalid("This session has no bank debit under way.").status(409)),
    }
}

/// Writes down who pays, and makes a customer where the session asks for one.
fn meet(state: &mut State, id: &str, payer: &Payer, session: &Session) {
    let known = &session.object["customer_details"];
    let email = payer.email.as_ref().map_or_else(|| known["email"].clone(), |email| json!(email));
    let name = payer.name.as_ref().map_or_else(|| known["name"].clone(), |name| json!(name));
    let mut customer = session.object["customer"].clone();
    if customer.is_null() && session.object["customer_creation"] == "always" {
        let fields = json!({ "email": email, "name": name });
        customer = customers::add(state, fields, &Cause::default())["id"].take();
    }
    if let Some(session) = state.sessions.get_mut(id) {
        session.object["customer"] = customer;
        session.object["customer_details"] = details(&email, &name);
    }
}

/// The session's payment intent, made at the first attempt to pay.
fn intent(state: &mut State, id: &str) -> Result<String, Refusal> {
    let session = open(state, id)?;
    if let Some(intent) = session.object["payment_intent"].as_str() {
        let mut fields = json!({ "amount": session.object["amount_total"] });
        fields["customer"] = session.object["customer"].clone();
        if let Some(object) = state.payment_intents.get_mut(intent) {
            super::resource::change(object, fields);
        }
        return Ok(intent.to_owned());
    }
    let intent = state.new_id("pi_3", 24);
    let mut object = filled(PAYMENT_INTENT, session.intent.clone());
    let fields = json!({
        "id": intent, "created": state.now(), "amount": session.object["amount_total"],
        "client_secret": format!("{intent}_secret_{}", state.new_id("", 24)),
        "currency": session.object["currency"], "customer": session.object["customer"],
        "payment_method_types": session.object["payment_method_types"],
    });
    super::resource::change(&mut object, fields);
    state.payment_intents.put(&intent, object.clone());
    if let Some(session) = state.sessions.get_mut(id) {
        session.object["payment_intent"] = json!(intent);
    }
    state.emit("payment_intent.created", object, &Cause::default());
    Ok(intent)
}

/// Records an attempt to collect an intent's amount.
fn charge(state: &mut State, intent: &str, fields: Value) -> String {
    let (id, method) = (state.new_id("ch_3", 24), state.new_id("pm_1", 24));
    let intent_object = state.payment_intents.get(intent).cloned().unwrap_or_default();
    let session = state.sessions.newest().find(|session| session.object["payment_intent"] == intent);
    let payer = session.map(|session| session.object["customer_details"].clone()).unwrap_or_default();
    let mut object = filled(CHARGE, fields);
    let fields = json!({
        "id": id, "created": state.now(), "payment_intent": intent, "payment_method": method,
        "amount": intent_object["amount"], "currency": intent_object["currency"], "customer": intent_object["customer"],
        "description": intent_object["description"], "metadata": intent_object["metadata"],
        "receipt_email": intent_object["receipt_email"],
    });
    super::resource::change(&mut object, fields);
    object["billing_details"]["email"] = payer["email"].clone();
    object["billing_details"]["name"] = payer["name"].clone();
    if object["status"] == "succeeded" {
        object["amount_captured"] = object["amount"].clone();
        object["balance_transaction"] = json!(state.new_id("txn_3", 24));
    }
    let kind = format!("charge.{}", text(&object, "status"));
    state.charges.put(&id, object.clone());
    if let Some(object) = state.payment_intents.get_mut(intent) {
        super::resource::change(object, json!({ "latest_charge": id, "payment_method": method }));
    }
    state.emit(&kind, object, &Cause::default());
    id
}

fn charge_failed(state: &mut State, intent: &str, card: &Card) {
    let message = "Your card was declined.";
    let outcome = json!({
        "advice_code": "try_again_later", "network_advice_code": null, "network_decline_code": null,
        "network_status": "declined_by_network", "reason": "generic_decline", "risk_level": "normal", "risk_score": 12,
        "seller_message": "The bank did not return any further details with this decline.", "type": "issuer_declined",
    });
    let fields = json!({
        "status": "failed", "outcome": outcome, "failure_code": "card_declined", "failure_message": message,
        "payment_method_details": card.details(0),
    });
    let charge = charge(state, intent, fields);
    let error = json!({
        "type": "card_error", "code": "card_declined", "decline_code": "generic_decline", "message": message,
        "charge": charge, "doc_url": "https://stripe.com/docs/error-codes/card-declined",
    });
    let fields = json!({ "status": "requires_payment_method", "payment_method": null, "last_payment_error": error });
    change_intent(state, intent, "payment_intent.payment_failed", fields);
}

fn succeeded(method: Value) -> Value {
    json!({
        "status": "succeeded", "paid": true, "captured": true, "payment_method_details": method,
        "calculated_statement_descriptor": "STAND-IN",
        "outcome": {
            "advice_code": null, "network_advice_code": null, "network_decline_code": null,
            "network_status": "approved_by_network", "reason": null, "risk_level": "normal", "risk_score": 12,
            "seller_message": "Payment complete.", "type": "authorized",
        },
    })
}

fn bank_account() -> Value {
    json!({
        "account_holder_type": "individual", "account_type": "checking", "bank_name": "STRIPE TEST BANK",
        "fingerprint": null, "last4": "6789",
        "payment_reference": null, "routing_number": "110000000",
    })
}

fn finish_intent(state: &mut State, intent: &str) {
    let amount = state.payment_intents.get(intent).map(|object| object["amount"].clone());
    let fields = json!({ "status": "succeeded", "amount_received": amount, "last_payment_error": null });
    change_intent(state, intent, "payment_intent.succeeded", fields);
}

fn complete(state: &mut State, id: &str, payment_status: &str) {
    let fields = json!({ "status": "complete", "payment_status": payment_status, "url": null });
    change_session(state, id, "checkout.session.completed", fields);
}

fn change_session(state: &mut State, id: &str, event: &str, fields: Value) {
    if let Some(session) = state.sessions.get_mut(id) {
        super::resource::change(&mut session.object, fields);
        let object = session.object.clone();
        state.emit(event, object, &Cause::default());
    }
}

fn change_intent(state: &mut State, id: &str, event: &str, fields: Value) {
    if let Some(object) = state.payment_intents.get_mut(id) {
        super::resource::change(object, fields);
        let object = object.clone();
        state.emit(event, object, &Cause::default());
    }
}

fn change_charge(state: &mut State, id: &str, event: &str, fields: Value) {
    let transaction = state.new_id("txn_3", 24);
    if let Some(object) = state.charges.get_mut(id) {
        super::resource::change(object, fields);
        if object["status"] == "succeeded" {
            object["amount_captured"] = object["amount"].clone();
            object["balance_transaction"] = json!(transaction);
        }
        let object = object.clone();
        state.emit(event, object, &Cause::default());
    }
}
