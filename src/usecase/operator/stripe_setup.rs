//! `till stripe setup`: makes at Stripe what the catalogue needs, once, and says what to put into the configuration.

use std::time::Duration;

use crate::app::App;
use crate::catalog::{Interval, Offer, price_id_variable};
use crate::clock::Deadline;
use crate::error::Result;
use crate::id;
use crate::stripe::event::TYPES;
use crate::stripe::portal::PRODUCTS_LIMIT;
use crate::stripe::setup::NewPrice;
use crate::stripe::{PortalPlan, Price};

const PATIENCE: Duration = Duration::from_secs(60);

/// What was found, made, or would be made.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// One line for each thing.
    pub steps: Vec<String>,
    /// Variables and their values, for the `.env`.
    pub variables: Vec<(String, String)>,
}

/// Sets Stripe up. With `dry_run` it only says what it would do.
pub fn set_up(app: &App, dry_run: bool) -> Result<Setup> {
    let deadline = Deadline::after(PATIENCE);
    let mut setup = Setup::default();
    let mut plans = Some(vec![]);
    for offer in app.catalog.for_sale() {
        let price = price(app, offer, dry_run, &mut setup, deadline)?;
        if matches!(offer, Offer::Plan(_)) {
            // Without its price, which a dry run does not make, what the portal would offer cannot be told.
            plans = plans.zip(price).map(|(plans, price)| [plans, vec![price]].concat());
        }
    }
    portal(app, plans, dry_run, &mut setup, deadline)?;
    endpoint(app, dry_run, &mut setup, deadline)?;
    Ok(setup)
}

fn price(app: &App, offer: Offer<'_>, dry_run: bool, setup: &mut Setup, deadline: Deadline) -> Result<Option<Price>> {
    let stripe = app.stripe()?;
    let currency = app.catalog.currency.as_str();
    let interval = match offer {
        Offer::Plan(plan) if plan.interval == Interval::Year => Some("year"),
        Offer::Plan(_) => Some("month"),
        Offer::Pack(_) => None,
    };
    let (key, amount) = (offer.key(), offer.amount());
    let tax_behavior = app.catalog.selling.automatic_tax.then(|| tax_behavior(currency));
    let lookup_key =
        format!("till_{key}_{amount}_{currency}{}", interval.map(|word| format!("_{word}")).unwrap_or_default());
    let found = stripe.price_by_lookup_key(&lookup_key, deadline)?;
    let made = match found {
        Some(price) => {
            setup.steps.push(format!("{key}: the price {} is there", price.id));
            say_how_tax_is_meant(app, offer, &price, dry_run, setup, deadline)?;
            price
        }
        None if dry_run => {
            setup.steps.push(format!("{key}: would make a price of {amount} {currency} (minor units)"));
            return Ok(None);
        }
        None => {
            let new =
                NewPrice { key, name: offer.name(), amount, currency, interval, lookup_key: &lookup_key, tax_behavior };
            let price = stripe.create_price(&new, &id::ordered_id("setup", app.clock.now())?, deadline)?;
            setup.steps.push(format!("{key}: made the price {}", price.id));
            price
        }
    };
    describe(app, offer, &made, dry_run, setup, deadline)?;
    setup.variables.push((price_id_variable(key), made.id.clone()));
    Ok(Some(made))
}

/// Where units expire, Stripe's checkout says so before the buyer pays.
fn describe(
    app: &App,
    offer: Offer<'_>,
    price: &Price,
    dry_run: bool,
    setup: &mut Setup,
    deadline: Deadline,
) -> Result<()> {
    let Some((validity, product)) = offer.expiry().words().zip(price.product.as_deref()) else { return Ok(()) };
    let every = if matches!(offer, Offer::Plan(_)) { " every month" } else { "" };
    let words = format!("{}{every}, {validity}", app.catalog.unit.count(offer.units()));
    let verb = if dry_run { "would say" } else { "says" };
    if !dry_run {
        let key = id::ordered_id("setup", app.clock.now())?;
        app.stripe()?.describe_product(product, &words, &key, deadline)?;
    }
    setup.steps.push(format!("{}: its product {verb} {words:?}", offer.key()));
    Ok(())
}

/// Whether tax comes on top of a price in this currency, as by default at Stripe: on top in US and Canadian dollars,
/// where prices are named without tax, and contained in all others. An operator who means it otherwise says so on the
/// price at Stripe first.
fn tax_behavior(currency: &str) -> &'static str {
    if matches!(currency, "usd" | "cad") { "exclusive" } else { "inclusive" }
}

