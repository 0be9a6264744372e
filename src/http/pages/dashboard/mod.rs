//! `GET /dashboard`, in the order in which people ask: what is left, what more costs, what is paid, what was used, and what
//! happened.

pub(super) mod billing;
pub(super) mod chart;
pub(super) mod entries;
pub(super) mod notices;
pub(super) mod plan;
pub(super) mod units;

use askama::Template;
use axum::extract::State;

use super::offers::{PackCard, PlanCard, PlanState};
use super::shell::Shell;
use super::{html_with_forms_to, see_other};
use crate::app::App;
use crate::error::Result;
use crate::http::guard::{SignedIn, Visitor};
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::store::orders::OfferKind;
use crate::usecase::users::statement::{self, Overview};
use billing::BillingView;
use chart::Chart;
use entries::DayView;
use notices::{Notice, pending_sentences};
use plan::PlanView;
use units::UnitsView;

#[derive(Clone, Debug, Template)]
#[template(path = "dashboard.html")]
pub(super) struct DashboardPage {
    pub shell: Shell,
    /// A sentence about a payment that is on its way. While there is one, the script asks `/v1/me` and updates the numbers.
    pub pending: Option<String>,
    /// Payments that went wrong.
    pub notices: Vec<Notice>,
    pub units: UnitsView,
    pub plan: PlanView,
    /// Whether there is a customer portal for the user.
    pub has_portal: bool,
    pub packs: Vec<PackCard>,
    pub plans: Vec<PlanCard>,
    pub billing: BillingView,
    /// Newest first.
    pub days: Vec<DayView>,
    pub chart: Chart,
}

/// The dashboard of the user who is signed in. Visitors are sent to the sign-in page.
pub(crate) async fn show(State(state): State<AppState>, visitor: Visitor) -> HandlerResult {
    let Some(signed_in) = visitor.0 else { return Ok(see_other("/login")?) };
    let account = signed_in.member.user.account;
    let page = state.run(Pool::Db, move |app| page(app, statement::overview(app, account)?, signed_in)).await?;
    Ok(html_with_forms_to(state.stripes_pages(), &page)?)
}

fn page(app: &App, overview: Overview, signed_in: SignedIn) -> Result<DashboardPage> {
    let catalog = &*app.catalog;
    let (words, language) = (&catalog.unit, signed_in.language);
    let is_plan_pending = overview.pending.iter().any(|order| order.kind == OfferKind::Plan);
    // The overview is a little newer than what the guard has read.
    let signed_in = SignedIn { member: overview.member.clone(), ..signed_in };
    let member = &signed_in.member;
    Ok(DashboardPage {
        shell: Shell::signed_in(app, language.dashboard_title(), &signed_in)?,
        pending: pending_sentences(&overview.pending, catalog, language),
        notices: Notice::all(&overview.failed, &overview.subscriptions, member, catalog, language),
        units: UnitsView::of(member, &overview.lots, words, language),
        plan: PlanView::of(member, overview.open_invoice.as_ref(), overview.change.as_ref(), &app.catalog, language),
        has_portal: overview.has_customer,
        packs: PackCard::all(&app.catalog, language)?,
        plans: PlanCard::all(catalog, Some(member), is_plan_pending, language)?,
        days: DayView::all(&overview.recent.movements, words, language),
        billing: BillingView::of(&overview, member, catalog, language),
        chart: Chart::of(app.clock.now(), &overview.usage, words, language),
    })
}
