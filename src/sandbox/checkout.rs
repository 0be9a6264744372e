//! A checkout session after it was made: paid by card, declined, paid by a bank debit that settles later, completed
//! without payment, expired. Each step changes the objects as Stripe does and emits Stripe's events. Source: Stripe,
//! "Fulfill orders" and the descriptions of the event types.

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::line::PendingItem;
use crate::sandbox::billing::start::{self, FirstPayment, SubscriptionRequest};
use crate::sandbox::billing::{customer, discount};
use crate::sandbox::card::Card;
use crate::sandbox::collect::attempt::{self, AttemptOutcome, Presence};
use crate::sandbox::collect::{intent, payment_method};
use crate::sandbox::model::session::{StoredSession, Trial, customer_details};
use crate::sandbox::shape::{change, integer, text};
use crate::sandbox::state::State;

#[derive(Clone, Debug, Default)]
pub struct Payer {
    /// The session's own address when `None`.
    pub email: Option<String>,
    pub name: Option<String>,
    pub has_authenticated: bool,
}

#[derive(Clone, Debug)]
pub enum PaymentChoice {
    Card(Card),
    /// Settles later.
    BankDebit,
}

/// Applies a promotion code to an open session.
pub fn apply_promotion(state: &mut State, id: &str, code: &str) -> Result<(), ApiError> {
    let mut session = find_open(state, id)?;
    if session.object["allow_promotion_codes"] != true {
        return Err(ApiError::invalid(
            "This page does not accept promotion codes, because its session does not allow them.",
        ));
    }
    let Some(promotion) = discount::find_promotion(state, code) else {
        return Err(ApiError::invalid(format!("The code {code} is not valid here.")));
    };
    session.coupon = state.coupons.get(text(&promotion["promotion"], "coupon")).cloned();
    session.object["discounts"] = json!([{ "coupon": null, "promotion_code": promotion["id"] }]);
    session.total();
    state.sessions.put(id, session);
    Ok(())
}

/// Pays an open session. With nothing due, the session completes whatever the payer chose.
pub fn pay(state: &mut State, id: &str, payer: &Payer, method: &PaymentChoice) -> Result<(), ApiError> {
    let session = find_open(state, id)?;
    if session.object["mode"] == "subscription" {
        return subscribe(state, id, payer, method);
    }
    record_payer(state, id, payer, &session);
    if integer(&session.object, "amount_total") == 0 {
        complete(state, id, "no_payment_required");
        return Ok(());
    }
    let intent = session_intent(state, id)?;
    let object = match method {
        PaymentChoice::Card(card) => payment_method::add_card(state, card),
        PaymentChoice::BankDebit => payment_method::add_bank_account(state),
    };
    let details = state.sessions.get(id).map(|session| session.object["customer_details"].clone()).unwrap_or_default();
    match attempt::make(state, &intent, &object, &details, presence(payer)) {
        Ok(AttemptOutcome::Paid) => complete(state, id, "paid"),
        Ok(AttemptOutcome::Pending) => complete(state, id, "unpaid"),
        Ok(AttemptOutcome::NeedsAuthentication) => return Err(needs_authentication()),
        Err(error) => return Err(declined(error)),
    }
    Ok(())
}