/// Where Stripe computes tax, a price must say whether tax comes on top. One that does is left as it is.
fn say_how_tax_is_meant(
    app: &App,
    offer: Offer<'_>,
    price: &Price,
    dry_run: bool,
    setup: &mut Setup,
    deadline: Deadline,
) -> Result<()> {
    if !app.catalog.selling.automatic_tax || price.tax_behavior != "unspecified" {
        return Ok(());
    }
    let behavior = tax_behavior(&app.catalog.currency);
    let words = if behavior == "exclusive" { "comes on top" } else { "is contained" };
    let step = match dry_run {
        true => format!("would say that tax {words} (which cannot be changed later)"),
        false => {
            let key = id::ordered_id("setup", app.clock.now())?;
            app.stripe()?.set_tax_behavior(&price.id, behavior, &key, deadline)?;
            format!("said that tax {words}")
        }
    };
    setup.steps.push(format!("{}: {step}", offer.key()));
    Ok(())
}

/// The customer portal with the plans on sale; `plans` is `None` while some of their prices are still to be made.
fn portal(app: &App, plans: Option<Vec<Price>>, dry_run: bool, setup: &mut Setup, deadline: Deadline) -> Result<()> {
    let stripe = app.stripe()?;
    let there = stripe.portal_configurations(deadline)?.ours;
    let plan = |price: Price| price.product.map(|product| PortalPlan { product, price: price.id });
    let mut plans: Option<Vec<PortalPlan>> = plans.map(|prices| prices.into_iter().filter_map(plan).collect());
    if plans.as_ref().is_some_and(|plans| plans.len() > PRODUCTS_LIMIT) {
        setup
            .steps
            .push(format!("customer portal: Stripe takes {PRODUCTS_LIMIT} plans at most, the first ones are used"));
    }
    plans.iter_mut().for_each(|plans| plans.truncate(PRODUCTS_LIMIT));
    let is_right = there
        .as_ref()
        .zip(plans.as_ref())
        .is_some_and(|(configuration, plans)| configuration.offers(plans.iter().map(|plan| plan.price.as_str())));
    let step = match (there, dry_run) {
        (Some(configuration), _) if is_right => format!("the configuration {} is there", configuration.id),
        (Some(configuration), true) => format!("would bring the plans of {} up to date", configuration.id),
        (None, true) => "would make a configuration with the plans".to_owned(),
        (there, false) => {
            let key = id::ordered_id("setup", app.clock.now())?;
            let id = there.as_ref().map(|configuration| configuration.id.as_str());
            let put = stripe.put_portal_configuration(id, &plans.unwrap_or_default(), &key, deadline)?;
            match id {
                Some(id) => format!("brought the plans of {id} up to date"),
                None => format!("made the configuration {}", put.id),
            }
        }
    };
    setup.steps.push(format!("customer portal: {step}"));
    Ok(())
}

fn endpoint(app: &App, dry_run: bool, setup: &mut Setup, deadline: Deadline) -> Result<()> {
    let stripe = app.stripe()?;
    let url = app.url("/billing/webhook");
    let key = id::ordered_id("setup", app.clock.now())?;
    let there = stripe.webhook_endpoints(deadline)?.into_iter().find(|endpoint| endpoint.url == url);
    match there {
        Some(endpoint) => {
            let gets = |kind: &&str| endpoint.enabled_events.iter().any(|event| event == kind || event == "*");
            let is_whole = TYPES.iter().all(gets);
            let step = match (is_whole, dry_run) {
                (true, _) => format!("webhook endpoint: {} is there", endpoint.id),
                (false, true) => format!("webhook endpoint: would add missing events to {}", endpoint.id),
                (false, false) => {
                    stripe.set_webhook_events(&endpoint.id, &TYPES, &key, deadline)?;
                    format!("webhook endpoint: added missing events to {}", endpoint.id)
                }
            };
            setup.steps.push(step);
            setup.steps.push("Its signing secret is shown in Stripe's dashboard only.".to_owned());
        }
        None if dry_run => setup.steps.push(format!("webhook endpoint: would make one for {url}")),
        None => {
            let made = stripe.create_webhook_endpoint(&url, &TYPES, &key, deadline)?;
            setup.steps.push(format!("webhook endpoint: made {} for {url}", made.id));
            setup.variables.extend(made.secret.map(|secret| ("SPRITE_STRIPE_WEBHOOK_SECRET".to_owned(), secret)));
        }
    }
    Ok(())
}
