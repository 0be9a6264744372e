//! Notices about payments, each with a button that leads on where something can be done. The books alone decide which are
//! shown.

use crate::catalog::{Catalog, Offer};
use crate::http::pages::words::Moment;
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
    ) -> Vec<Notice> {
        let is_newest =
            |(index, order): &(usize, &Order)| failed[..*index].iter().all(|newer| newer.offer != order.offer);
        let failed = failed.iter().enumerate().filter(is_newest);
        let failed = failed.filter_map(|(_, order)| Notice::of_failed_payment(order, member, catalog));
        failed.chain(Notice::of_several(live, catalog)).collect()
    }

    /// About an order whose slow payment failed. A user who has a subscription nevertheless pays it in the portal.
    fn of_failed_payment(order: &Order, member: &UserSnapshot, catalog: &Catalog) -> Option<Notice> {
        let failed_at = Moment::of(order.failed_at?);
        let words = &catalog.unit;
        let name = match order.kind {
            OfferKind::Plan => plan_name(catalog, &order.offer),
            OfferKind::Pack => pack_name(catalog, order),
        };
        let is_for_sale = catalog.offer(&order.offer).and_then(Offer::price_id).is_some();
        let has_subscription = order.kind == OfferKind::Plan && member.subscription.is_some();
        let (advice, button) = match (has_subscription, is_for_sale) {
            (true, _) => ("Pay another way at Stripe.", Some(("Pay another way", PORTAL.to_owned()))),
            (false, true) => (
                "Try again, or pay another way.",
                Some(("Try again", format!("/billing/checkout?plan={}", order.offer))),
            ),
            (false, false) => ("It is not for sale at the moment; see below what is.", None),
        };
        Some(Notice {
            title: format!("Your payment for {name} did not arrive."),
            sentence: format!(
                "Your bank did not pay, as Stripe reported on {}. Nothing was charged and no {} were added. {advice}",
                failed_at.date, words.plural
            ),
            button: button.map(|(label, action)| NoticeButton { label, action }),
        })
    }

    /// About several subscriptions that are charged, of those that have not ended; `None` for one.
    fn of_several(live: &[Subscription], catalog: &Catalog) -> Option<Notice> {
        let is_charged = |subscription: &&Subscription| {
            matches!(subscription.status.as_str(), "active" | "trialing" | "past_due" | "unpaid")
        };
        let names: Vec<String> =
            live.iter().filter(is_charged).map(|subscription| plan_name(catalog, &subscription.offer)).collect();
        let (last, first) = names.split_last().filter(|(_, first)| !first.is_empty())?;
        Some(Notice {
            title: format!("You have {} subscriptions.", names.len()),
            sentence: format!(
                "You are charged for each: {} and {last}. End one of them at Stripe, unless you want them all.",
                first.join(", ")
            ),
            button: Some(NoticeButton { label: "End one of them", action: PORTAL.to_owned() }),
        })
    }
}

/// What is on its way: a sentence for the newest payment for a plan, and one for the newest payment for a pack.
pub(crate) fn pending_sentences(orders: &[Order], catalog: &Catalog) -> Option<String> {
    let newest = |kind| orders.iter().find(|order| order.kind == kind);
    let newest = [newest(OfferKind::Plan), newest(OfferKind::Pack)].into_iter().flatten();
    let sentences: Vec<String> = newest.map(|order| pending_sentence(order, catalog)).collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn pending_sentence(order: &Order, catalog: &Catalog) -> String {
    match order.kind {
        OfferKind::Plan => format!(
            "Your payment for {} is on its way; no need to pay again. It can take a few working days; what the plan adds \
             is added as soon as it arrives.",
            plan_name(catalog, &order.offer)
        ),
        OfferKind::Pack => format!(
            "Your bank payment is on its way; no need to pay again. {} will be added as soon as it arrives.",
            catalog.unit.count(order.units)
        ),
    }
}

fn pack_name(catalog: &Catalog, order: &Order) -> String {
    let pack = catalog.packs.iter().find(|pack| pack.key == order.offer);
    let own_name = pack.and_then(|pack| pack.own_name(&catalog.unit));
    own_name.map_or_else(|| catalog.unit.count(order.units), str::to_owned)
}

fn plan_name(catalog: &Catalog, key: &str) -> String {
    match (catalog.plan(key), key) {
        (Some(plan), _) => plan.name.clone(),
        (None, "-") => "a plan that is not for sale here".to_owned(),
        (None, key) => key.to_owned(),
    }
}
