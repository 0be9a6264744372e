//! What is for sale, as cards: packs and plans with price, price per unit, and the button or the reason why there is
//! none.

use super::words::capitalised;
use crate::catalog::{Catalog, Interval, Offer, Pack, Plan, UnitWords};
use crate::error::{Fault, Result};
use crate::language::Language;
use crate::money::{Currency, Money, best_value};
use crate::store::subscriptions::Subscription;
use crate::usecase::users::UserSnapshot;

#[derive(Clone, Debug)]
pub(super) struct PackCard {
    pub key: String,
    /// As the catalogue names it: `100 pictures`, `Big box`.
    pub name: String,
    /// `250 pictures`, where the name does not say it.
    pub units: Option<String>,
    /// `valid for 365 days`.
    pub validity: Option<String>,
    /// `$9`.
    pub price: String,
    /// `9¢ per picture`.
    pub per_unit: Option<String>,
    /// `Better value` of two, `Best value` of more. At most one pack has it, and only if it is strictly cheaper per unit.
    pub mark: Option<&'static str>,
    /// Whether another pack is marked. Then this one's button is outlined.
    pub is_second: bool,
    /// Whether it has a price at Stripe. Without one it is shown, but cannot be bought.
    pub is_for_sale: bool,
}

impl PackCard {
    /// All packs on sale, in the catalogue's order.
    pub(super) fn all(catalog: &Catalog, language: Language) -> Result<Vec<PackCard>> {
        let currency = currency(catalog)?;
        let packs: Vec<&Pack> = catalog.packs.iter().filter(|pack| !Offer::Pack(pack).is_retired()).collect();
        let best = best_pack(&packs, currency, language);
        let card = |pack: &&Pack| {
            let price = Money::new(pack.amount, currency);
            PackCard {
                key: pack.key.clone(),
                name: pack.title(&catalog.unit, language),
                units: pack.own_name(&catalog.unit).map(|_| catalog.unit.count(pack.units, language)),
                validity: pack.expiry.words(language),
                price: language.price(price),
                per_unit: per_unit(price, pack.units, &catalog.unit, language),
                mark: best.filter(|(key, _)| *key == pack.key).map(|(_, mark)| mark),
                is_second: best.is_some_and(|(key, _)| key != pack.key),
                is_for_sale: pack.price_id.is_some(),
            }
        };
        Ok(packs.iter().map(card).collect())
    }
}

/// The key of the pack that gives most for the money, and how it is marked. Only packs that can be bought are compared.
fn best_pack<'a>(packs: &[&'a Pack], currency: Currency, language: Language) -> Option<(&'a str, &'static str)> {
    let sold: Vec<&Pack> = packs.iter().copied().filter(|pack| pack.price_id.is_some()).collect();
    let prices: Vec<(Money, i64)> = sold.iter().map(|pack| (Money::new(pack.amount, currency), pack.units)).collect();
    let mark = if sold.len() > 2 { language.offers_best_value() } else { language.offers_better_value() };
    best_value(&prices).map(|index| (sold[index].key.as_str(), mark))
}

/// What a user can do about a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlanState {
    /// It can be bought: a form to the checkout, or for visitors the hint to sign in.
    ForSale,
    /// It is the user's plan.
    Current,
    /// The user has another subscription, so the plan is changed in the customer portal.
    InPortal,
    /// It is the plan of the user's subscription, which is off until its open invoice is paid in the customer portal.
    InvoiceOpen,
    /// It is the plan of the user's subscription, whose first payment is not complete.
    PaymentIncomplete,
    /// It is the plan of the user's subscription, which is paused.
    Paused,
    /// The user has another subscription, which waits for a payment and cannot be changed before.
    AfterPayment,
    /// It could be bought, but the payment for a plan is on its way.
    PaymentPending,
    /// It costs nothing and needs no button.
    Free,
    /// It has no price at Stripe.
    NotAvailable,
}

#[derive(Clone, Debug)]
pub(super) struct PlanCard {
    pub key: String,
    pub name: String,
    /// `$9`, `$0`.
    pub price: String,
    /// `a month`, `a year`. Empty for a plan that costs nothing.
    pub every: &'static str,
    /// `100 pictures every month`.
    pub allotment: String,
    /// `valid for 365 days`, where there are units.
    pub validity: Option<String>,
    /// `9¢ per picture`.
    pub per_unit: Option<String>,
    /// In sentences.
    pub features: Vec<String>,
    pub state: PlanState,
}

