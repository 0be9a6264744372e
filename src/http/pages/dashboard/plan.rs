//! The user's plan and subscription in words.

use crate::catalog::Catalog;
use crate::clock::Timestamp;
use crate::http::pages::offers::allotment;
use crate::http::pages::words::Moment;
use crate::money::{Currency, Money};
use crate::store::open_invoices::OpenInvoice;
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
    /// What is to be paid; `None` while nothing is, or where Stripe has not said.
    pub due: Option<DuePayment>,
    /// What is certain of the future, and when: `Renews on`, `Ends on`. `None` while it depends on a payment.
    pub next: Option<(&'static str, Moment)>,
    /// The plan that follows, and when.
    pub change: Option<(String, Moment)>,
}

/// A payment that has not arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DuePayment {
    pub since: Moment,
    /// `$9.00 open`.
    pub amount: String,
}

impl DuePayment {
    fn of(invoice: &OpenInvoice) -> Option<DuePayment> {
        let amount = Money::new(invoice.amount, Currency::new(&invoice.currency)?).to_the_cent();
        Some(DuePayment { since: Moment::of(invoice.due_at), amount: format!("{amount} open") })
    }
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
    pub(super) fn of(
        member: &UserSnapshot,
        open: Option<&OpenInvoice>,
        change: Option<&ScheduledChange>,
        catalog: &Catalog,
    ) -> PlanView {
        let plan = catalog.plan(&member.plan);
        PlanView {
            name: plan.map_or_else(|| "None".to_owned(), |plan| plan.name.clone()),
            allotment: allotment(plan.map_or(0, |plan| plan.units), &catalog.unit),
            subscription: member.subscription.as_ref().map(|subscription| {
                let ends = subscription.ends_at;
                let at = ends.or(subscription.period_end);
                let view = SubscriptionView::of(&subscription.status, at, ends.is_some(), open);
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
                 pay it at Stripe, with another card if need be.",
                "Pay the open invoice",
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
    /// From Stripe's status word (API reference, "The Subscription object", `status`). While a payment is due, `period_end` is
    /// the end of a period that is not paid, so nothing is said of it.
    pub(crate) fn of(
        status: &str,
        period_end: Option<Timestamp>,
        ends_then: bool,
        open: Option<&OpenInvoice>,
    ) -> SubscriptionView {
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
            "canceled" | "incomplete_expired" => Some("Ended on"),
            "active" | "trialing" | "past_due" if ends_then => Some("Ends on"),
            "trialing" => Some("First payment on"),
            "active" => Some("Renews on"),
            _ => None,
        };
        let trouble = Trouble::of(status);
        SubscriptionView {
            status: words,
            due: open.filter(|_| trouble.is_some()).and_then(DuePayment::of),
            trouble,
            next: next.zip(period_end.map(Moment::of)),
            change: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_promised_of_a_period_that_is_not_paid() {
        let at = Timestamp::from_seconds(1_795_497_780);
        let open = OpenInvoice { id: "in_1".into(), amount: 900, currency: "usd".into(), due_at: at };
        for (status, ends_then, next, is_due) in [
            ("active", false, Some("Renews on"), false),
            ("active", true, Some("Ends on"), false),
            ("trialing", false, Some("First payment on"), false),
            ("past_due", false, None, true),
            ("past_due", true, Some("Ends on"), true),
            ("unpaid", false, None, true),
            ("unpaid", true, None, true),
            ("incomplete", false, None, true),
            ("paused", false, None, false),
            ("canceled", false, Some("Ended on"), false),
            ("a word of tomorrow", false, None, false),
        ] {
            let view = SubscriptionView::of(status, Some(at), ends_then, Some(&open));
            assert_eq!(view.next.map(|(label, _)| label), next, "{status}");
            let due = view.due.map(|due| (due.since.date, due.amount));
            assert_eq!(due, is_due.then(|| ("24 Nov 2026".to_owned(), "$9.00 open".to_owned())), "{status}");
            assert_eq!(SubscriptionView::of(status, None, ends_then, None).due, None, "{status}: Stripe did not say");
        }
    }
}
