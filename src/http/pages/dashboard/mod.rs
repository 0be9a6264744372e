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
use super::{see_other, with_forms_to, written};
use crate::app::App;
use crate::error::Result;
use crate::http::csrf::form_token;
use crate::http::guard::{Holder, PageVisitor};
use crate::http::kept_pages::{KeptPage, PageKey, PageTime};
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
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

/// The dashboard of the user who is signed in. Visitors are sent to the sign-in page. A page that is kept is answered without
/// a read and without another thread.
pub(crate) async fn show(State(state): State<AppState>, PageVisitor(holder): PageVisitor) -> HandlerResult {
    let Some(Holder { session, cookie, language }) = holder else { return Ok(see_other("/login")?) };
    let (app, key) = (state.app(), PageKey { account: session.account, language });
    let (token, read_at) = (form_token(&cookie)?, app.store.read_version());
    let known = state.pages().find(key);
    let current = known.as_ref().filter(|page| page.is_current(key, &app.store, app.clock.now()));
    if let Some(text) = current.and_then(|page| page.with_token(&token)) {
        return Ok(with_forms_to(state.stripes_pages(), text.into())?);
    }
    let write = move |app: &App| {
        let overview = statement::overview(app, key.account, known.as_ref().map(|page| &page.daily_use))?;
        let text = written(&page(app, &overview, token.clone(), language)?)?;
        let time = PageTime { at: overview.at, until: overview.until };
        let page = KeptPage::of(&text, &token, read_at, time, overview.daily_use);
        Ok((text, page, !overview.receipts.is_empty()))
    };
    let (text, page, has_paid) = state.run(Pool::Db, write).await?;
    state.pages().keep(key, page, has_paid);
    Ok(with_forms_to(state.stripes_pages(), text.into())?)
}

fn page(app: &App, overview: &Overview, token: String, asked: Language) -> Result<DashboardPage> {
    let (catalog, member) = (&*app.catalog, &overview.member);
    let (words, language) = (&catalog.unit, member.user.locale.unwrap_or(asked));
    let is_plan_pending = overview.pending.iter().any(|order| order.kind == OfferKind::Plan);
    Ok(DashboardPage {
        shell: Shell::of_user(app, language.dashboard_title(), &member.user, token, language),
        pending: pending_sentences(&overview.pending, catalog, language),
        notices: Notice::all(&overview.failed, &overview.subscriptions, member, catalog, language),
        units: UnitsView::of(member, &overview.lots, words, language),
        plan: PlanView::of(member, overview.open_invoice.as_ref(), overview.change.as_ref(), catalog, language),
        has_portal: overview.has_customer,
        packs: PackCard::all(catalog, language)?,
        plans: PlanCard::all(catalog, Some(member), is_plan_pending, language)?,
        days: DayView::all(&overview.recent.movements, words, language),
        billing: BillingView::of(overview, member, catalog, language),
        chart: Chart::of(overview.at, &overview.usage, words, language),
    })
}
