//! The webhook endpoint that leads here, and others that do no longer.

use super::{Setup, SetupContext, SetupResult};
use crate::error::Refused;
use crate::stripe::API_VERSION;
use crate::stripe::event::TYPES;
use crate::stripe::setup::{EndpointChange, StripeEndpoint};

/// Finds, corrects or makes the endpoint, disables those that were asked for, and names what is left over.
pub(super) fn endpoints(context: &SetupContext<'_>, setup: &mut Setup) -> SetupResult<()> {
    let url = format!("{}/billing/webhook", context.config.base_url.as_str());
    let all = context.stripe.webhook_endpoints(context.deadline)?;
    if let Some(unknown) = context.disable.iter().find(|id| all.iter().all(|endpoint| endpoint.id != **id)) {
        let what = format!("There is no webhook endpoint {unknown} at Stripe: --disable takes its id, we_…");
        return Err(Refused::InvalidRequest(what).into());
    }
    let is_to_disable = |endpoint: &StripeEndpoint| context.disable.contains(&endpoint.id);
    let (disabled, mut kept): (Vec<StripeEndpoint>, Vec<StripeEndpoint>) = all.into_iter().partition(is_to_disable);
    kept.sort_by_key(|endpoint| (!endpoint.is_enabled, endpoint.url != url));
    let place = kept.iter().position(|endpoint| endpoint.leads_to(&url));
    if context.no_webhook {
        setup.steps.push("webhook endpoint: none is made, because till serve asks Stripe for its events".to_owned());
        let leads_here = |endpoint: &&StripeEndpoint| endpoint.is_enabled && endpoint.leads_to(&url);
        let useless = kept.iter().filter(leads_here).map(|endpoint| {
            let StripeEndpoint { id, url, .. } = endpoint;
            format!("webhook endpoint: {id} leads to {url}, where no webhook is taken: --disable {id} ends that")
        });
        setup.steps.extend(useless);
        return disabled.iter().try_for_each(|endpoint| disable(context, endpoint, setup));
    }
    // First the way that works, then the end of the others.
    match place.map(|place| kept.remove(place)) {
        Some(endpoint) => correct(context, &url, &endpoint, setup)?,
        None if context.dry_run => setup.steps.push(format!("webhook endpoint: would make one for {url}")),
        None => {
            let made = context.stripe.create_webhook_endpoint(&url, &TYPES, &context.key()?, context.deadline)?;
            setup.steps.push(format!("webhook endpoint: made {} for {url}", made.id));
            setup.variables.extend(made.secret.map(|secret| ("SPRITE_STRIPE_WEBHOOK_SECRET".to_owned(), secret)));
        }
    }
    for endpoint in disabled {
        disable(context, &endpoint, setup)?;
    }
    kept.retain(|endpoint| endpoint.is_enabled);
    setup.steps.extend(kept.iter().filter_map(|endpoint| left_over(&url, endpoint)));
    Ok(())
}

/// Names another endpoint of ours, and how to end it.
fn left_over(url: &str, endpoint: &StripeEndpoint) -> Option<String> {
    let StripeEndpoint { id, url: other, .. } = endpoint;
    if endpoint.leads_to(url) {
        return Some(format!(
            "webhook endpoint: {id} ({other}) leads here too, so each event is sent twice: --disable {id} ends that"
        ));
    }
    endpoint.is_of_another_address(url).then(|| {
        format!("webhook endpoint: {id} leads to {other}. If that is an earlier address of this till: --disable {id}")
    })
}

/// Changes what is wrong with the endpoint that leads here.
fn correct(context: &SetupContext<'_>, url: &str, endpoint: &StripeEndpoint, setup: &mut Setup) -> SetupResult<()> {
    let mut change = EndpointChange::default();
    let (mut would, mut done) = (vec![], vec![]);
    if endpoint.url != url {
        change.url = Some(url);
        would.push(format!("change its URL from {} to {url}", endpoint.url));
        done.push(format!("its URL was {}", endpoint.url));
    }
    if !endpoint.is_enabled {
        change.is_enabled = Some(true);
        would.push("enable it".to_owned());
        done.push("it was disabled".to_owned());
    }
    if !endpoint.lacks(&TYPES).is_empty() {
        change.events = Some(&TYPES);
        would.push("add missing events".to_owned());
        done.push("events were missing".to_owned());
    }
    let id = &endpoint.id;
    let step = match (would.is_empty(), context.dry_run) {
        (true, _) => format!("{id} is there"),
        (false, true) => format!("{id} is there; would {}", would.join(", ")),
        (false, false) => {
            context.stripe.change_webhook_endpoint(id, change, &context.key()?, context.deadline)?;
            format!("corrected {id}: {}", done.join(", "))
        }
    };
    setup.steps.push(format!("webhook endpoint: {step}"));
    if let Some(version) = endpoint.api_version.as_deref().filter(|version| *version != API_VERSION) {
        setup.steps.push(format!(
            "webhook endpoint: {id} sends version {version}, and till is written for {API_VERSION}. Stripe cannot change \
             that: --disable {id} makes another one"
        ));
    }
    setup.steps.push(format!("The signing secret of {id} is shown in Stripe's dashboard only."));
    Ok(())
}

fn disable(context: &SetupContext<'_>, endpoint: &StripeEndpoint, setup: &mut Setup) -> SetupResult<()> {
    let StripeEndpoint { id, url, is_enabled, .. } = endpoint;
    let step = match (is_enabled, context.dry_run) {
        (false, _) => "is disabled already",
        (true, true) => "would be disabled",
        (true, false) => {
            let change = EndpointChange { is_enabled: Some(false), ..EndpointChange::default() };
            context.stripe.change_webhook_endpoint(id, change, &context.key()?, context.deadline)?;
            "is disabled now"
        }
    };
    setup.steps.push(format!("webhook endpoint: {id} ({url}) {step}"));
    Ok(())
}
