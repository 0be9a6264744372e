//! `test_helpers.test_clock`: a clock that stands still until it is advanced. Customers made on it follow it, with
//! everything that belongs to them. `due` does what is due on the way. Source: Stripe, "Test your integration with test
//! clocks".

use serde_json::{Value, json};

use crate::clock::DAY_SECONDS;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::calendar::boundary;
use crate::sandbox::billing::customer;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::due;
use crate::sandbox::fields::texts;
use crate::sandbox::list::page;
use crate::sandbox::params::{LIST, integer, text};
use crate::sandbox::shape::{self, change, deleted};
use crate::sandbox::state::State;

const CLOCKS_LIMIT: usize = 100;
const LIFETIME: i64 = 30 * DAY_SECONDS;
/// How far one advance can go without subscriptions.
const TWO_YEARS: i64 = 2 * 366 * DAY_SECONDS;

pub const ROUTES: &[Route] = &[
    Route::post("/v1/test_helpers/test_clocks", create)
        .takes(&[&[integer("frozen_time").required(), text("name")]])
        .not_built(&["customer"]),
    Route::get("/v1/test_helpers/test_clocks", list).takes(&[LIST]),
    Route::get("/v1/test_helpers/test_clocks/{}", retrieve),
    Route::delete("/v1/test_helpers/test_clocks/{}", delete),
    Route::post("/v1/test_helpers/test_clocks/{}/advance", advance).takes(&[&[integer("frozen_time").required()]]),
];

fn create(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    if call.state.test_clocks.oldest().count() >= CLOCKS_LIMIT {
        return Err(ApiError::invalid(format!("You have reached the maximum of {CLOCKS_LIMIT} test clocks.")));
    }
    let id = call.state.new_id("clock_1", 24);
    let mut clock = texts(&call.form, &["name"]);
    let fields = json!({
        "id": id, "object": "test_helpers.test_clock", "created": call.at, "deletes_after": call.at + LIFETIME,
        "frozen_time": call.form.integer("frozen_time"), "livemode": false, "name": clock["name"], "status": "ready",
        "status_details": {},
    });
    change(&mut clock, fields);
    call.state.test_clocks.put(&id, clock.clone());
    call.state.emit("test_helpers.test_clock.created", clock.clone());
    Ok(clock)
}

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    page(&call.form, "/v1/test_helpers/test_clocks", call.state.test_clocks.newest())
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    call.state.test_clocks.required("test_clock", call.id(), "test_clock").cloned()
}

fn delete(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let clock = retrieve(call)?;
    let id = call.id().to_owned();
    let on_clock = |row: &&Value| row["test_clock"] == id.as_str();
    let ids: Vec<String> =
        call.state.customers.oldest().filter(on_clock).map(|row| shape::text(row, "id").to_owned()).collect();
    for customer in ids {
        customer::remove(call.state, &customer);
    }
    call.state.agenda.remove_clock(&id);
    call.state.test_clocks.remove(&id);
    call.state.emit("test_helpers.test_clock.deleted", clock);
    Ok(deleted("test_helpers.test_clock", &id))
}

/// Everything that is due is done at once. As at Stripe, this answer says `advancing` and the next one `ready`.
fn advance(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let mut clock = retrieve(call)?;
    let (id, to) = (call.id().to_owned(), call.form.integer("frozen_time").unwrap_or_default());
    let from = shape::integer(&clock, "frozen_time");
    if to <= from || to > latest(call.state, &id, from) {
        let message = "`frozen_time` must be after the clock's present `frozen_time`, and at most two intervals of the \
                       shortest subscription on the clock after it. Without subscriptions it can be two years after it.";
        return Err(ApiError::invalid(message).param("frozen_time"));
    }
    clock["status"] = json!("advancing");
    clock["status_details"] = json!({ "advancing": { "target_frozen_time": to } });
    call.state.emit("test_helpers.test_clock.advancing", clock.clone());
    due::advance(call.state, &id, to);
    if let Some(clock) = call.state.test_clocks.get(&id).cloned() {
        call.state.emit("test_helpers.test_clock.ready", clock);
    }
    Ok(clock)
}

/// How far the clock can be advanced now: two intervals of its shortest subscription. Source: Stripe, "Advance a test
/// clock", `frozen_time`.
fn latest(state: &State, clock: &str, from: i64) -> i64 {
    let on_clock = state.subscriptions.oldest().filter(|row| row.object["test_clock"] == clock && !row.has_ended());
    on_clock.map(|row| boundary(from, row.recurring(), 2)).min().unwrap_or(from + TWO_YEARS)
}
