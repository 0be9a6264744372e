//! The user's plan and subscription in words.

use crate::catalog::Catalog;
use crate::clock::Timestamp;
use crate::http::pages::offers::allotment;
use crate::http::pages::words::Moment;
use crate::store::scheduled_changes::ScheduledChange;
use crate::usecase::users::UserSnapshot;

#[derive(Clone, Debug)]
pub(crate) struct PlanView {
    pub name: String,
    /// `100 pictures every month`.
    pub allotment: String,
    /// `None` without a subscription at Stripe.
    pub subscription: Option<SubscriptionView>,
}

#[derive(Clone, Debug)]
pub(crate) struct SubscriptionView {
    /// `Active`.
    pub status: &'static str,
    /// `None` while its payments are in order.
    pub trouble: Option<Trouble>,
    /// What happens at `period_end`: `Renews on`, `Ends on`. Empty when that is not known.
    pub next: &'static str,
    pub period_end: Option<Moment>,
    /// The plan that follows, and when.
    pub change: Option<(String, Moment)>,
}

/// A payment that failed: a notice with a button that leads to the customer portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub title: &'static str,
    /// What it means, and what to do.
    pub sentence: &'static str,
    pub button: &'static str,
}

impl PlanView {
    pub(super) fn of(member: &UserSnapshot, change: Option<&ScheduledChange>, catalog: &Catalog) -> PlanView {
        let plan = catalog.plan(&member.plan);
        PlanView {
            name: plan.map_or_else(|| "None".to_owned(), |plan| plan.name.clone()),
            allotment: allotment(plan.map_or(0, |plan| plan.units), &catalog.unit),
            subscription: member.subscription.as_ref().map(|subscription| {
                let ends = subscription.ends_at;
                let view = SubscriptionView::of(&subscription.status, ends.or(subscription.period_end), ends.is_some());
                SubscriptionView { change: change.map(|change| next_plan(change, catalog)), ..view }
            }),
        }
    }
}

/// The name of the plan that follows, and when it begins.
fn next_plan(change: &ScheduledChange, catalog: &Catalog) -> (String, Moment) {
    let name = catalog.plan(&change.offer).map_or_else(|| "Another plan".to_owned(), |plan| plan.name.clone());
    (name, Moment::of(change.starts_at))
}

impl Trouble {
    /// From Stripe's status word. What the sentences say of the plan is decided in `usecase::users`.
    fn of(status: &str) -> Option<Trouble> {
        let (title, sentence, button) = match status {
            "past_due" => (
                "Your last payment did not go through.",
                "Stripe could not charge your card and will try again in the next days. You keep your plan meanwhile; \
                 what it adds is added once the payment arrives. Check your card at Stripe, or enter another one.",
                "Fix the card",
            ),
            "unpaid" => (
                "Your subscription is not paid.",
                "Stripe tried your card several times and has stopped. Your plan is off until the open invoice is paid: \
                 enter another card at Stripe and pay the invoice there.",
                "Fix the card",
            ),
            "incomplete" => (
                "Your first payment is not complete.",
                "Your card was declined, or your bank asks you to confirm the payment. Your plan begins once it is \
                 paid: finish the payment at Stripe within 23 hours.",
                "Finish the payment",
            ),
            _ => return None,
        };
        Some(Trouble { title, sentence, button })
    }
}

impl SubscriptionView {
    /// From Stripe's status word (API reference, "The Subscription object", `status`).
    pub(crate) fn of(status: &str, period_end: Option<Timestamp>, ends_then: bool) -> SubscriptionView {
        let words = match status {
            "active" => "Active",
            "trialing" => "On trial",
            "past_due" => "Payment overdue",
            "unpaid" => "Unpaid",
            "incomplete" => "Waiting for the first payment",
            "incomplete_expired" => "Never started: the first payment did not arrive",
            "paused" => "Paused",
            "canceled" => "Ended",
            _ => "See the customer portal",
        };
        let next = match status {
            _ if period_end.is_none() => "",
            "canceled" | "incomplete_expired" => "Ended on",
            _ if ends_then => "Ends on",
            "trialing" => "First payment on",
            "active" => "Renews on",
            _ => "Paid period ends on",
        };
        SubscriptionView {
            status: words,
            trouble: Trouble::of(status),
            next,
            period_end: period_end.map(Moment::of),
            change: None,
        }
    }
}
