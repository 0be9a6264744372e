//! The catalogue as the pages show it.

use super::view::{Interval, PackCard, PackOffer, PlanCard, PlanOffer, PlanState, UnitWords};
use crate::catalog::{self, Catalog, Offer};
use crate::error::{Fault, Result};
use crate::money::{Currency, Money};
use crate::usecase::users::UserSnapshot;

/// What units are called.
pub(super) fn words(catalog: &Catalog) -> UnitWords {
    UnitWords::new(&catalog.unit.singular, &catalog.unit.plural)
}

/// The packs, the better value marked.
pub(super) fn packs(catalog: &Catalog) -> Result<Vec<PackCard>> {
    let currency = currency(catalog)?;
    let offers: Vec<PackOffer> = catalog
        .packs
        .iter()
        .filter(|pack| !Offer::Pack(pack).is_retired())
        .map(|pack| PackOffer {
            key: pack.key.clone(),
            units: pack.units,
            price: Money::new(pack.amount, currency),
            is_for_sale: pack.price_id.is_some(),
        })
        .collect();
    Ok(PackCard::shelf(&offers, &words(catalog)))
}

/// The plans, the user's own one marked.
pub(super) fn plans(catalog: &Catalog, member: Option<&UserSnapshot>) -> Result<Vec<PlanCard>> {
    let currency = currency(catalog)?;
    let has = |plan: &catalog::Plan| member.is_some_and(|member| member.plan == plan.key);
    let offer = |plan: &catalog::Plan| PlanOffer {
        key: plan.key.clone(),
        name: plan.name.clone(),
        price: Money::new(plan.amount, currency),
        interval: match plan.interval {
            catalog::Interval::Month => Interval::Month,
            catalog::Interval::Year => Interval::Year,
        },
        units: plan.units,
        features: plan.features.clone(),
        state: match plan {
            plan if has(plan) => PlanState::Current,
            plan if plan.amount == 0 => PlanState::Free,
            _ if member.is_some_and(|member| member.subscription.is_some()) => PlanState::InPortal,
            plan if plan.price_id.is_some() => PlanState::ForSale,
            _ => PlanState::NotAvailable,
        },
    };
    // One that was taken off sale is shown to those who have it.
    let shown = catalog.plans.iter().filter(|plan| !Offer::Plan(plan).is_retired() || has(plan));
    Ok(shown.map(|plan| PlanCard::of(&offer(plan), &words(catalog))).collect())
}

fn currency(catalog: &Catalog) -> Result<Currency> {
    let known = Currency::new(&catalog.currency);
    known.ok_or_else(|| Fault::bare(format!("{:?} is no currency", catalog.currency)).into())
}
