//! `till check`: does everything fit together? One line for each thing that can be wrong.

use std::time::Duration;

use crate::app::App;
use crate::catalog::{Interval, Offer, price_id_variable};
use crate::clock::Deadline;
use crate::error::Result;
use crate::private_file::is_open_to_others;
use crate::stripe::event::TYPES;
use crate::stripe::portal::PRODUCTS_LIMIT;
use crate::stripe::{API_VERSION, EventFilter, Price, Stripe, StripeError, StripeErrorKind, probe};
use crate::usecase::operator::clock;
use crate::usecase::stripe_events::payments;

const PATIENCE: Duration = Duration::from_secs(15);
/// How far our clock may be from Stripe's: half of what a webhook's signature tolerates.
const CLOCK_SECONDS: i64 = 150;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub what: String,
    /// Whether it is as it should be.
    pub is_good: bool,
    /// What was found, and what to do.
    pub detail: String,
}

/// Looks at everything.
pub fn check(app: &App) -> Vec<Finding> {
    let mut found = vec![finding("database", app.store.check_writable(&app.clock).map(|()| "takes writes".to_owned()))];
    found.push(files(app));
    found.extend(app.store.file_system_fault().map(|what| bad("file system", what)));
    found.push(payments_in_doubt(app));
    let Ok(stripe) = app.stripe() else {
        found.extend(clock::fault(app).map(|what| bad("clock", what)));
        return found;
    };
    match stripe.ping(Deadline::after(PATIENCE)) {
        Ok(time) => {
            let mode = if stripe.is_live() { "live" } else { "test" };
            found.push(good("Stripe key", format!("is taken, in {mode} mode")));
            let skew = time.map(|time| time.seconds() - app.clock.wall().seconds());
            found.push(match (skew, clock::fault(app)) {
                (None, _) => bad("clock", "Stripe did not say what time it is".to_owned()),
                (Some(skew), None) if skew.abs() <= CLOCK_SECONDS => good("clock", format!("{skew} s from Stripe's")),
                (Some(skew), fault) => {
                    let fault = fault.map(|what| format!(". {what}")).unwrap_or_default();
                    bad("clock", format!("{skew} s from Stripe's: webhooks will be refused; set up NTP{fault}"))
                }
            });
        }
        Err(error) => {
            found.push(bad("Stripe key", refusal(&error)));
            found.extend(clock::fault(app).map(|what| bad("clock", what)));
            return found;
        }
    }
    for offer in app.catalog.for_sale() {
        found.push(price(app, offer));
    }
    found.push(events(stripe));
    found.extend(portal(app, stripe));
    found.extend(endpoint(app));
    found.push(reached(app));
    found
}

/// Whether the last comparisons confirmed the payments in the books.
fn payments_in_doubt(app: &App) -> Finding {
    let what = "payments";
    match payments::count_in_doubt(app) {
        Ok(0) => good(what, "none is in doubt after the last comparison with Stripe".to_owned()),
        Ok(count) => bad(what, format!("{count} in the books are not so at Stripe: till payment list shows them")),
        Err(error) => bad(what, error.to_string()),
    }
}

/// Whether Stripe's events can be compared with the books.
fn events(stripe: &Stripe) -> Finding {
    let what = "Stripe's events";
    match stripe.list_events(&EventFilter::default(), Deadline::after(PATIENCE)) {
        Ok(_) => good(what, "can be read, for the comparison".to_owned()),
        Err(StripeError { kind: StripeErrorKind::Forbidden { permission }, .. }) => {
            let permission = permission.unwrap_or_else(|| "rak_event_read".to_owned());
            bad(what, format!("are not compared: the restricted key lacks the permission {permission}"))
        }
        Err(error) => bad(what, refusal(&error)),
    }
}

/// Whether the database and the files with secrets are their owner's alone.
fn files(app: &App) -> Finding {
    let mut open = app.config.open_files.clone();
    for suffix in ["-wal", "-shm"] {
        let mut name = app.config.database.as_os_str().to_owned();
        name.push(suffix);
        let path = std::path::PathBuf::from(name);
        if is_open_to_others(&path) {
            open.push(format!("{} can be read or changed by everybody: chmod 600 {}", path.display(), path.display()));
        }
    }
    match open.is_empty() {
        true => good("private files", "are their owner's alone".to_owned()),
        false => bad("private files", open.join("; ")),
    }
}

fn price(app: &App, offer: Offer<'_>) -> Finding {
    let what = format!("price of {}", offer.key());
    let Some(id) = offer.price_id() else {
        return bad(&what, format!("is not set: {}, or till stripe setup", price_id_variable(offer.key())));
    };
    let Ok(stripe) = app.stripe() else { return bad(&what, "Stripe cannot be asked".to_owned()) };
    match stripe.price(id, Deadline::after(PATIENCE)) {
        Ok(price) => match differences(app, offer, &price) {
            different if different.is_empty() => good(&what, format!("{id} is as the catalogue says")),
            different => bad(&what, format!("{id} {}", different.join(", "))),
        },
        Err(error) => bad(&what, refusal(&error)),
    }
}

