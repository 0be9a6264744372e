//! `GET /dashboard`, in the order in which people ask: what is left, what more costs, what is paid, what was used, and what
//! happened.

pub(super) mod billing;
pub(super) mod chart;
pub(super) mod entries;
pub(super) mod notices;
pub(super) mod plan;
pub(super) mod units;

use askama::Template;
use axum::extract::{Request, State};

use super::offers::{PackCard, PlanCard, PlanState};
use super::shell::Shell;
use super::{to_sign_in, with_forms_to, written};
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
pub(crate) async fn show(State(state): State<AppState>, visitor: PageVisitor, request: Request) -> HandlerResult {
    let Some(Holder { session, cookie, language }) = visitor.holder else { return to_sign_in(request.headers()) };
    let key = PageKey { account: session.account, language };
    let token = form_token(&cookie)?;
    if let Some(text) = kept(&state, key, &token) {
        return Ok(with_forms_to(state.stripes_pages(), text.into())?);
    }
    // A user's page is written once at a time. Who waited for that mostly finds what they need.
    let _turn = state.page_turns().wait(key.account).await;
    let text = match kept(&state, key, &token) {
        Some(text) => text.into(),
        None => write(&state, key, token).await?.into(),
    };
    Ok(with_forms_to(state.stripes_pages(), text)?)
}

/// The page from memory, if it says what one that is written now would say.
fn kept(state: &AppState, key: PageKey, token: &str) -> Option<Vec<u8>> {
    let app = state.app();
    // Notices what other processes wrote.
    app.store.read_version();
    let page = state.pages().find(key)?;
    if page.is_current(key, &app.store, app.clock.now()) { page.with_token(token) } else { None }
}

/// Writes the page from the books, and keeps it.
async fn write(state: &AppState, key: PageKey, token: String) -> Result<String> {
    let read_at = state.app().store.read_version();
    let former = state.pages().find(key);
    let write = move |app: &App| {
        let overview = statement::overview(app, key.account, former.as_ref().map(|page| &page.daily_use))?;
        let text = written(&page(app, &overview, token.clone(), key.language)?)?;
        let time = PageTime { at: overview.at, until: overview.until };
        let page = KeptPage::of(&text, &token, read_at, time, overview.daily_use);
        Ok((text, page, !overview.receipts.is_empty()))
    };
    let (text, page, has_paid) = state.run(Pool::Db, write).await?;
    state.pages().keep(key, page, has_paid);
    Ok(text)
}

fn page(app: &App, overview: &Overview, token: String, asked: Language) -> Result<DashboardPage> {
    let (catalog, member) = (&*app.catalog, &overview.member);
    let (words, language) = (&catalog.unit, member.user.locale.unwrap_or(asked));
    let is_plan_pending = overview.pending.iter().any(|order| order.kind == OfferKind::Plan);
    let shell = Shell::of_user(app, language.dashboard_title(), &member.user, token, language);
    Ok(DashboardPage {
        shell: Shell { is_operator: overview.is_operator, ..shell },
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
