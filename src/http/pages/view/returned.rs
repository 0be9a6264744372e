//! The page on which a buyer lands after Stripe's checkout. It says what is known, promises only what the books keep,
//! and never suggests to pay a second time.

use askama::Template;
use serde::Serialize;

use super::{Link, Shell, UnitWords};

/// `GET /billing/return`.
#[derive(Clone, Debug, Template)]
#[template(path = "returned.html")]
pub struct ReturnedPage {
    /// Title, user.
    pub shell: Shell,
    /// What units are called.
    pub words: UnitWords,
    /// How the purchase stands.
    pub outcome: Outcome,
    /// A path that answers [`ReturnStatus`] as JSON for this purchase; asked by the script while it is undecided.
    pub status_url: String,
    /// Ways on, the first one most likely: back to the seller's site, and the dashboard.
    pub links: Vec<Link>,
}

/// How a purchase stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Paid, and in the books.
    Credited {
        /// Units added.
        added: i64,
        /// The balance now.
        remaining: i64,
    },
    /// A subscription is set up; its units come with its invoice, or have come.
    Subscribed {
        /// The plan's name.
        plan: String,
        /// The balance now.
        remaining: i64,
    },
    /// Paid or not is not known yet; it will be in a moment.
    Confirming,
    /// A slow method: the money is on its way.
    Pending {
        /// Units that will be added.
        units: i64,
    },
    /// The payment was refused, or a slow one failed.
    Failed,
    /// The checkout was not finished in time.
    Expired,
    /// The buyer came back without paying; the checkout is still open.
    NotCompleted,
    /// Stripe could not be asked.
    StripeUnavailable,
}

/// What the script is told about a purchase; the same words as the page's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReturnStatus {
    /// `credited`, `confirming`, `pending` or `failed`.
    pub state: &'static str,
    /// The heading.
    pub title: String,
    /// The sentence under it.
    pub sentence: String,
}

impl Outcome {
    /// One word for script and stylesheet.
    pub fn state(&self) -> &'static str {
        match self {
            Outcome::Credited { .. } | Outcome::Subscribed { .. } => "credited",
            Outcome::Confirming | Outcome::StripeUnavailable => "confirming",
            Outcome::Pending { .. } => "pending",
            Outcome::Failed | Outcome::Expired | Outcome::NotCompleted => "failed",
        }
    }

    /// Whether the answer may change while the buyer waits.
    pub fn is_undecided(&self) -> bool {
        self.state() == "confirming"
    }

    /// The heading.
    pub fn title(&self, words: &UnitWords) -> String {
        match self {
            Outcome::Credited { added, .. } => format!("{} added", words.count(*added)),
            Outcome::Subscribed { plan, .. } => format!("You are subscribed to {plan}"),
            Outcome::Confirming => "Confirming your payment".to_owned(),
            Outcome::Pending { .. } => "Payment pending".to_owned(),
            Outcome::Failed => "The payment did not go through".to_owned(),
            Outcome::Expired => "The checkout has expired".to_owned(),
            Outcome::NotCompleted => "The payment was not completed".to_owned(),
            Outcome::StripeUnavailable => "Your payment is safe".to_owned(),
        }
    }

    /// What it means for the buyer.
    pub fn sentence(&self, words: &UnitWords) -> String {
        let many = &words.many;
        match self {
            Outcome::Credited { remaining, .. } => format!("You now have {}.", words.count(*remaining)),
            Outcome::Subscribed { remaining, .. } => format!(
                "You now have {}. The plan's {many} are added each time an invoice is paid.",
                words.count(*remaining)
            ),
            Outcome::Confirming => format!(
                "This takes a few seconds. You can also close this page: your {many} are added as soon as Stripe \
                 confirms the payment. No need to pay again."
            ),
            Outcome::Pending { units } => format!(
                "Your bank payment is on its way, which can take a few working days. {} will be added by \
                 themselves when it arrives. No need to pay again.",
                words.count(*units)
            ),
            Outcome::Failed => {
                format!("Nothing was charged and no {many} were added. You can try again, or pay another way.")
            }
            Outcome::Expired => format!(
                "It was not paid in time, so nothing was charged and no {many} were added. You can choose again."
            ),
            Outcome::NotCompleted => {
                format!("Nothing was charged and no {many} were added. You can choose again at any time.")
            }
            Outcome::StripeUnavailable => format!(
                "Stripe cannot be reached at the moment. If you have paid, your {many} are added automatically as soon \
                 as Stripe tells us. No need to pay again."
            ),
        }
    }
}

impl ReturnedPage {
    /// The heading.
    pub fn title(&self) -> String {
        self.outcome.title(&self.words)
    }

    /// The sentence under it.
    pub fn sentence(&self) -> String {
        self.outcome.sentence(&self.words)
    }

    /// The same for the script.
    pub fn status(&self) -> ReturnStatus {
        ReturnStatus { state: self.outcome.state(), title: self.title(), sentence: self.sentence() }
    }
}
