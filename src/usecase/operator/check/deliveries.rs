//! Whether Stripe's webhooks arrive: only Stripe knows what it could not deliver, and only that shows a signing secret
//! that is another endpoint's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::PATIENCE;
use super::finding::{Finding, bad, good, open};
use crate::app::App;
use crate::clock::{DAY_SECONDS, Deadline, Timestamp};
use crate::error::Result;
use crate::store::inbox;
use crate::stripe::event::TYPES;
use crate::stripe::setup::StripeEndpoint;
use crate::stripe::{EventEnvelope, EventFilter, ListQuery, Stripe, StripeError};

const WHAT: &str = "webhook deliveries";
/// Pages of events that are read: 500 events.
const PAGES: usize = 5;
/// An event that arrived so soon after it was made came by webhook: a comparison with Stripe finds it later.
const PROMPT_SECONDS: i64 = 60;
/// An event younger than this may be on its way.
const YOUNG_SECONDS: i64 = 30;
/// How long such an event is given.
const PAUSE: Duration = Duration::from_secs(3);

/// What Stripe could not deliver in the last day. `is_reached` says whether our own probe arrived.
pub(super) fn deliveries(app: &App, stripe: &Stripe, endpoints: &[StripeEndpoint], is_reached: bool) -> Finding {
    let mut seen = match look(app, stripe) {
        Ok(seen) => seen,
        Err(why) => return bad(WHAT, why),
    };
    if seen.is_failing() && seen.first_failed >= app.clock.now().plus_seconds(-YOUNG_SECONDS) {
        std::thread::sleep(PAUSE);
        seen = match look(app, stripe) {
            Ok(seen) => seen,
            Err(why) => return bad(WHAT, why),
        };
    }
    judge(&seen, endpoints, is_reached)
}

/// Deliveries of the last day, of the types that are handled here.
struct Deliveries {
    /// By type.
    failed: BTreeMap<String, usize>,
    first_failed: Timestamp,
    last_failed: Option<Timestamp>,
    arrived: usize,
    last_arrived: Option<Timestamp>,
}

impl Deliveries {
    /// Whether the last delivery that can be judged failed.
    fn is_failing(&self) -> bool {
        self.last_failed.is_some() && self.last_failed >= self.last_arrived
    }
}

fn judge(seen: &Deliveries, endpoints: &[StripeEndpoint], is_reached: bool) -> Finding {
    let failed: usize = seen.failed.values().sum();
    if !seen.is_failing() {
        return match (seen.arrived, failed) {
            (0, _) => {
                let detail = "Stripe had no event to send in the last day: a first purchase will show whether the webhook \
                              secret is the endpoint's";
                open(WHAT, detail.to_owned())
            }
            (arrived, 0) => good(WHAT, format!("{arrived} events of the last day arrived, none failed")),
            (arrived, failed) => good(
                WHAT,
                format!(
                    "the last one arrived, as {arrived} of the last day did; {failed} before could not be delivered, which \
                     Stripe sends again and till reconcile applies"
                ),
            ),
        };
    }
    let kinds: Vec<String> = seen.failed.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let ids: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.id.as_str()).collect();
    let endpoints = if ids.is_empty() { "the endpoint".to_owned() } else { ids.join(" or ") };
    let advice = match is_reached {
        true => format!(
            "A probe with the configured secret arrived, so SPRITE_STRIPE_WEBHOOK_SECRET is probably not the signing secret \
             of {endpoints}: copy it from Stripe's dashboard, and restart till"
        ),
        false => "See the public URL above".to_owned(),
    };
    let kinds = kinds.join(", ");
    bad(
        WHAT,
        format!(
            "Stripe could not deliver {failed} events of the last day ({kinds}). {advice}. Then till reconcile applies \
             what was missed"
        ),
    )
}

fn look(app: &App, stripe: &Stripe) -> std::result::Result<Deliveries, String> {
    let now = app.clock.now();
    let undelivered = list(stripe, now, true).map_err(|error| error.to_operator())?;
    let all = list(stripe, now, false).map_err(|error| error.to_operator())?;
    count(app, &undelivered, &all).map_err(|error| error.to_string())
}

fn list(stripe: &Stripe, now: Timestamp, undelivered: bool) -> std::result::Result<Vec<EventEnvelope>, StripeError> {
    let page = ListQuery { created_from: Some(now.plus_seconds(-DAY_SECONDS)), ..ListQuery::default() };
    let mut filter = EventFilter { page, kinds: vec![], undelivered };
    let mut events = vec![];
    // The newest page tells whether anything arrives; what failed is counted.
    for _ in 0..(if undelivered { PAGES } else { 1 }) {
        let listed = stripe.list_events(&filter, Deadline::after(PATIENCE))?;
        events.extend(listed.rows.into_iter().filter_map(|row| Some(row.ok()?.event)));
        if !listed.has_more || listed.last_id.is_none() {
            break;
        }
        filter.page.after = listed.last_id;
    }
    events.retain(|event| TYPES.contains(&event.kind.as_str()));
    Ok(events)
}

/// Other endpoints of the account fail too: an event that came here promptly was delivered here, whatever became of it
/// elsewhere. One that is in the inbox and failed nowhere was delivered here at last.
fn count(app: &App, undelivered: &[EventEnvelope], all: &[EventEnvelope]) -> Result<Deliveries> {
    let mut seen = Deliveries {
        failed: BTreeMap::new(),
        first_failed: Timestamp::from_seconds(i64::from(u32::MAX)),
        last_failed: None,
        arrived: 0,
        last_arrived: None,
    };
    let failed_somewhere: BTreeSet<&str> = undelivered.iter().map(|event| event.id.as_str()).collect();
    let others = all.iter().filter(|event| !failed_somewhere.contains(event.id.as_str()));
    for event in undelivered.iter().chain(others) {
        let row = app.store.read(|tx| inbox::by_id(tx, &event.id))?;
        let is_listed = failed_somewhere.contains(event.id.as_str());
        let took = row.map(|row| row.event.received_at.seconds() - event.created.seconds());
        if took.is_some_and(|took| !is_listed || took <= PROMPT_SECONDS) {
            seen.arrived += 1;
            seen.last_arrived = seen.last_arrived.max(Some(event.created));
        } else if is_listed {
            *seen.failed.entry(event.kind.clone()).or_default() += 1;
            seen.first_failed = seen.first_failed.min(event.created);
            seen.last_failed = seen.last_failed.max(Some(event.created));
        }
    }
    Ok(seen)
}
