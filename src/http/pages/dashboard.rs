//! `GET /dashboard`: what is left, what more costs, what has moved.

use axum::extract::State;
use axum::http::StatusCode;

use super::super::Rim;
use super::super::chart::{Chart, DayUse};
use super::super::error::Answer;
use super::super::guard::Visitor;
use super::view::{DashboardPage, EntryView, Notice, PlanView, SubscriptionView, UnitWords, UnitsView, allotment};
use super::{html, offers, see_other, shell};
use crate::app::App;
use crate::error::Result;
use crate::usecase::users::UserSnapshot;
use crate::usecase::users::statement::{self, Overview};

const DAY_MILLIS: i64 = 86_400_000;

/// The dashboard of whoever is signed in; anybody else is shown how to sign in.
pub(crate) async fn show(State(rim): State<Rim>, visitor: Visitor) -> Answer {
    let Some((member, cookie)) = visitor.user else { return Ok(see_other("/login")?) };
    let account = member.user.account;
    let page = rim.books(move |app| page(app, statement::overview(app, account)?, &cookie)).await?;
    Ok(html(StatusCode::OK, &page)?)
}

fn page(app: &App, overview: Overview, cookie: &str) -> Result<DashboardPage> {
    let words = offers::words(&app.catalog);
    let member = &overview.member;
    let pending = overview.pending.first();
    let entries = overview.recent.iter().map(|entry| {
        EntryView::of(
            entry.kind.as_str(),
            entry.delta,
            entry.note.as_deref(),
            entry.balance_after,
            entry.created_at,
            &words,
        )
    });
    let days: Vec<DayUse> = overview
        .usage
        .iter()
        .map(|(day, used)| DayUse { day: day.millis().div_euclid(DAY_MILLIS), used: *used })
        .collect();
    Ok(DashboardPage {
        shell: shell("Dashboard", Some((member, cookie)))?,
        notice: pending.map(|order| Notice::pending(&words.count(order.units))),
        units: UnitsView {
            words: words.clone(),
            remaining: member.balance.remaining,
            held: member.balance.held,
            total: member.balance.total,
        },
        plan: plan(app, member, &words),
        packs: offers::packs(&app.catalog)?,
        plans: offers::plans(&app.catalog, Some(member))?,
        entries: entries.collect(),
        chart: Chart::of(app.clock.now(), &days, &words),
        status_url: pending.map(|_| "/v1/me".to_owned()),
    })
}

fn plan(app: &App, member: &UserSnapshot, words: &UnitWords) -> PlanView {
    let plan = app.catalog.plan(&member.plan);
    PlanView {
        name: plan.map_or_else(|| "None".to_owned(), |plan| plan.name.clone()),
        allotment: allotment(plan.map_or(0, |plan| plan.units), words),
        subscription: member.subscription.as_ref().map(|subscription| {
            let ends = subscription.ends_at;
            SubscriptionView::of(&subscription.status, ends.or(subscription.period_end), ends.is_some(), true)
        }),
    }
}
