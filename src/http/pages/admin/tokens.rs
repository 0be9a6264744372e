//! `GET /admin/tokens`: the tokens of programs and people, and when each was used last; one is revoked here. Only the command
//! line makes one for a program: a secret shown in a browser lies in its memory.

use axum::extract::{RawQuery, State};

use super::operator::{Operator, Press};
use super::view::{ActionForm, AdminPage, Block, Cell, Mark, Table};
use super::{PAGE, Section, audit, done, older, page, segment, with_query};
use crate::app::App;
use crate::error::Result;
use crate::http::pages::query_field;
use crate::http::pages::shell::Link;
use crate::http::problem::HandlerResult;
use crate::http::request::PathSegment;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::store::access::Token;
use crate::usecase::users::tokens;

pub(crate) async fn show(
    State(state): State<AppState>,
    operator: Operator,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    Ok(state
        .run(Pool::Db, move |app| shown(app, &operator, query.as_deref())?.after(query.as_deref()).answer())
        .await?)
}

fn shown(app: &App, operator: &Operator, query: Option<&str>) -> Result<AdminPage> {
    let language = operator.language();
    let before = query_field(query, "before");
    let all = tokens::page(app, before.as_deref(), PAGE)?;
    let older = older(&all, PAGE, |last| last.id.clone(), "/admin/tokens", None, language);
    let columns = columns(language);
    let rows = all.iter().map(|token| cells(token, language)).collect();
    let blocks = vec![Block::Table(Table::new(&columns, language.admin_tokens_none()).filled(rows).with_more(older))];
    Ok(page(app, operator, Section::Tokens, language.admin_tokens(), blocks)?.led(language.admin_tokens_lead()))
}

fn columns(language: Language) -> [&'static str; 5] {
    [
        language.admin_token(),
        language.admin_scopes(),
        language.admin_made(),
        language.admin_last_use(),
        language.admin_state(),
    ]
}

fn cells(token: &Token, language: Language) -> Vec<Cell> {
    vec![
        Cell::text(&token.name).linked(address(token)).noted(Some(&token.id)),
        Cell::code(&token.scopes).noted(token.owner.as_ref().map(|(_, user)| user)),
        Cell::moment(token.created_at, language),
        Cell::moment_or_dash(token.last_used_at, language),
        match token.revoked_at {
            Some(_) => Cell::text(language.admin_revoked()).marked(Mark::Waiting),
            None => Cell::text(language.admin_in_force()).marked(Mark::Good),
        },
    ]
}

fn address(token: &Token) -> String {
    format!("/admin/tokens/{}", segment(&token.id))
}

/// `GET /admin/tokens/{id}`: one token, and what it did.
pub(crate) async fn show_one(
    State(state): State<AppState>,
    operator: Operator,
    PathSegment(id): PathSegment,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let page = state.run(Pool::Db, move |app| shown_one(app, &operator, &id)?.after(query.as_deref()).answer());
    Ok(page.await?)
}

fn shown_one(app: &App, operator: &Operator, id: &str) -> Result<AdminPage> {
    let language = operator.language();
    let token = tokens::show(app, id)?;
    let cells = cells(&token, language).into_iter().map(|cell| Cell { href: None, ..cell });
    let mut blocks = vec![Block::facts(columns(language).into_iter().zip(cells))];
    let trail = [("actor", format!("token:{id}")), ("target", id.to_owned())];
    let links = trail.into_iter().zip([language.admin_did(), language.admin_was_done()]);
    let link = |((name, text), label): ((&str, String), &str)| {
        Link::to(&with_query(audit::PATH, [(name, text.as_str())]), label)
    };
    blocks.push(Block::Links(links.map(link).collect()));
    if token.revoked_at.is_none() {
        let form = ActionForm::new(format!("{}/revoke", address(&token)), language.admin_revoke());
        let form = form.headed(language.admin_revoke_token(), language.admin_revoke_lead()).with_reason(language);
        blocks.push(Block::Form(form.only_if_fresh(operator.is_fresh(app), language)));
    }
    page(app, operator, Section::Tokens, &token.name, blocks)
}

pub(crate) async fn revoke(mut press: Press) -> HandlerResult {
    press.fresh_form().await?;
    let Press { state, id, .. } = press;
    let address = format!("/admin/tokens/{}", segment(&id));
    state.run(Pool::Db, move |app| tokens::revoke(app, &id)).await?;
    Ok(done(&address)?)
}
