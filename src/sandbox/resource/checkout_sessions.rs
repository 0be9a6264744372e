//! `checkout.session`: what can be asked and done about one that exists. Making one is `checkout_create`; paying one is
//! `payment`.

use serde_json::{Value, json};

use super::{checkout_create, metadata};
use crate::sandbox::api::{Call, Route};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, Rule, map, one_of, text};
use crate::sandbox::payment;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::shape::{self, integer};

const FILTERS: &[Rule] = &[
    text("customer"),
    text("payment_intent"),
    text("subscription"),
    one_of("status", &["open", "complete", "expired"]),
    text("customer_details.email"),
];

/// The calls of this resource.
pub const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/v1/checkout/sessions",
        rules: checkout_create::RULES,
        not_built: checkout_create::NOT_BUILT,
        handler: checkout_create::create,
    },
    Route {
        method: "GET",
        path: "/v1/checkout/sessions",
        rules: &[LIST, FILTERS],
        not_built: &["customer_account", "payment_link"],
        handler: list,
    },
    Route { method: "GET", path: "/v1/checkout/sessions/{}", rules: &[], not_built: &[], handler: retrieve },
    Route {
        method: "POST",
        path: "/v1/checkout/sessions/{}",
        rules: &[&[map("metadata")]],
        not_built: &["collected_information", "line_items", "shipping_options"],
        handler: update,
    },
    Route {
        method: "GET",
        path: "/v1/checkout/sessions/{}/line_items",
        rules: &[LIST],
        not_built: &[],
        handler: line_items,
    },
    Route { method: "POST", path: "/v1/checkout/sessions/{}/expire", rules: &[], not_built: &[], handler: expire },
];

/// When a trial ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// So many seconds after the purchase.
    Lasts(i64),
    /// At this time.
    Until(i64),
}

/// A session, and what Stripe keeps about it without showing it in the object.
#[derive(Clone, Debug)]
pub struct Session {
    /// The object.
    pub object: Value,
    /// Its line items.
    pub items: Vec<Value>,
    /// The coupon whose discount it has.
    pub coupon: Option<Value>,
    /// Fields that the payment intent is to have.
    pub intent: Value,
    /// Fields that the subscription is to have.
    pub plan: Value,
    /// The subscription's trial.
    pub trial: Option<Trial>,
    /// When its bank debit failed, in whole seconds.
    pub failed_at: Option<i64>,
}

impl Session {
    /// Whether it can still be paid or expired.
    pub fn is_open(&self) -> bool {
        self.object["status"] == "open"
    }

    /// Whether a bank debit is under way: complete, unpaid, and its payment neither settled nor failed.
    pub fn is_pending(&self) -> bool {
        self.object["status"] == "complete" && self.object["payment_status"] == "unpaid" && self.failed_at.is_none()
    }

    /// Sums the line items up, with the discount taken off each.
    pub fn total(&mut self) {
        let currency = shape::text(&self.object, "currency").to_owned();
        // During a trial the plan costs nothing; what is bought once with it does.
        let is_free = |item: &Value| self.trial.is_some() && !item["price"]["recurring"].is_null();
        let cost = |item: &Value| integer(&item["price"], "unit_amount").saturating_mul(integer(item, "quantity"));
        let amounts: Vec<i64> = self.items.iter().map(|item| if is_free(item) { 0 } else { cost(item) }).collect();
        let off = match &self.coupon {
            Some(coupon) => super::coupons::taken_off(coupon, &amounts, &currency),
            None => vec![0; amounts.len()],
        };
        for (item, (amount, off)) in self.items.iter_mut().zip(amounts.iter().zip(&off)) {
            item["amount_subtotal"] = json!(amount);
            item["amount_discount"] = json!(off);
            item["amount_total"] = json!(amount - off);
        }
        let (subtotal, discount): (i64, i64) = (amounts.iter().sum(), off.iter().sum());
        self.object["amount_subtotal"] = json!(subtotal);
        self.object["amount_total"] = json!(subtotal - discount);
        self.object["total_details"] = json!({ "amount_discount": discount, "amount_shipping": 0, "amount_tax": 0 });
    }
}

fn list(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let form = &call.form;
    let wanted = |row: &&Value| {
        ["customer", "payment_intent", "subscription", "status"].iter().all(|field| matches(form, row, field))
            && form.text("customer_details.email").is_none_or(|email| row["customer_details"]["email"] == email)
    };
    let rows = call.state.sessions.newest().map(|session| &session.object).filter(wanted);
    page(form, "/v1/checkout/sessions", rows)
}

fn found(call: &Call<'_>) -> Result<Session, Refusal> {
    let session = call.state.sessions.get(call.id()).cloned();
    session.ok_or_else(|| Refusal::not_found("checkout.session", call.id(), "session"))
}

fn retrieve(call: &mut Call<'_>) -> Result<Value, Refusal> {
    found(call).map(|session| session.object)
}

fn update(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let mut session = found(call)?;
    session.object["metadata"] = metadata(&session.object["metadata"], &call.form, "metadata");
    let (id, object) = (call.id().to_owned(), session.object.clone());
    call.state.sessions.put(&id, session);
    Ok(object)
}

fn line_items(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let session = found(call)?;
    page(&call.form, &format!("/v1/checkout/sessions/{}/line_items", call.id()), session.items.iter())
}

fn expire(call: &mut Call<'_>) -> Result<Value, Refusal> {
    found(call)?;
    let id = call.id().to_owned();
    payment::expire(call.state, &id)?;
    found(call).map(|session| session.object)
}
