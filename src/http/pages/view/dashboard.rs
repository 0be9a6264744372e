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
    /// Whether the user should do something about it.
    pub is_in_trouble: bool,
    /// What happens next: `Renews on`, `Ends on`; empty when neither is known.
    pub next: &'static str,
    /// When that is.
    pub period_end: Option<Moment>,
    /// Whether the customer portal can be offered: a form to `/billing/portal`.
    pub can_manage: bool,
}

impl SubscriptionView {
    /// From Stripe's status word (API reference, "The Subscription object", `status`).
    pub fn of(status: &str, period_end: Option<Timestamp>, ends_then: bool, can_manage: bool) -> SubscriptionView {
        let (words, is_in_trouble) = match status {
            "active" => ("Active", false),
            "trialing" => ("On trial", false),
            "past_due" => ("Payment overdue", true),
            "unpaid" => ("Unpaid", true),
            "incomplete" => ("Waiting for the first payment", true),
            "incomplete_expired" => ("Never started: the first payment did not arrive", false),
            "paused" => ("Paused", false),
            "canceled" => ("Ended", false),
            _ => ("See the customer portal", false),
        };
        let next = match status {
            _ if period_end.is_none() => "",
            "canceled" | "incomplete_expired" => "Ended on",
            _ if ends_then => "Ends on",
            "trialing" => "First payment on",
            "active" => "Renews on",
            _ => "Paid period ends on",
        };
        SubscriptionView { status: words, is_in_trouble, next, period_end: period_end.map(Moment::of), can_manage }
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
