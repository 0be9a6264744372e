//! What people and banks do at Stripe, as forms of the control page. Each answers `303` to `/`.
//!
//! | route | fields | what it does |
//! | --- | --- | --- |
//! | `POST /control/charges/{ch_… or pi_…}/dispute` | `kind`: `chargeback` (default) or `inquiry` | the payer disputes it |
//! | `POST /control/charges/{ch_… or pi_…}/refund` | `amount` (all that is left) | the seller refunds it on Stripe's dashboard |
//! | `POST /control/disputes/{du_…}/won` | `amount` (all) | the seller wins, and this amount comes back |
//! | `POST /control/disputes/{du_…}/lost`, `…/close`, `…/escalate` | | the seller loses; an inquiry is closed; an inquiry becomes a chargeback |
//! | `POST /control/refunds/{re_…}/fail`, `…/settle`, `…/require-action`, `…/cancel` | | what the bank or the seller does with a refund |
//! | `POST /control/payment_intents/{pi_…}/authenticate` | | the payer authenticates |
//! | `POST /control/clock/advance` | `by`: `hour`, `day`, `week`, `month`, `year`; `times` (1, at most 36); or `to`, in whole seconds | moves the stand-in's own clock ahead and does in order what is due until then. A month or a year ends two hours later, when the drafts of that day's renewals have become final |
//! | `POST /control/events/forget` | | removes all events from the list, as Stripe does after thirty days |
//! | `POST /control/account` | `id`: `acct_…` | every key is one of this account from now on |
//! | `POST /control/keys` | `key`: `rk_test_…`; `permissions`: `rak_…`, separated by commas | the key may do only this from now on |
//! | `POST /control/retries/{cancel, unpaid or past_due}` | | sets what happens to a subscription after its last failed retry |

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::json;

use super::SameSiteForm;
use super::control::{act, no_such_step};
use crate::clock::{DAY_SECONDS, Timestamp};
use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::calendar::months_after;
use crate::sandbox::collect::dispute::{self, DisputeEnding, DisputeKind};
use crate::sandbox::collect::refund::{self, RefundRequest};
use crate::sandbox::due;
use crate::sandbox::form::RequestForm;
use crate::sandbox::resource::payment_intents;
use crate::sandbox::shape::text;
use crate::sandbox::shared::Shared;
use crate::sandbox::state::{AfterRetries, State as Store};

const HOUR: i64 = 60 * 60;
const ADVANCE_LIMIT: i64 = 3 * 366 * DAY_SECONDS;

/// `POST /control/account`.
pub async fn account(shared: State<Arc<Shared>>, form: SameSiteForm) -> Response {
    act(shared, form, |state, form| {
        let id = form.filled("id").ok_or_else(|| ApiError::missing("id"))?;
        id.clone_into(&mut state.access.account);
        Ok(())
    })
}

/// `POST /control/keys`.
pub async fn restrict(shared: State<Arc<Shared>>, form: SameSiteForm) -> Response {
    act(shared, form, |state, form| {
        let key = form.filled("key").ok_or_else(|| ApiError::missing("key"))?;
        let permissions = form.filled("permissions").unwrap_or_default();
        state.access.restrict(key, permissions.split(',').map(|permission| permission.trim().to_owned()).collect());
        Ok(())
    })
}

/// `POST /control/charges/{charge}/{step}`.
pub async fn charge(
    shared: State<Arc<Shared>>,
    Path((id, step)): Path<(String, String)>,
    form: SameSiteForm,
) -> Response {
    act(shared, form, |state, form| {
        let id = charge_of(state, &id);
        match (step.as_str(), form.filled("kind").unwrap_or("chargeback")) {
            ("dispute", "chargeback") => dispute::open(state, &id, DisputeKind::Chargeback),
            ("dispute", "inquiry") => dispute::open(state, &id, DisputeKind::Inquiry),
            ("dispute", other) => {
                Err(ApiError::invalid(format!("`{other}` is not a kind: use `chargeback` or `inquiry`.")))
            }
            ("refund", _) => {
                let fields = json!({ "reason": "requested_by_customer" });
                refund::make(state, &id, RefundRequest { amount: amount(form)?, fields }).map(drop)
            }
            (other, _) => Err(no_such_step(other)),
        }
    })
}

