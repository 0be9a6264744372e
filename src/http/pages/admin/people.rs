//! `GET /admin/users`: people by what somebody says of them, or the newest.

use axum::extract::{RawQuery, State};

use super::operator::Operator;
use super::view::{ActionForm, AdminPage, Block, Cell, FormField, Table};
use super::{PAGE, Section, number_in, older, page, segment};
use crate::app::App;
use crate::error::Result;
use crate::http::pages::query_field;
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::usecase::operator::people;
use crate::usecase::users::UserSnapshot;

pub(crate) async fn show(
    State(state): State<AppState>,
    operator: Operator,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    Ok(state.run(Pool::Db, move |app| shown(app, &operator, query.as_deref())?.answer()).await?)
}

/// Where the page of a user is.
pub(super) fn address(id: &str) -> String {
    format!("/admin/users/{}", segment(id))
}

fn shown(app: &App, operator: &Operator, query: Option<&str>) -> Result<AdminPage> {
    let language = operator.language();
    let text = query_field(query, "q").map(|text| text.trim().to_owned()).unwrap_or_default();
    let (found, older, lead) = match text.is_empty() {
        true => {
            let before = number_in(query, "before")?.unwrap_or(i64::MAX);
            let found = people::newest(app, before, PAGE)?;
            let older = older(&found, PAGE, |last| last.user.account.to_string(), "/admin/users", None, language);
            (found, older, language.admin_users_newest())
        }
        false => {
            let found = people::search(app, &text)?;
            let lead = if found.is_cut { language.admin_users_cut() } else { language.admin_users_found() };
            (found.people, None, lead)
        }
    };
    let columns = [
        language.admin_user(),
        language.admin_address(),
        language.admin_plan(),
        language.admin_available(),
        language.admin_held(),
        language.admin_since(),
    ];
    let table = Table::new(&columns, language.admin_users_none()).with_numbers(&[3, 4]);
    let rows = found.iter().map(|member| row(member, app, language)).collect();
    let search = FormField::line("q", language.admin_users_search(), "search").holding(&text).limited(300);
    let blocks = vec![
        Block::Form(ActionForm::search("/admin/users", language.admin_search()).with(search)),
        Block::Table(table.filled(rows).with_more(older)),
    ];
    Ok(page(app, operator, Section::Users, language.admin_users(), blocks)?.led(lead))
}

fn row(member: &UserSnapshot, app: &App, language: Language) -> Vec<Cell> {
    let (user, balance) = (&member.user, &member.balance);
    vec![
        Cell::text(user.name.as_deref().filter(|name| !name.trim().is_empty()).unwrap_or(&user.id))
            .linked(address(&user.id))
            .noted(user.name.as_ref().map(|_| &user.id)),
        Cell::maybe(user.email.as_ref()),
        Cell::text(plan_words(&member.plan, app, language)),
        Cell::text(language.number(balance.available())),
        Cell::text(language.number(balance.held)),
        Cell::moment(user.created_at, language),
    ]
}

/// A plan's name, or its key where the catalogue has it no longer.
pub(super) fn plan_words(key: &str, app: &App, language: Language) -> String {
    app.catalog.plan(key).map_or_else(|| key.to_owned(), |plan| plan.name.in_language(language).to_owned())
}
