//! The control page: what has happened, and buttons for what can go wrong with webhooks and slow payments. Each button
//! is a plain form, and tests may post to its route. The answer is `303` to `/`. Refunds, disputes and the clock are in
//! `steps`.
//!
//! | route | fields | what it does |
//! | --- | --- | --- |
//! | `POST /control/events/{evt_…}/resend` | `times` (1, at most 10) | sends an event again, this many times |
//! | `POST /control/deliveries/{number}/send` | | sends one dropped, held or failed delivery now |
//! | `POST /control/webhooks/hold` | | holds webhooks back from now on |
//! | `POST /control/webhooks/release` | `order`: `made` (default) or `reverse` | sends the held ones, one after the other |
//! | `POST /control/webhooks/drop` | `times` (1) | drops this many of the next deliveries; 0 drops none |
//! | `POST /control/sessions/{cs_…}/settle`, `…/fail` | | lets a bank debit settle or fail |
//! | `POST /control/sessions/{cs_…}/expire` | | expires an open session |
//! | `POST /control/settlement` | `currency`, `rate` in millionths | settles in this currency what is charged in another; in each without |
//! | `POST /control/faults` | `path`, `kind`, `times` (1), `method` (any) | injects a fault into the next API calls (`faults`) |
//! | `POST /control/faults/clear` | | removes all faults |
//! | `GET /control/state` | | switches, faults, time, open disputes, pending refunds, and deliveries as JSON, newest delivery first |

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::{SameSiteForm, error_page, page, respond, see_other};
use crate::clock::{Timestamp, rfc3339};
use crate::sandbox::amount::{checked_currency, money};
use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::calendar::day_in_words;
use crate::sandbox::checkout;
use crate::sandbox::collect::dispute;
use crate::sandbox::faults::{FaultKind, InjectedFault};
use crate::sandbox::form::RequestForm;
use crate::sandbox::model::session::StoredSession;
use crate::sandbox::model::settlement::SettlementCurrency;
use crate::sandbox::model::subscription::StoredSubscription;
use crate::sandbox::outbox::{ReleaseOrder, WebhookDelivery};
use crate::sandbox::shape::{integer, text};
use crate::sandbox::shared::Shared;
use crate::sandbox::state::State as Store;
use crate::sandbox::wire;

/// Rows of each table of the page, and ids in each list of its JSON. All objects are in the API's lists.
const ROWS_LIMIT: usize = 20;
const TIMES_LIMIT: i64 = 10;
const DROP_LIMIT: i64 = 1_000;

#[derive(Template)]
#[template(path = "sandbox/control.html")]
struct ControlPage {
    is_holding: bool,
    held: usize,
    dropping: u32,
    faults: Vec<String>,
    endpoints: Vec<String>,
    time: String,
    after_retries: &'static str,
    charges: Vec<MoneyRow>,
    refunds: Vec<MoneyRow>,
    disputes: Vec<MoneyRow>,
    sessions: Vec<SessionRow>,
    subscriptions: Vec<SubscriptionRow>,
    deliveries: Vec<DeliveryRow>,
    /// Of each table.
    rows_limit: usize,
}

/// A charge, refund or dispute, and the steps that are possible.
struct MoneyRow {
    id: String,
    at: String,
    /// The payer's e-mail address, or else the customer's id.
    who: String,
    amount: String,
    status: String,
    steps: &'static [&'static str],
}

struct SessionRow {
    id: String,
    at: String,
    amount: String,
    status: String,
    payment_status: String,
    is_open: bool,
    is_pending: bool,
}

struct SubscriptionRow {
    id: String,
    at: String,
    who: String,
    plan: String,
    status: String,
    until: String,
}

struct DeliveryRow {
    id: u64,
    event: String,
    kind: String,
    progress: &'static str,
    words: String,
    attempts: u32,
    last: String,
    can_be_sent: bool,
}

/// `GET /`.
pub async fn show(State(shared): State<Arc<Shared>>) -> Response {
    page(200, &shared.with(|state| build(state)), "'self'")
}

/// `GET /control/state`.
pub async fn state(State(shared): State<Arc<Shared>>) -> Response {
    let found = shared.with(|state| {
        let deliveries: Vec<Value> = state.outbox.newest().map(delivery).collect();
        let faults: Vec<Value> = state.faults.waiting().iter().map(|fault| json!(fault.in_words())).collect();
        json!({
            "holding": state.outbox.is_holding(), "dropping": state.outbox.dropping(), "faults": faults,
            "deliveries": deliveries, "now": state.now(), "after_retries": state.after_retries.in_words(),
            "open_disputes": open_disputes(state), "pending_refunds": pending_refunds(state),
        })
    });
    respond(StatusCode::OK, "application/json", wire::render(&found), "'none'")
}