/// `POST /control/disputes/{dispute}/{step}`.
pub async fn dispute(
    shared: State<Arc<Shared>>,
    Path((id, step)): Path<(String, String)>,
    form: SameSiteForm,
) -> Response {
    act(shared, form, |state, form| match step.as_str() {
        "won" => dispute::close(state, &id, DisputeEnding::Won(amount(form)?)),
        "lost" | "close" => dispute::close(state, &id, DisputeEnding::Lost),
        "escalate" => dispute::escalate(state, &id),
        other => Err(no_such_step(other)),
    })
}

/// `POST /control/refunds/{refund}/{step}`.
pub async fn refund(
    shared: State<Arc<Shared>>,
    Path((id, step)): Path<(String, String)>,
    form: SameSiteForm,
) -> Response {
    act(shared, form, |state, _| match step.as_str() {
        "fail" => refund::fail(state, &id),
        "settle" => refund::settle(state, &id),
        "require-action" => refund::require_action(state, &id),
        "cancel" => refund::cancel(state, &id),
        other => Err(no_such_step(other)),
    })
}

/// `POST /control/payment_intents/{intent}/authenticate`.
pub async fn authenticate(shared: State<Arc<Shared>>, Path(id): Path<String>, form: SameSiteForm) -> Response {
    act(shared, form, |state, _| payment_intents::authenticate(state, &id))
}

/// `POST /control/clock/advance`.
pub async fn advance(shared: State<Arc<Shared>>, form: SameSiteForm) -> Response {
    act(shared, form, |state, form| {
        let now = state.own_time().seconds();
        let times = form.filled("times").map_or(Some(1), |text| text.parse().ok());
        let Some(times) = times.filter(|times| (1..=36_i64).contains(times)) else {
            return Err(ApiError::invalid("`times` must be a whole number from 1 to 36.").param("times"));
        };
        let to = match (form.filled("by"), form.integer("to")) {
            (None, Some(to)) if (now..=now.saturating_add(ADVANCE_LIMIT)).contains(&to) => to,
            (Some("hour"), _) => now + times * HOUR,
            (Some("day"), _) => now + times * DAY_SECONDS,
            (Some("week"), _) => now + times * 7 * DAY_SECONDS,
            (Some("month"), _) => months_after(now, times) + 2 * HOUR,
            (Some("year"), _) => months_after(now, times.min(3) * 12) + 2 * HOUR,
            _ => {
                let message = "Give `by` (hour, day, week, month or year), or give `to`: a time in whole seconds, at most \
                               three years ahead.";
                return Err(ApiError::invalid(message).param("by"));
            }
        };
        due::put_ahead(state, Timestamp::from_seconds(to));
        Ok(())
    })
}

/// `POST /control/events/forget`.
pub async fn forget(shared: State<Arc<Shared>>, form: SameSiteForm) -> Response {
    act(shared, form, |state, _| {
        state.events.clear();
        Ok(())
    })
}

/// `POST /control/retries/{ending}`.
pub async fn retries(shared: State<Arc<Shared>>, Path(ending): Path<String>, form: SameSiteForm) -> Response {
    act(shared, form, |state, _| {
        state.after_retries = match ending.as_str() {
            "cancel" => AfterRetries::Cancel,
            "unpaid" => AfterRetries::Unpaid,
            "past_due" => AfterRetries::PastDue,
            other => return Err(no_such_step(other)),
        };
        Ok(())
    })
}

/// This charge, or the last charge of this payment intent.
fn charge_of(state: &Store, id: &str) -> String {
    match state.payment_intents.get(id) {
        Some(intent) => text(intent, "latest_charge").to_owned(),
        None => id.to_owned(),
    }
}

fn amount(form: &RequestForm) -> Result<Option<i64>, ApiError> {
    let Some(text) = form.filled("amount") else { return Ok(None) };
    let message = "`amount` must be a whole number in the currency's minor unit, such as 500 for $5.00.";
    text.parse().map(Some).map_err(|_| ApiError::invalid(message).param("amount"))
}
