//! `GET /dashboard`: what is left, what more costs, the subscription, the last movements, thirty days of use.

pub(super) mod chart;
pub(super) mod entries;
pub(super) mod plan;
pub(super) mod units;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;

use super::offers::{PackCard, PlanCard, PlanState};
use super::shell::Shell;
use super::{html, see_other};
use crate::app::App;
use crate::error::Result;
use crate::http::guard::{SignedIn, Visitor};
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::usecase::users::statement::{self, Overview};
use chart::Chart;
use entries::EntryView;
use plan::PlanView;
use units::UnitsView;

#[derive(Clone, Debug, Template)]
#[template(path = "dashboard.html")]
pub(super) struct DashboardPage {
    pub shell: Shell,
    /// A sentence about a payment that is on its way. While there is one, the script asks `/v1/me` and updates the numbers.
    pub pending: Option<String>,
    pub units: UnitsView,
    pub plan: PlanView,
    /// Whether the customer portal has invoices for a user without a plan.
    pub has_invoices: bool,
    pub packs: Vec<PackCard>,
    pub plans: Vec<PlanCard>,
    /// Newest first.
    pub entries: Vec<EntryView>,
    pub chart: Chart,
}

/// The dashboard of the user who is signed in. Visitors are sent to the sign-in page.
pub(crate) async fn show(State(state): State<AppState>, visitor: Visitor) -> HandlerResult {
    let Some(signed_in) = visitor.0 else { return Ok(see_other("/login")?) };
    let account = signed_in.member.user.account;
    let page = state.run(Pool::Db, move |app| page(app, statement::overview(app, account)?, signed_in)).await?;
    Ok(html(StatusCode::OK, &page)?)
}

fn page(app: &App, overview: Overview, signed_in: SignedIn) -> Result<DashboardPage> {
    let words = &app.catalog.unit;
    // The overview is a little newer than what the guard has read.
    let signed_in = SignedIn { member: overview.member, ..signed_in };
    let member = &signed_in.member;
    let entries = overview.recent.iter().map(|entry| {
        EntryView::of(
            entry.kind.as_str(),
            entry.delta,
            entry.note.as_deref(),
            entry.balance_after,
            entry.created_at,
            words,
        )
    });
    Ok(DashboardPage {
        shell: Shell::signed_in("Dashboard", &signed_in)?,
        pending: overview.pending.first().map(|order| pending_sentence(&words.count(order.units))),
        units: UnitsView {
            words: words.clone(),
            remaining: member.balance.remaining,
            held: member.balance.held,
            total: member.balance.total,
        },
        plan: PlanView::of(member, overview.change.as_ref(), &app.catalog),
        has_invoices: overview.has_customer && member.subscription.is_none(),
        packs: PackCard::all(&app.catalog)?,
        plans: PlanCard::all(&app.catalog, Some(member))?,
        entries: entries.collect(),
        chart: Chart::of(app.clock.now(), &overview.usage, words),
    })
}

/// `units` is a count with its noun.
pub(super) fn pending_sentence(units: &str) -> String {
    format!("Your bank payment is on its way; no need to pay again. {units} will be added as soon as it arrives.")
}