/// `POST /control/events/{event}/resend`.
pub async fn resend(shared: State<Arc<Shared>>, Path(event): Path<String>, form: SameSiteForm) -> Response {
    act(shared, form, |state, form| {
        for _ in 0..times(form, 1..=TIMES_LIMIT)? {
            if !state.resend(&event) {
                return Err(ApiError::not_found("event", &event, "id"));
            }
        }
        Ok(())
    })
}

/// `POST /control/deliveries/{delivery}/send`.
pub async fn send(shared: State<Arc<Shared>>, Path(id): Path<u64>, form: SameSiteForm) -> Response {
    act(shared, form, |state, _| match state.outbox.send_now(id) {
        true => Ok(()),
        false => Err(ApiError::not_found("delivery that can be sent now", &id.to_string(), "id")),
    })
}

/// `POST /control/webhooks/{switch}`.
pub async fn switch(shared: State<Arc<Shared>>, Path(switch): Path<String>, form: SameSiteForm) -> Response {
    act(shared, form, |state, form| {
        match (switch.as_str(), form.filled("order").unwrap_or("made")) {
            ("hold", _) => state.outbox.hold(),
            ("release", "made") => state.outbox.release(ReleaseOrder::Made),
            ("release", "reverse") => state.outbox.release(ReleaseOrder::Reverse),
            ("drop", _) => state.outbox.drop_next(u32::try_from(times(form, 0..=DROP_LIMIT)?).unwrap_or(0)),
            ("release", other) => {
                return Err(ApiError::invalid(format!("`{other}` is not an order: use `made` or `reverse`.")));
            }
            (other, _) => return Err(ApiError::invalid(format!("There is no switch `{other}`.")).status(404)),
        }
        Ok(())
    })
}

/// `POST /control/sessions/{session}/{step}`.
pub async fn step(
    shared: State<Arc<Shared>>,
    Path((session, step)): Path<(String, String)>,
    form: SameSiteForm,
) -> Response {
    act(shared, form, |state, _| match step.as_str() {
        "settle" => checkout::settle(state, &session),
        "fail" => checkout::fail(state, &session),
        "expire" => checkout::expire(state, &session),
        other => Err(no_such_step(other)),
    })
}

/// `POST /control/settlement`.
pub async fn settle_in(shared: State<Arc<Shared>>, form: SameSiteForm) -> Response {
    act(shared, form, |state, form| {
        let rate = form.integer("rate").unwrap_or(1_000_000);
        if !(1..=1_000_000_000).contains(&rate) {
            return Err(ApiError::invalid("`rate` must be from 1 to 1000000000 millionths.").param("rate"));
        }
        let currency = form.filled("currency").map(|currency| checked_currency(currency, "currency")).transpose()?;
        state.settlement = currency.map(|currency| SettlementCurrency { currency, rate });
        Ok(())
    })
}

/// `POST /control/faults`.
pub async fn set_fault(shared: State<Arc<Shared>>, form: SameSiteForm) -> Response {
    act(shared, form, |state, form| {
        state.faults.set(InjectedFault {
            path: form.filled("path").unwrap_or("/v1/").to_owned(),
            method: form.filled("method").map(str::to_owned),
            kind: FaultKind::parse(form.text("kind").unwrap_or_default())?,
            times: u32::try_from(times(form, 1..=DROP_LIMIT)?).unwrap_or(1),
        })
    })
}

/// `POST /control/faults/clear`.
pub async fn clear_faults(shared: State<Arc<Shared>>, form: SameSiteForm) -> Response {
    act(shared, form, |state, _| {
        state.faults.clear();
        Ok(())
    })
}

/// Does what a form of this page asks for.
pub fn act(
    State(shared): State<Arc<Shared>>,
    SameSiteForm(form): SameSiteForm,
    work: impl FnOnce(&mut Store, &RequestForm) -> Result<(), ApiError>,
) -> Response {
    match shared.with(|state| work(state, &form)) {
        Ok(()) => see_other("/"),
        Err(error) => error_page(&error),
    }
}

pub fn no_such_step(step: &str) -> ApiError {
    ApiError::invalid(format!("There is no step `{step}`.")).status(404)
}

fn ids<'a>(rows: impl Iterator<Item = &'a Value>) -> Vec<&'a str> {
    rows.take(ROWS_LIMIT).map(|row| text(row, "id")).collect()
}

fn open_disputes(state: &Store) -> Vec<&str> {
    ids(state.disputes.newest().filter(|row| !dispute::is_closed(row)))
}

fn pending_refunds(state: &Store) -> Vec<&str> {
    ids(state.refunds.newest().filter(|row| matches!(text(row, "status"), "pending" | "requires_action")))
}

fn times(form: &RequestForm, allowed: std::ops::RangeInclusive<i64>) -> Result<i64, ApiError> {
    let times = form.filled("times").map_or(Some(1), |text| text.parse().ok());
    times.filter(|times| allowed.contains(times)).ok_or_else(|| {
        let message = format!("`times` must be a whole number from {} to {}.", allowed.start(), allowed.end());
        ApiError::invalid(message).param("times")
    })
}

