//! Products and prices.

use super::{Setup, SetupContext, SetupResult};
use crate::catalog::{Interval, Offer, price_id_variable};
use crate::language::Language;
use crate::stripe::Price;
use crate::stripe::setup::{NewPrice, PricedProduct};
use crate::usecase::operator::stripe_account::mode_word;

/// Finds or makes the price of what is on sale. `None` if a dry run would make it.
pub(super) fn price(context: &SetupContext<'_>, offer: Offer<'_>, setup: &mut Setup) -> SetupResult<Option<Price>> {
    let currency = context.config.catalog.currency.as_str();
    let interval = match offer {
        Offer::Plan(plan) if plan.interval == Interval::Year => Some("year"),
        Offer::Plan(_) => Some("month"),
        Offer::Pack(_) => None,
    };
    let (key, amount) = (offer.key(), offer.amount());
    let lookup_key =
        format!("till_{key}_{amount}_{currency}{}", interval.map(|word| format!("_{word}")).unwrap_or_default());
    let title = context.config.catalog.shop.titled(offer.name());
    let mut new = NewPrice {
        key,
        name: &title,
        amount,
        currency,
        interval,
        lookup_key: &lookup_key,
        tax_behavior: context.config.catalog.selling.automatic_tax.then(|| tax_behavior(currency)),
        takes_lookup_key: false,
    };
    let price = match find(context, offer.price_id(), &mut new, setup)? {
        Some(found) => {
            setup.steps.push(format!("{key}: the price {} is there", found.price.id));
            if found.is_product_active == Some(false)
                && let Some(product) = &found.price.product
            {
                activate(context, key, product, setup)?;
            }
            say_how_tax_is_meant(context, key, &found.price, setup)?;
            Some(found.price)
        }
        None => make(context, &new, setup)?,
    };
    if let Some(price) = &price {
        describe(context, offer, price, setup)?;
        setup.variables.push((price_id_variable(key), price.id.clone()));
    }
    Ok(price)
}

/// A price that can be bought and is what the catalogue says: the configured one, the one that holds our lookup key, or
/// another one of our product. Notes in `new` that the lookup key is held by a price that does not do.
fn find(
    context: &SetupContext<'_>,
    configured: Option<&str>,
    new: &mut NewPrice<'_>,
    setup: &mut Setup,
) -> SetupResult<Option<PricedProduct>> {
    let SetupContext { stripe, deadline, .. } = *context;
    let key = new.key;
    if let Some(id) = configured {
        match stripe.priced_product(id, deadline) {
            Ok(found) if fits(&found.price, new) => return Ok(Some(found)),
            Ok(_) => setup.steps.push(format!(
                "{key}: the configured {id} is archived, or is not what the catalogue says. If somebody subscribed at \
                 it, put it into older_price_ids"
            )),
            Err(error) if error.is_missing() => {
                let mode = mode_word(stripe.is_live());
                setup.steps.push(format!("{key}: the configured {id} does not exist in this account's {mode} mode"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(holder) = stripe.price_by_lookup_key(new.lookup_key, deadline)? {
        if fits(&holder.price, new) {
            return Ok(Some(holder));
        }
        new.takes_lookup_key = true;
        setup.steps.push(format!("{key}: {} holds our lookup key, and is archived or another price", holder.price.id));
    }
    match stripe.prices_of(&product_of(key), deadline) {
        Ok(prices) => Ok(prices.into_iter().find(|found| fits(&found.price, new))),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The id that our product has at Stripe.
fn product_of(key: &str) -> String {
    format!("till_{key}")
}

fn fits(price: &Price, new: &NewPrice<'_>) -> bool {
    price.active != Some(false)
        && price.unit_amount == Some(new.amount)
        && price.currency.as_deref() == Some(new.currency)
        && price.interval == new.interval.unwrap_or_default()
        && price.interval_count.is_none_or(|count| count == 1)
}

fn make(context: &SetupContext<'_>, new: &NewPrice<'_>, setup: &mut Setup) -> SetupResult<Option<Price>> {
    let SetupContext { stripe, deadline, .. } = *context;
    let NewPrice { key, amount, currency, .. } = *new;
    if context.dry_run {
        setup.steps.push(format!("{key}: would make a price of {amount} {currency} (minor units)"));
        return Ok(None);
    }
    let product = product_of(key);
    match stripe.is_product_active(&product, deadline)? {
        None => stripe.create_product(&product, new, &context.key()?, deadline)?,
        Some(false) => activate(context, key, &product, setup)?,
        Some(true) => {}
    }
    let price = stripe.create_price(&product, new, &context.key()?, deadline)?;
    let moved = if new.takes_lookup_key { ", which takes over the lookup key" } else { "" };
    setup.steps.push(format!("{key}: made the price {}{moved}", price.id));
    Ok(Some(price))
}

/// Where units expire, Stripe's checkout says so before the buyer pays.
fn describe(context: &SetupContext<'_>, offer: Offer<'_>, price: &Price, setup: &mut Setup) -> SetupResult<()> {
    let language = Language::default();
    let Some((validity, product)) = offer.expiry().words(language).zip(price.product.as_deref()) else { return Ok(()) };
    let units = context.config.catalog.unit.count(offer.units(), language);
    let units = if matches!(offer, Offer::Plan(_)) { language.offers_units_every_month(units) } else { units };
    let words = format!("{units}, {validity}");
    let verb = if context.dry_run { "would say" } else { "says" };
    if !context.dry_run {
        context.stripe.describe_product(product, &words, &context.key()?, context.deadline)?;
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
fn say_how_tax_is_meant(context: &SetupContext<'_>, key: &str, price: &Price, setup: &mut Setup) -> SetupResult<()> {
    let catalog = &context.config.catalog;
    if !catalog.selling.automatic_tax || price.tax_behavior != "unspecified" {
        return Ok(());
    }
    let behavior = tax_behavior(&catalog.currency);
    let words = if behavior == "exclusive" { "comes on top" } else { "is contained" };
    let step = match context.dry_run {
        true => format!("would say that tax {words} (which cannot be changed later)"),
        false => {
            context.stripe.set_tax_behavior(&price.id, behavior, &context.key()?, context.deadline)?;
            format!("said that tax {words}")
        }
    };
    setup.steps.push(format!("{key}: {step}"));
    Ok(())
}

/// What is on sale here must be on sale there.
fn activate(context: &SetupContext<'_>, key: &str, product: &str, setup: &mut Setup) -> SetupResult<()> {
    if context.dry_run {
        setup.steps.push(format!("{key}: would activate the archived product {product}"));
        return Ok(());
    }
    context.stripe.activate_product(product, &context.key()?, context.deadline)?;
    setup.steps.push(format!("{key}: activated the archived product {product}"));
    Ok(())
}
