//! The dashboard: what is left, what more costs, the subscription, the last movements, thirty days of use.

use askama::Template;

use super::{EntryView, Moment, PackCard, PlanCard, PlanState, Shell, UnitsView};
use crate::clock::Timestamp;
use crate::http::chart::Chart;

/// `GET /dashboard`.
#[derive(Clone, Debug, Template)]
#[template(path = "dashboard.html")]
pub struct DashboardPage {
    /// Title, user, form token.
    pub shell: Shell,
    /// Something that has just happened, or is under way.
    pub notice: Option<Notice>,
    /// The balance.
    pub units: UnitsView,
    /// The user's plan.
    pub plan: PlanView,
    /// Packs, from [`PackCard::shelf`].
    pub packs: Vec<PackCard>,
    /// Plans.
    pub plans: Vec<PlanCard>,
    /// The newest movements, newest first.
    pub entries: Vec<EntryView>,
    /// Thirty days of use.
    pub chart: Chart,
    /// While a payment is on its way: a path that answers JSON with `units.remaining`, `units.held` and `units.total`
    /// for this user, as `/v1/me` does. The script asks it and brings the numbers up to date.
    pub status_url: Option<String>,
}

/// The user's plan and subscription.
#[derive(Clone, Debug)]
pub struct PlanView {
    /// `Starter`.
    pub name: String,
    /// `100 pictures every month`.
    pub allotment: String,
    /// `None` without a subscription at Stripe.
    pub subscription: Option<SubscriptionView>,
}

/// A subscription in words.
#[derive(Clone, Debug)]
pub struct SubscriptionView {
    /// What it is doing: `Active`.
    pub status: &'static str,
    /// What is wrong with its payment and what the user can do; `None` while all is well.
    pub trouble: Option<Trouble>,
    /// What happens next: `Renews on`, `Ends on`; empty when neither is known.
    pub next: &'static str,
    /// When that is.
    pub period_end: Option<Moment>,
    /// Whether the customer portal can be offered: a form to `/billing/portal`.
    pub can_manage: bool,
}

/// A plan's payment that did not come: a notice with a button that leads to the customer portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What happened.
    pub title: &'static str,
    /// What it means, and what to do.
    pub sentence: &'static str,
    /// The button's words.
    pub button: &'static str,
}

impl Trouble {
    /// From Stripe's status word. What it says of the plan is what `usecase::users::entitlement::keeps_plan` decides.
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
    pub fn of(status: &str, period_end: Option<Timestamp>, ends_then: bool, can_manage: bool) -> SubscriptionView {
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
            can_manage,
        }
    }
}

/// A message at the top of the page.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Colour and sign; the words say it too.
    pub kind: NoticeKind,
    /// A few words: `100 pictures added`.
    pub title: String,
    /// A sentence more, or nothing.
    pub sentence: String,
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// Something went well.
    Good,
    /// Something is under way.
    Waiting,
    /// Something did not go well.
    Bad,
}

impl NoticeKind {
    /// The class that the stylesheet knows.
    pub fn class(self) -> &'static str {
        match self {
            NoticeKind::Good => "good",
            NoticeKind::Waiting => "waiting",
            NoticeKind::Bad => "bad",
        }
    }
}

impl Notice {
    /// `100 pictures added`.
    pub fn added(units: &str) -> Notice {
        Notice { kind: NoticeKind::Good, title: format!("{units} added"), sentence: String::new() }
    }

    /// A slow payment, such as a bank transfer, is on its way.
    pub fn pending(units: &str) -> Notice {
        Notice {
            kind: NoticeKind::Waiting,
            title: "Payment pending".to_owned(),
            sentence: format!(
                "Your bank payment is on its way; no need to pay again. {units} will be added as soon as it arrives."
            ),
        }
    }
}
