//! `GET /admin/audit`: what was done by hand, by tokens and by people who signed in, newest first.

use axum::extract::{RawQuery, State};

use super::operator::Operator;
use super::view::{ActionForm, Block, Cell, FormField, Table};
use super::{PAGE, Section, number_in, older, page, with_query};
use crate::app::App;
use crate::error::Result;
use crate::http::pages::query_field;
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::store::audit::{AuditFilter, AuditRow};
use crate::usecase::audit;

use super::view::AdminPage;

pub(super) const PATH: &str = "/admin/audit";

/// A field by which the trail is searched: its name, and what it asks for.
type FilterField = (&'static str, fn(String) -> AuditFilter);

const FIELDS: [FilterField; 3] =
    [("actor", AuditFilter::Actor), ("action", AuditFilter::Action), ("target", AuditFilter::Target)];

pub(crate) async fn show(
    State(state): State<AppState>,
    operator: Operator,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    Ok(state.run(Pool::Db, move |app| shown(app, &operator, query.as_deref())?.answer()).await?)
}

fn shown(app: &App, operator: &Operator, query: Option<&str>) -> Result<AdminPage> {
    let language = operator.language();
    let before = number_in(query, "before")?;
    let asked =
        |name: &str| query_field(query, name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let chosen = FIELDS.into_iter().find_map(|(name, filter)| Some((name, asked(name)?, filter)));
    let filter = chosen.as_ref().map_or(AuditFilter::All, |(_, text, filter)| filter(text.clone()));
    let rows = audit::list(app, &filter, before, PAGE)?;
    let chosen = chosen.as_ref().map(|(name, text, _)| (*name, text.as_str()));
    let older = older(&rows, PAGE, |last| last.number.to_string(), PATH, chosen, language);
    let columns = [
        language.admin_time(),
        language.admin_actor(),
        language.admin_action(),
        language.admin_target(),
        language.admin_detail(),
        language.admin_reason(),
    ];
    let table = Table::new(&columns, language.admin_audit_none());
    let blocks = vec![
        Block::Form(filters(chosen, language)),
        Block::Table(table.filled(rows.iter().map(|row| cells(row, language)).collect()).with_more(older)),
    ];
    Ok(page(app, operator, Section::Audit, language.admin_audit(), blocks)?.led(language.admin_audit_lead()))
}

fn filters(chosen: Option<(&str, &str)>, language: Language) -> ActionForm {
    let labels = [language.admin_actor(), language.admin_action(), language.admin_target()];
    let form = ActionForm::search(PATH, language.admin_search());
    FIELDS.into_iter().zip(labels).fold(form, |form, ((name, _), label)| {
        let value = chosen.filter(|(of, _)| *of == name).map(|(_, text)| text);
        form.with(FormField::line(name, label, "search").holding(value.unwrap_or_default()))
    })
}

fn cells(row: &AuditRow, language: Language) -> Vec<Cell> {
    let find = |name: &str, text: &str| with_query(PATH, [(name, text)]);
    vec![
        Cell::moment(row.at, language),
        Cell::code(&row.actor).linked(find("actor", &row.actor)).noted(row.address.clone()),
        Cell::code(&row.action).linked(find("action", &row.action)),
        row.target
            .as_ref()
            .map_or_else(|| Cell::maybe(None::<String>), |target| Cell::code(target).linked(find("target", target))),
        Cell::maybe(row.detail.as_ref()),
        Cell::maybe(row.reason.as_ref()),
    ]
}