fn differences(app: &App, offer: Offer<'_>, price: &Price) -> Vec<String> {
    let mut different = vec![];
    if price.active == Some(false) {
        different.push("is archived at Stripe".to_owned());
    }
    if price.unit_amount != Some(offer.amount()) {
        let theirs = price.unit_amount.map_or_else(|| "no fixed amount".to_owned(), |amount| amount.to_string());
        different.push(format!("costs {theirs} at Stripe and {} in the catalogue", offer.amount()));
    }
    if price.currency.as_deref() != Some(app.catalog.currency.as_str()) {
        different.push(format!("is in {} at Stripe", price.currency.as_deref().unwrap_or("no currency")));
    }
    if app.catalog.selling.automatic_tax && price.tax_behavior == "unspecified" {
        different
            .push("does not say whether tax is contained, which automatic_tax needs: till stripe setup".to_owned());
    }
    let interval = match offer {
        Offer::Plan(plan) if plan.interval == Interval::Year => "year",
        Offer::Plan(_) => "month",
        Offer::Pack(_) => "",
    };
    if price.interval != interval {
        let theirs = if price.interval.is_empty() { "paid once" } else { price.interval.as_str() };
        different.push(format!("is {theirs} at Stripe"));
    }
    different
}

/// Whether customers can change between the plans on sale; nothing is said where there are none.
fn portal(app: &App, stripe: &Stripe) -> Option<Finding> {
    let what = "customer portal";
    let plans = app.catalog.for_sale().filter(|offer| matches!(offer, Offer::Plan(_)));
    let plans: Vec<Offer<'_>> = plans.take(PRODUCTS_LIMIT).collect();
    if plans.is_empty() {
        return None;
    }
    let found = match stripe.portal_configurations(Deadline::after(PATIENCE)) {
        Ok(found) => found,
        Err(error) => return Some(bad(what, refusal(&error))),
    };
    let prices = plans.iter().filter_map(|offer| offer.price_id());
    Some(match (found.ours, found.default) {
        (Some(ours), _) if ours.offers(prices) => good(what, format!("{} has the plans on sale", ours.id)),
        (Some(ours), _) => bad(what, format!("{} has other plans than are on sale: till stripe setup", ours.id)),
        (None, Some(default)) if default.changes_plans => {
            good(what, format!("the account's own, {}, whose plans are set at Stripe", default.id))
        }
        (None, _) => bad(what, "there is none in which a plan can be changed: till stripe setup makes it".to_owned()),
    })
}

fn endpoint(app: &App) -> Vec<Finding> {
    let what = "webhook endpoint";
    let url = app.url("/billing/webhook");
    let listed = app.stripe().map(|stripe| stripe.webhook_endpoints(Deadline::after(PATIENCE)));
    let endpoints = match listed {
        Ok(Ok(endpoints)) => endpoints,
        Ok(Err(error)) => return vec![bad(what, refusal(&error))],
        Err(fault) => return vec![bad(what, fault.to_string())],
    };
    let Some(endpoint) = endpoints.into_iter().find(|endpoint| endpoint.url.trim_end_matches('/') == url) else {
        return vec![bad(what, format!("there is none for {url}: till stripe setup makes it"))];
    };
    let gets = |kind: &str| endpoint.enabled_events.iter().any(|event| event == kind || event == "*");
    let missing: Vec<&str> = TYPES.into_iter().filter(|kind| !gets(kind)).collect();
    let enabled = match endpoint.is_enabled {
        true => good(what, format!("{} is enabled", endpoint.id)),
        false => bad(what, format!("{} is disabled at Stripe: enable it there", endpoint.id)),
    };
    let events = match missing.is_empty() {
        true => good("webhook events", "all that are needed are sent".to_owned()),
        false => bad("webhook events", format!("not sent: {} (till stripe setup adds them)", missing.join(", "))),
    };
    let version = match endpoint.api_version.as_deref() {
        Some(API_VERSION) | None => {
            good("webhook version", endpoint.api_version.unwrap_or_else(|| "the account's".into()))
        }
        Some(other) => bad("webhook version", format!("{other}, and this program is written for {API_VERSION}")),
    };
    vec![enabled, events, version]
}

/// Posts to the webhook through the public URL, as Stripe does: it must refuse the missing signature, and not redirect.
fn reached(app: &App) -> Finding {
    let what = "public URL";
    let url = app.url("/billing/webhook");
    match probe::post(&url, PATIENCE) {
        Ok(probe::ProbeReply { status: 400, .. }) => good(what, format!("{url} leads here")),
        Ok(probe::ProbeReply { status: 300..=399, location }) => {
            let to = location.unwrap_or_else(|| "nowhere".to_owned());
            bad(what, format!("{url} redirects to {to}: Stripe counts that as a failure"))
        }
        Ok(probe::ProbeReply { status, .. }) => {
            bad(what, format!("{url} answers {status}, 400 was expected: is till behind it?"))
        }
        Err(why) => bad(what, format!("{url} cannot be reached: {why}")),
    }
}

fn refusal(error: &StripeError) -> String {
    match &error.kind {
        StripeErrorKind::KeyRefused => "is refused by Stripe: copy it again from the dashboard".to_owned(),
        StripeErrorKind::Forbidden { permission } => {
            let named = permission.as_deref().unwrap_or("one that Stripe did not name");
            format!("the restricted key lacks a permission: {named}")
        }
        _ => error.to_string(),
    }
}

fn good(what: &str, detail: String) -> Finding {
    Finding { what: what.to_owned(), is_good: true, detail }
}

fn bad(what: &str, detail: String) -> Finding {
    Finding { what: what.to_owned(), is_good: false, detail }
}

fn finding(what: &str, looked: Result<String>) -> Finding {
    match looked {
        Ok(detail) => good(what, detail),
        Err(error) => bad(what, error.to_string()),
    }
}
