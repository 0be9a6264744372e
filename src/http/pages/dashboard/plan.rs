//! The user's plan and subscription in words.

use crate::catalog::{Catalog, Expiry};
use crate::clock::Timestamp;
use crate::http::pages::offers::allotment;
use crate::http::pages::words::Moment;
use crate::language::Language;
use crate::money::{Currency, Money};
use crate::store::open_invoices::OpenInvoice;
use crate::store::scheduled_changes::ScheduledChange;
use crate::store::subscriptions::{PaymentPause, Subscription};
use crate::usecase::users::UserSnapshot;

#[derive(Clone, Debug)]
pub(crate) struct PlanView {
    pub name: String,
    /// `100 pictures every month`.
    pub allotment: String,
    /// `None` without a subscription at Stripe.
    pub subscription: Option<SubscriptionView>,
    /// That the units stay once it has ended, where it is set to end and they do.
    pub stays: Option<String>,
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
    /// `$9.00 open`; `None` where Stripe did not say.
    pub amount: Option<String>,
}

impl DuePayment {
    fn of(invoice: &OpenInvoice, language: Language) -> DuePayment {
        let open = invoice.open.as_ref();
        let open = open.and_then(|(amount, currency)| Some(Money::new(*amount, Currency::new(currency)?)));
        DuePayment {
            since: Moment::of(invoice.due_at, language),
            amount: open.map(|open| language.dashboard_amount_open(language.amount(open))),
        }
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
    /// Whether a subscription is kept or waits for its payment: then other plans are of less interest.
    pub(crate) fn is_subscribed(&self) -> bool {
        self.subscription.is_some()
    }

    pub(super) fn of(
        member: &UserSnapshot,
        open: Option<&OpenInvoice>,
        change: Option<&ScheduledChange>,
        catalog: &Catalog,
        language: Language,
    ) -> PlanView {
        let plan = catalog.plan(&member.plan);
        PlanView {
            name: plan.map_or_else(|| language.offers_no_plan(), |plan| plan.name.in_language(language)).to_owned(),
            allotment: allotment(plan.map_or(0, |plan| plan.units), &catalog.unit, language),
            stays: plan
                .filter(|plan| plan.expiry == Expiry::Never && member.balance.remaining > 0)
                .filter(|_| member.subscription.as_ref().is_some_and(is_set_to_end))
                .map(|_| language.subscription_units_stay(catalog.unit.many(language))),
            subscription: member.subscription.as_ref().map(|subscription| {
                let ends = subscription.ends_at;
                let at = ends.or(subscription.period_end);
                let view = SubscriptionView::of(&subscription.status, at, ends.is_some(), open, language);
                let view = match subscription.pause {
                    Some(pause) if is_renewed(&subscription.status) => view.paused(pause, ends.is_some(), language),
                    _ => view,
                };
                SubscriptionView { change: change.map(|change| next_plan(change, catalog, language)), ..view }
            }),
        }
    }
}

/// Whether a subscription in this state would take a payment for its next period.
fn is_renewed(status: &str) -> bool {
    matches!(status, "active" | "trialing")
}

/// Whether it is in force, and ends by itself.
fn is_set_to_end(subscription: &Subscription) -> bool {
    subscription.ends_at.is_some() && is_renewed(&subscription.status)
}

/// The name of the plan that follows, and when it begins.
fn next_plan(change: &ScheduledChange, catalog: &Catalog, language: Language) -> (String, Moment) {
    let plan = catalog.plan(&change.offer);
    let name = plan.map_or_else(|| language.offers_another_plan(), |plan| plan.name.in_language(language));
    (name.to_owned(), Moment::of(change.starts_at, language))
}

impl Trouble {
    /// From Stripe's status word. What the sentences say of the plan is decided in `usecase::users`.
    fn of(status: &str, language: Language) -> Option<Trouble> {
        let (title, sentence, button) = match status {
            "past_due" => (
                language.subscription_past_due_title(),
                language.subscription_past_due_sentence(),
                language.subscription_past_due_button(),
            ),
            "unpaid" => (
                language.subscription_unpaid_title(),
                language.subscription_unpaid_sentence(),
                language.offers_pay_invoice(),
            ),
            "incomplete" => (
                language.subscription_incomplete_title(),
                language.subscription_incomplete_sentence(),
                language.offers_finish_payment(),
            ),
            _ => return None,
        };
        Some(Trouble { title, sentence, button })
    }
}

impl SubscriptionView {
    /// The same while its payments are paused (Stripe, "Pause payment collection"): nothing is paid for the next period, so it
    /// brings nothing.
    pub(crate) fn paused(self, pause: PaymentPause, ends: bool, language: Language) -> SubscriptionView {
        let resumes =
            pause.until.map(|until| (language.subscription_payments_resume_on(), Moment::of(until, language)));
        SubscriptionView {
            status: language.subscription_payments_paused(),
            next: if ends { self.next } else { resumes },
            ..self
        }
    }

