//! The pricing page: what everything costs, for visitors and users alike.

use askama::Template;

use super::{PackCard, PlanCard, PlanState, Shell, UnitWords};

/// `GET /`.
#[derive(Clone, Debug, Template)]
#[template(path = "pricing.html")]
pub struct PricingPage {
    /// Title, user, form token. Buttons are shown to users, the way to sign in to visitors.
    pub shell: Shell,
    /// What units are called.
    pub words: UnitWords,
    /// Plans in the catalogue's order.
    pub plans: Vec<PlanCard>,
    /// Packs, from [`PackCard::shelf`].
    pub packs: Vec<PackCard>,
}
