//! `subscription_schedule`: reading, releasing, canceling. The portal page makes them (`billing::schedule`).

use serde_json::Value;

use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::subscription;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::list::{matches, page};
use crate::sandbox::params::{LIST, boolean, text};
use crate::sandbox::shape::text as word;

pub const ROUTES: &[Route] = &[
    Route::get("/v1/subscription_schedules", list)
        .takes(&[LIST, &[text("customer"), boolean("scheduled")]])
        .not_built(&["canceled_at", "completed_at", "customer_account", "released_at"]),
    Route::get("/v1/subscription_schedules/{}", retrieve),
    Route::post("/v1/subscription_schedules/{}/release", release).not_built(&["preserve_cancel_date"]),
    Route::post("/v1/subscription_schedules/{}/cancel", cancel).not_built(&["invoice_now", "prorate"]),
];

fn list(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let wanted = |row: &&Value| {
        let is_scheduled = row["status"] == "not_started";
        matches(&call.form, row, "customer") && call.form.flag("scheduled").is_none_or(|wanted| wanted == is_scheduled)
    };
    page(&call.form, "/v1/subscription_schedules", call.state.schedules.newest().filter(wanted))
}

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    call.state.schedules.required("subscription_schedule", call.id(), "schedule").cloned()
}

/// The subscription of an active schedule.
fn active(call: &mut ApiCall<'_>, done: &str) -> Result<String, ApiError> {
    let schedule = retrieve(call)?;
    if schedule["status"] != "active" {
        let message = format!(
            "You cannot {done} a subscription schedule that is currently in the `{}` status.",
            word(&schedule, "status")
        );
        return Err(ApiError::invalid(message));
    }
    call.state.follow_clock_of(word(&schedule, "customer"));
    Ok(word(&schedule, "subscription").to_owned())
}

fn release(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let subscription = active(call, "release")?;
    subscription::release_schedule(call.state, &subscription);
    retrieve(call)
}

/// Cancels the subscription too, as at Stripe.
fn cancel(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let subscription = active(call, "cancel")?;
    subscription::cancel(call.state, &subscription, "cancellation_requested");
    retrieve(call)
}