impl PlanCard {
    /// The plans on sale, and the user's own one even when it is no longer on sale. `is_pending`: a payment of the user's
    /// for a plan is on its way.
    pub(super) fn all(
        catalog: &Catalog,
        member: Option<&UserSnapshot>,
        is_pending: bool,
        language: Language,
    ) -> Result<Vec<PlanCard>> {
        let currency = currency(catalog)?;
        let has = |plan: &Plan| member.is_some_and(|member| member.plan == plan.key);
        let subscription = member.and_then(|member| member.subscription.as_ref());
        let state = |plan: &Plan| match subscription {
            _ if has(plan) => PlanState::Current,
            _ if plan.amount == 0 => PlanState::Free,
            Some(subscription) => state_beside(plan, subscription),
            None if plan.price_id.is_none() => PlanState::NotAvailable,
            None if is_pending => PlanState::PaymentPending,
            None => PlanState::ForSale,
        };
        let plans = catalog.plans.iter().filter(|plan| !Offer::Plan(plan).is_retired() || has(plan));
        Ok(plans.map(|plan| PlanCard::of(plan, state(plan), currency, &catalog.unit, language)).collect())
    }

    /// The label of the button that leads to the customer portal, where something is to be done there.
    pub(super) fn portal_label(&self, language: &Language) -> Option<String> {
        match self.state {
            PlanState::InPortal => Some(language.offers_change_to(&self.name)),
            PlanState::InvoiceOpen => Some(language.offers_pay_invoice().to_owned()),
            PlanState::PaymentIncomplete => Some(language.offers_finish_payment().to_owned()),
            PlanState::Paused => Some(language.offers_go_on_with(&self.name)),
            _ => None,
        }
    }

    pub(super) fn of(
        plan: &Plan,
        state: PlanState,
        currency: Currency,
        words: &UnitWords,
        language: Language,
    ) -> PlanCard {
        let price = Money::new(plan.amount, currency);
        let (every, months) = match plan.interval {
            Interval::Month => (language.offers_a_month(), 1),
            Interval::Year => (language.offers_a_year(), 12),
        };
        PlanCard {
            key: plan.key.clone(),
            name: plan.name.in_language(language).to_owned(),
            price: language.price(price),
            every: if plan.amount == 0 { "" } else { every },
            allotment: allotment(plan.units, words, language),
            validity: plan.expiry.words(language).filter(|_| plan.units > 0),
            per_unit: per_unit(price, plan.units.saturating_mul(months), words, language),
            features: plan.features.iter().map(|feature| feature_words(feature, language)).collect(),
            state,
        }
    }
}

/// What a user with a subscription can do about a plan that is not theirs at the moment.
fn state_beside(plan: &Plan, subscription: &Subscription) -> PlanState {
    let is_own = subscription.offer == plan.key;
    match (subscription.status.as_str(), is_own) {
        ("unpaid" | "past_due", true) => PlanState::InvoiceOpen,
        ("incomplete", true) => PlanState::PaymentIncomplete,
        ("paused", true) => PlanState::Paused,
        ("unpaid" | "incomplete", false) => PlanState::AfterPayment,
        _ => PlanState::InPortal,
    }
}

/// What a plan brings each month: `100 pictures every month`.
pub(super) fn allotment(units: i64, words: &UnitWords, language: Language) -> String {
    match units {
        0 => language.offers_none_included(words.many(language)),
        _ => language.offers_units_every_month(words.count(units, language)),
    }
}

fn per_unit(price: Money, units: i64, words: &UnitWords, language: Language) -> Option<String> {
    let unit = words.one(language);
    language.price_per_unit(price, units).map(|(amount, is_exact)| match is_exact {
        true => language.offers_per_unit(amount, unit),
        false => language.offers_about_per_unit(amount, unit),
    })
}

/// The built-in catalogue's feature has a sentence. Others are shown as they are written.
fn feature_words(feature: &str, language: Language) -> String {
    match feature {
        "byok" => language.offers_own_key().to_owned(),
        _ => capitalised(&feature.replace('_', " ")),
    }
}

fn currency(catalog: &Catalog) -> Result<Currency> {
    let known = Currency::new(&catalog.currency);
    known.ok_or_else(|| Fault::bare(format!("{:?} is no currency", catalog.currency)).into())
}