/// Pays a session in `subscription` mode. Subscription and invoice are made only after the card has paid. A trial needs
/// no payment, and no card if the session says so.
fn subscribe(state: &mut State, id: &str, payer: &Payer, method: &PaymentChoice) -> Result<(), ApiError> {
    let session = find_open(state, id)?;
    let card = match method {
        PaymentChoice::Card(card) => Some(card),
        PaymentChoice::BankDebit if needs_card(&session) => {
            return Err(ApiError::invalid("A subscription is paid by card here. Pay by card.").param("method"));
        }
        PaymentChoice::BankDebit => None,
    };
    record_payer(state, id, payer, &session);
    let customer =
        state.sessions.get(id).map(|session| text(&session.object, "customer").to_owned()).unwrap_or_default();
    state.follow_clock_of(&customer);
    let mut fields = session.plan.clone();
    if let Some(card) = card {
        let method = payment_method::add_card(state, card);
        let method = payment_method::attach(state, &method, &customer).map_err(declined)?;
        change(&mut fields, json!({ "default_payment_method": method["id"] }));
    }
    let request = subscription_request(state, &session, customer, payer, fields);
    let subscription = start::start(state, request).map_err(|error| match error.status {
        402 if error.has_code(start::AUTHENTICATION_REQUIRED) => needs_authentication(),
        _ => declined(error),
    });
    state.follow_own_clock();
    let subscription = subscription?;
    let invoice = state.subscriptions.get(&subscription).map(|row| row.object["latest_invoice"].clone());
    let fields = json!({ "subscription": subscription, "invoice": invoice });
    if let Some(session) = state.sessions.get_mut(id) {
        change(&mut session.object, fields);
    }
    let is_paid = integer(&session.object, "amount_total") > 0;
    complete(state, id, if is_paid { "paid" } else { "no_payment_required" });
    Ok(())
}

/// Whether the payer must give a card: always, unless nothing is due and the session asks for one only if needed.
pub fn needs_card(session: &StoredSession) -> bool {
    let is_lenient = session.object["payment_method_collection"] == "if_required";
    integer(&session.object, "amount_total") > 0 || session.object["mode"] == "subscription" && !is_lenient
}

fn subscription_request(
    state: &State,
    session: &StoredSession,
    customer: String,
    payer: &Payer,
    fields: Value,
) -> SubscriptionRequest {
    let now = state.now();
    let is_plan = |item: &&Value| !item["price"]["recurring"].is_null();
    let (plans, once): (Vec<&Value>, Vec<&Value>) = session.items.iter().partition(is_plan);
    let plan = |item: &Value| (item["price"].clone(), integer(item, "quantity"), json!({}));
    let purchase = |item: &Value| PendingItem {
        amount: integer(item, "amount_subtotal"),
        currency: text(item, "currency").to_owned(),
        description: text(item, "description").to_owned(),
        price: item["price"].clone(),
        quantity: integer(item, "quantity"),
        period: (now, now),
        item: None,
        metadata: json!({}),
    };
    let promotion = session.object["discounts"][0]["promotion_code"].clone();
    SubscriptionRequest {
        customer,
        currency: text(&session.object, "currency").to_owned(),
        items: plans.into_iter().map(plan).collect(),
        purchases: once.into_iter().map(purchase).collect(),
        trial_end: session.trial.map(|trial| match trial {
            Trial::Lasts(seconds) => now + seconds,
            Trial::Until(end) => end,
        }),
        coupon: session.coupon.clone().map(|coupon| (coupon, promotion)),
        payment: FirstPayment::OrNothing,
        presence: presence(payer),
        fields,
    }
}

fn presence(payer: &Payer) -> Presence {
    if payer.has_authenticated { Presence::Authenticated } else { Presence::Present }
}

fn declined(error: ApiError) -> ApiError {
    error.with_message("Your card was declined. Try another card.")
}

fn needs_authentication() -> ApiError {
    let message = "Your bank asks whether it is you who pays. Tick “I am the owner of this card” and pay again.";
    ApiError::card("authentication_required", message)
}

/// The bank has paid a debit.
pub fn settle(state: &mut State, id: &str) -> Result<(), ApiError> {
    let (intent, charge) = pending_debit(state, id)?;
    attempt::settle_debit(state, &intent, &charge);
    change_session(state, id, "checkout.session.async_payment_succeeded", json!({ "payment_status": "paid" }));
    Ok(())
}

/// The bank has refused a debit. The session stays complete and unpaid.
pub fn fail(state: &mut State, id: &str) -> Result<(), ApiError> {
    let (intent, charge) = pending_debit(state, id)?;
    attempt::fail_debit(state, &intent, &charge);
    let now = state.now();
    if let Some(session) = state.sessions.get_mut(id) {
        session.failed_at = Some(now);
    }
    change_session(state, id, "checkout.session.async_payment_failed", json!({}));
    Ok(())
}

