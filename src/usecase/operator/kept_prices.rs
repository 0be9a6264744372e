//! What Stripe charges for what is on sale, as far as it is kept: compared with Stripe by `till check`, and shown to buyers
//! where the catalogue says something else.

use crate::app::App;
use crate::catalog::Catalog;
use crate::error::Result;
use crate::store::prices;
use crate::stripe::Price;

/// An amount that is not what it was taken for, in minor units of its currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceDifference {
    /// The plan's or pack's key.
    pub key: String,
    /// Stripe's id of the price.
    pub price: String,
    pub currency: String,
    /// What was taken for it: what was kept, or what the catalogue says.
    pub expected: i64,
    /// What Stripe charges.
    pub charged: i64,
}

/// Keeps what Stripe says now of the price of `key`: in the catalogue's currency, and in those that are kept. Returns
/// where something else was kept.
pub(super) fn refresh(app: &App, key: &str, price: &Price) -> Result<Vec<PriceDifference>> {
    let (kept, price, key) = (app.store.read(|tx| prices::all_of(tx, &price.id))?, price.clone(), key.to_owned());
    let own = app.catalog.currency.clone();
    let is_kept = kept.iter().any(|(currency, _)| *currency == own);
    let mut different = vec![];
    for (currency, expected) in kept {
        if let Some(charged) = price.amount_in(&currency).filter(|charged| *charged != expected) {
            different.push(PriceDifference { key: key.clone(), price: price.id.clone(), currency, expected, charged });
        }
    }
    let new = price.amount_in(&own).filter(|_| !is_kept);
    if !different.is_empty() || new.is_some() {
        let changed = different.clone();
        app.store.write(move |tx| {
            for PriceDifference { price, currency, charged, .. } in &changed {
                prices::put(tx, price, currency, *charged)?;
            }
            new.map_or(Ok(()), |amount| prices::put(tx, &price.id, &own, amount))
        })?;
    }
    Ok(different)
}

/// The catalogue with the amounts that Stripe charges, as far as they are kept, and where they differ from what it says.
pub fn as_charged(app: &App) -> Result<(Catalog, Vec<PriceDifference>)> {
    let mut catalog = Catalog::clone(&app.catalog);
    let currency = catalog.currency.clone();
    let different = app.store.read(|tx| {
        let mut different = vec![];
        for offer in app.catalog.for_sale() {
            let Some(price) = offer.price_id() else { continue };
            let kept = prices::amount(tx, price, &currency)?;
            if let Some(charged) = kept.filter(|charged| *charged > 0 && *charged != offer.amount()) {
                let (key, price, currency) = (offer.key().to_owned(), price.to_owned(), currency.clone());
                different.push(PriceDifference { key, price, currency, expected: offer.amount(), charged });
            }
        }
        Ok(different)
    })?;
    different.iter().for_each(|found| catalog.set_amount(&found.key, found.charged));
    Ok((catalog, different))
}