    /// From Stripe's status word (API reference, "The Subscription object", `status`). While a payment is due, `period_end` is
    /// the end of a period that is not paid, so nothing is said of it.
    pub(crate) fn of(
        status: &str,
        period_end: Option<Timestamp>,
        ends_then: bool,
        open: Option<&OpenInvoice>,
        language: Language,
    ) -> SubscriptionView {
        let words = match status {
            "active" if ends_then => language.subscription_active_until_end(),
            "active" => language.subscription_active(),
            "trialing" => language.subscription_trialing(),
            "past_due" => language.subscription_past_due(),
            "unpaid" => language.subscription_unpaid(),
            "incomplete" => language.subscription_incomplete(),
            "incomplete_expired" => language.subscription_never_started(),
            "paused" => language.subscription_paused(),
            "canceled" => language.subscription_ended(),
            _ => language.subscription_other(),
        };
        let next = match status {
            "canceled" | "incomplete_expired" => Some(language.subscription_ended_on()),
            "active" | "trialing" | "past_due" if ends_then => Some(language.subscription_ends_on()),
            "trialing" => Some(language.subscription_first_payment_on()),
            "active" => Some(language.subscription_renews_on()),
            _ => None,
        };
        let trouble = Trouble::of(status, language);
        SubscriptionView {
            status: words,
            due: open.filter(|_| trouble.is_some()).map(|open| DuePayment::of(open, language)),
            trouble,
            next: next.zip(period_end.map(|end| Moment::of(end, language))),
            change: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_renewal_is_promised_while_payments_are_paused() {
        let at = Timestamp::from_seconds(1_795_497_780);
        for (ends, until, next) in
            [(false, Some(at), Some("Payments resume on")), (false, None, None), (true, Some(at), Some("Ends on"))]
        {
            let view = SubscriptionView::of("active", Some(at), ends, None, Language::En);
            let view = view.paused(PaymentPause { until }, ends, Language::En);
            assert_eq!((view.status, view.next.map(|(label, _)| label)), ("Payments paused", next));
        }
    }

    #[test]
    fn nothing_is_promised_of_a_period_that_is_not_paid() {
        let at = Timestamp::from_seconds(1_795_497_780);
        let open = OpenInvoice { id: "in_1".into(), open: Some((900, "usd".into())), due_at: at };
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
            let view = SubscriptionView::of(status, Some(at), ends_then, Some(&open), Language::En);
            assert_eq!(view.next.map(|(label, _)| label), next, "{status}");
            let due = view.due.map(|due| (due.since.date, due.amount));
            assert_eq!(due, is_due.then(|| ("24 Nov 2026".to_owned(), Some("$9.00 open".to_owned()))), "{status}");
            assert_eq!(
                SubscriptionView::of(status, None, ends_then, None, Language::En).due,
                None,
                "{status}: Stripe did not say"
            );
        }
    }
}