pub fn expire(state: &mut State, id: &str) -> Result<(), ApiError> {
    let Some(session) = state.sessions.get_mut(id) else {
        return Err(ApiError::not_found("checkout.session", id, "session"));
    };
    if !session.is_open() {
        return Err(ApiError::invalid(format!(
            "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of \
             `{}`.",
            text(&session.object, "status")
        )));
    }
    change(&mut session.object, json!({ "status": "expired", "url": null }));
    let object = session.object.clone();
    state.emit("checkout.session.expired", object);
    Ok(())
}

/// Expires a session that is overdue and still open.
pub fn expire_overdue(state: &mut State, id: &str) {
    if state.sessions.get(id).is_some_and(StoredSession::is_open) {
        let _ = expire(state, id);
    }
}

fn find_open(state: &State, id: &str) -> Result<StoredSession, ApiError> {
    let session = state.sessions.required("checkout.session", id, "session")?;
    match text(&session.object, "status") {
        "open" => Ok(session.clone()),
        "expired" => Err(ApiError::invalid("This checkout page has expired. Nothing was charged.").status(409)),
        _ => Err(ApiError::invalid("This has been paid already. You were not charged again.").status(409)),
    }
}

/// The intent and the charge of a bank debit that is pending.
fn pending_debit(state: &State, id: &str) -> Result<(String, String), ApiError> {
    let session = state.sessions.required("checkout.session", id, "session")?;
    let intent = state.payment_intents.get(text(&session.object, "payment_intent"));
    match intent.filter(|_| session.is_pending()) {
        Some(intent) => Ok((text(intent, "id").to_owned(), text(intent, "latest_charge").to_owned())),
        None => Err(ApiError::invalid("This session has no pending bank debit.").status(409)),
    }
}

/// Records the payer, and makes a customer if the session asks for one.
fn record_payer(state: &mut State, id: &str, payer: &Payer, session: &StoredSession) {
    let known = &session.object["customer_details"];
    let email = payer.email.as_ref().map_or_else(|| known["email"].clone(), |email| json!(email));
    let name = payer.name.as_ref().map_or_else(|| known["name"].clone(), |name| json!(name));
    let mut customer = session.object["customer"].clone();
    let wants_customer = session.object["customer_creation"] == "always" || session.object["mode"] == "subscription";
    if customer.is_null() && wants_customer {
        let fields = json!({ "email": email, "name": name });
        customer = customer::add(state, fields)["id"].take();
    }
    if let Some(session) = state.sessions.get_mut(id) {
        session.object["customer"] = customer;
        session.object["customer_details"] = customer_details(&email, &name);
    }
}

/// The session's payment intent. The first attempt to pay makes it.
fn session_intent(state: &mut State, id: &str) -> Result<String, ApiError> {
    let session = find_open(state, id)?;
    if let Some(intent) = session.object["payment_intent"].as_str() {
        let mut fields = json!({ "amount": session.object["amount_total"] });
        fields["customer"] = session.object["customer"].clone();
        if let Some(object) = state.payment_intents.get_mut(intent) {
            change(object, fields);
        }
        return Ok(intent.to_owned());
    }
    let mut fields = session.intent.clone();
    let more = json!({
        "amount": session.object["amount_total"], "currency": session.object["currency"],
        "customer": session.object["customer"], "payment_method_types": session.object["payment_method_types"],
    });
    change(&mut fields, more);
    let intent = intent::add(state, fields);
    if let Some(session) = state.sessions.get_mut(id) {
        session.object["payment_intent"] = json!(intent);
    }
    Ok(intent)
}

fn complete(state: &mut State, id: &str, payment_status: &str) {
    let fields = json!({ "status": "complete", "payment_status": payment_status, "url": null });
    change_session(state, id, "checkout.session.completed", fields);
}

fn change_session(state: &mut State, id: &str, event: &str, fields: Value) {
    if let Some(session) = state.sessions.get_mut(id) {
        change(&mut session.object, fields);
        let object = session.object.clone();
        state.emit(event, object);
    }
}
