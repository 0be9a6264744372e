//! The customer portal with the plans on sale.

use super::{Setup, SetupContext, SetupResult};
use crate::catalog::Shop;
use crate::stripe::portal::{PRODUCTS_LIMIT, PortalShop};
use crate::stripe::{PortalPlan, Price};

/// Finds, makes or updates it; `plans` is `None` while some of their prices are still to be made.
pub(super) fn portal(context: &SetupContext<'_>, plans: Option<Vec<Price>>, setup: &mut Setup) -> SetupResult<()> {
    let SetupContext { stripe, deadline, .. } = *context;
    let there = stripe.portal_configurations(deadline)?.ours;
    let plan = |price: Price| price.product.map(|product| PortalPlan { product, price: price.id });
    let mut plans: Option<Vec<PortalPlan>> = plans.map(|prices| prices.into_iter().filter_map(plan).collect());
    if plans.as_ref().is_some_and(|plans| plans.len() > PRODUCTS_LIMIT) {
        setup
            .steps
            .push(format!("customer portal: Stripe takes {PRODUCTS_LIMIT} plans at most, the first ones are used"));
    }
    plans.iter_mut().for_each(|plans| plans.truncate(PRODUCTS_LIMIT));
    let shop = presentation(&context.config.catalog.shop);
    let is_right = there.as_ref().zip(plans.as_ref()).is_some_and(|(configuration, plans)| {
        configuration.offers(plans.iter().map(|plan| plan.price.as_str())) && configuration.presents(shop)
    });
    let step = match (there, context.dry_run) {
        (Some(configuration), _) if is_right => format!("the configuration {} is there", configuration.id),
        (Some(configuration), true) => format!("would bring the plans of {} up to date", configuration.id),
        (None, true) => "would make a configuration with the plans".to_owned(),
        (there, false) => {
            let id = there.as_ref().map(|configuration| configuration.id.as_str());
            let put = {
                let plans = plans.unwrap_or_default();
                stripe.put_portal_configuration(id, (&plans, shop), &context.key()?, deadline)?
            };
            match id {
                Some(id) => format!("brought the plans of {id} up to date"),
                None => format!("made the configuration {}", put.id),
            }
        }
    };
    setup.steps.push(format!("customer portal: {step}"));
    Ok(())
}

/// What the portal says of the shop. Stripe links to encrypted pages only.
fn presentation(shop: &Shop) -> PortalShop<'_> {
    let is_encrypted = |url: &&str| url.starts_with("https://");
    PortalShop {
        headline: shop.name.as_deref(),
        privacy_url: shop.privacy_url.as_deref().filter(is_encrypted),
        terms_url: shop.terms_url.as_deref().filter(is_encrypted),
    }
}
