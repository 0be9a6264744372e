//! Notices about payments, each with a button that leads on where something can be done. The books alone decide which are
//! shown.

use crate::catalog::{Catalog, Offer};
use crate::http::pages::words::Moment;
use crate::language::Language;
use crate::store::orders::{OfferKind, Order};
use crate::store::subscriptions::Subscription;
use crate::usecase::users::UserSnapshot;

const PORTAL: &str = "/billing/portal";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub title: String,
    /// What it means, and what to do.
    pub sentence: String,
    /// `None` if there is nothing to press.
    pub button: Option<NoticeButton>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoticeButton {
    pub label: &'static str,
    /// Where its form is posted to.
    pub action: String,
}

impl Notice {
    /// What went wrong, newest first: each offer whose slow payment failed once, then several subscriptions.
    pub(crate) fn all(
        failed: &[Order],
        live: &[Subscription],
        member: &UserSnapshot,
        catalog: &Catalog,
        language: Language,
    ) -> Vec<Notice> {
        let is_newest =
            |(index, order): &(usize, &Order)| failed[..*index].iter().all(|newer| newer.offer != order.offer);
        let failed = failed.iter().enumerate().filter(is_newest);
        let failed = failed.filter_map(|(_, order)| Notice::of_failed_payment(order, member, catalog, language));
        failed.chain(Notice::of_several(live, catalog, language)).collect()
    }

    /// About an order whose slow payment failed. A user who has a subscription nevertheless pays it in the portal.
    fn of_failed_payment(
        order: &Order,
        member: &UserSnapshot,
        catalog: &Catalog,
        language: Language,
    ) -> Option<Notice> {
        let failed_at = Moment::of(order.failed_at?, language);
        let name = match order.kind {
            OfferKind::Plan => plan_name(catalog, &order.offer, language),
            OfferKind::Pack => pack_name(catalog, order, language),
        };
        let is_for_sale = catalog.offer(&order.offer).and_then(Offer::price_id).is_some();
        let has_subscription = order.kind == OfferKind::Plan && member.subscription.is_some();
        let (advice, button) = match (has_subscription, is_for_sale) {
            (true, _) => (
                language.notices_pay_another_way(),
                Some((language.notices_pay_another_way_button(), PORTAL.to_owned())),
            ),
            (false, true) => (
                language.notices_try_again(),
                Some((language.notices_try_again_button(), format!("/billing/checkout?plan={}", order.offer))),
            ),
            (false, false) => (language.notices_not_for_sale(), None),
        };
        Some(Notice {
            title: language.notices_failed_title(name),
            sentence: language.notices_failed_sentence(&failed_at.date, catalog.unit.many(language), advice),
            button: button.map(|(label, action)| NoticeButton { label, action }),
        })
    }

    /// About several subscriptions that are charged, of those that have not ended; `None` for one.
    fn of_several(live: &[Subscription], catalog: &Catalog, language: Language) -> Option<Notice> {
        let is_charged = |subscription: &&Subscription| {
            matches!(subscription.status.as_str(), "active" | "trialing" | "past_due" | "unpaid")
        };
        let name = |subscription: &Subscription| plan_name(catalog, &subscription.offer, language);
        let names: Vec<String> = live.iter().filter(is_charged).map(name).collect();
        let (last, first) = names.split_last().filter(|(_, first)| !first.is_empty())?;
        Some(Notice {
            title: language.notices_several_title(names.len()),
            sentence: language.notices_several_sentence(first.join(", "), last),
            button: Some(NoticeButton { label: language.notices_several_button(), action: PORTAL.to_owned() }),
        })
    }
}

/// What is on its way: a sentence for the newest payment for a plan, and one for the newest payment for a pack.
pub(crate) fn pending_sentences(orders: &[Order], catalog: &Catalog, language: Language) -> Option<String> {
    let newest = |kind| orders.iter().find(|order| order.kind == kind);
    let newest = [newest(OfferKind::Plan), newest(OfferKind::Pack)].into_iter().flatten();
    let sentences: Vec<String> = newest.map(|order| pending_sentence(order, catalog, language)).collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn pending_sentence(order: &Order, catalog: &Catalog, language: Language) -> String {
    match order.kind {
        OfferKind::Plan => language.notices_pending_plan(plan_name(catalog, &order.offer, language)),
        OfferKind::Pack => language.notices_pending_pack(catalog.unit.count(order.units, language)),
    }
}

fn pack_name(catalog: &Catalog, order: &Order, language: Language) -> String {
    let pack = catalog.packs.iter().find(|pack| pack.key == order.offer);
    let own_name = pack.and_then(|pack| pack.own_name(&catalog.unit));
    let own_name = own_name.map(|name| name.in_language(language).to_owned());
    own_name.unwrap_or_else(|| catalog.unit.count(order.units, language))
}

fn plan_name(catalog: &Catalog, key: &str, language: Language) -> String {
    match (catalog.plan(key), key) {
        (Some(plan), _) => plan.name.in_language(language).to_owned(),
        (None, "-") => language.offers_unknown_plan().to_owned(),
        (None, key) => key.to_owned(),
    }
}