fn delivery(row: &WebhookDelivery) -> Value {
    json!({
        "id": row.id, "event": row.event, "type": row.kind, "endpoint": row.endpoint, "progress": row.progress.word(),
        "attempts": row.attempts, "last": row.last,
    })
}

fn build(state: &Store) -> ControlPage {
    let row = |row: &WebhookDelivery| DeliveryRow {
        id: row.id,
        event: row.event.clone(),
        kind: row.kind.clone(),
        progress: row.progress.word(),
        words: row.progress.word().replace('_', " "),
        attempts: row.attempts,
        last: row.last.clone().unwrap_or_default(),
        can_be_sent: matches!(row.progress.word(), "dropped" | "held" | "waiting" | "given_up"),
    };
    ControlPage {
        is_holding: state.outbox.is_holding(),
        held: state.outbox.newest().filter(|row| row.progress.word() == "held").count(),
        dropping: state.outbox.dropping(),
        faults: state.faults.waiting().iter().map(InjectedFault::in_words).collect(),
        endpoints: state.webhook_endpoints.oldest().map(|row| text(&row.object, "url").to_owned()).collect(),
        time: time_in_words(state.own_time()),
        after_retries: state.after_retries.in_words(),
        charges: rows(state, state.charges.newest(), charge_steps),
        refunds: rows(state, state.refunds.newest(), refund_steps),
        disputes: rows(state, state.disputes.newest(), dispute_steps),
        sessions: state.sessions.newest().take(ROWS_LIMIT).map(session).collect(),
        deliveries: state.outbox.newest().take(ROWS_LIMIT).map(row).collect(),
        subscriptions: state.subscriptions.newest().take(ROWS_LIMIT).map(|row| subscription(state, row)).collect(),
        rows_limit: ROWS_LIMIT,
    }
}

fn rows<'a>(
    state: &Store,
    rows: impl Iterator<Item = &'a Value>,
    steps: fn(&Value) -> &'static [&'static str],
) -> Vec<MoneyRow> {
    let row = |row: &Value| {
        let charge = if row["object"] == "charge" { Some(row) } else { state.charges.get(text(row, "charge")) };
        MoneyRow {
            id: text(row, "id").to_owned(),
            at: time_in_words(Timestamp::from_seconds(integer(row, "created"))),
            who: charge.map(|charge| payer(state, charge)).unwrap_or_default(),
            amount: money(integer(row, "amount"), text(row, "currency")),
            status: text(row, "status").replace('_', " "),
            steps: steps(row),
        }
    };
    rows.take(ROWS_LIMIT).map(row).collect()
}

/// Who paid, or is to pay: by e-mail address if one is known.
fn payer(state: &Store, object: &Value) -> String {
    let customer = text(object, "customer");
    let email = object["billing_details"]["email"].as_str();
    let email = email.or_else(|| state.customers.get(customer)?["email"].as_str());
    email.unwrap_or(customer).to_owned()
}

fn subscription(state: &Store, row: &StoredSubscription) -> SubscriptionRow {
    let price = row.items().first().map(|item| &item["price"]);
    let product = price.and_then(|price| state.products.get(text(price, "product")));
    SubscriptionRow {
        id: text(&row.object, "id").to_owned(),
        at: time_in_words(Timestamp::from_seconds(integer(&row.object, "created"))),
        who: payer(state, &row.object),
        plan: product.map(|product| text(product, "name").to_owned()).unwrap_or_default(),
        status: row.status().replace('_', " "),
        until: day_in_words(row.period().1),
    }
}

fn charge_steps(charge: &Value) -> &'static [&'static str] {
    let can_be = charge["status"] == "succeeded" && charge["refunded"] == false && charge["disputed"] == false;
    if can_be { &["refund", "dispute"] } else { &[] }
}

fn refund_steps(refund: &Value) -> &'static [&'static str] {
    match text(refund, "status") {
        "pending" => &["settle", "fail", "require-action"],
        "requires_action" => &["settle", "fail", "cancel"],
        "succeeded" => &["fail"],
        _ => &[],
    }
}

fn dispute_steps(dispute: &Value) -> &'static [&'static str] {
    match dispute {
        _ if dispute::is_closed(dispute) => &[],
        _ if dispute::is_inquiry(dispute) => &["close", "escalate"],
        _ => &["won", "lost"],
    }
}

fn time_in_words(at: Timestamp) -> String {
    rfc3339(at).get(..19).unwrap_or_default().replace('T', " ")
}

fn session(session: &StoredSession) -> SessionRow {
    let object = &session.object;
    SessionRow {
        id: text(object, "id").to_owned(),
        at: time_in_words(Timestamp::from_seconds(integer(object, "created"))),
        amount: money(integer(object, "amount_total"), text(object, "currency")),
        status: text(object, "status").to_owned(),
        payment_status: text(object, "payment_status").replace('_', " "),
        is_open: session.is_open(),
        is_pending: session.is_pending(),
    }
}
