//! `GET /admin/audit`: what was done by hand, by tokens and by people who signed in, newest first.

use axum::extract::{RawQuery, State};

use super::operator::Operator;
use super::view::{ActionForm, Block, Cell, Field, Table};
use super::{PAGE, Section, number_in, page};
use crate::app::App;
use crate::error::Result;
use crate::http::pages::query_field;
use crate::http::pages::shell::Link;
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::store::audit::{AuditFilter, AuditRow};
use crate::usecase::audit;

use super::view::AdminPage;

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
    let filter = chosen.clone().map_or(AuditFilter::All, |(_, text, filter)| filter(text));
    let rows = audit::list(app, &filter, before, PAGE)?;
    let older = rows.last().filter(|_| rows.len() as i64 == PAGE).map(|last| {
        let mut address = form_urlencoded::Serializer::new("/admin/audit?".to_owned());
        if let Some((name, text, _)) = &chosen {
            address.append_pair(name, text);
        }
        Link {
            href: address.append_pair("before", &last.number.to_string()).finish(),
            label: language.admin_older().to_owned(),
        }
    });
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
        Block::Form(filters(chosen.map(|(name, text, _)| (name, text)), language)),
        Block::Table(table.filled(rows.iter().map(|row| cells(row, language)).collect()).with_more(older)),
    ];
    Ok(page(app, operator, Section::Audit, language.admin_audit(), blocks)?.led(language.admin_audit_lead()))
}

fn filters(chosen: Option<(&str, String)>, language: Language) -> ActionForm {
    let labels = [language.admin_actor(), language.admin_action(), language.admin_target()];
    let form = ActionForm::search("/admin/audit", language.admin_search());
    FIELDS.into_iter().zip(labels).fold(form, |form, ((name, _), label)| {
        let value = chosen.as_ref().filter(|(of, _)| *of == name).map(|(_, text)| text.clone());
        form.with(Field::line(name, label, "search").holding(value.unwrap_or_default()))
    })
}

fn cells(row: &AuditRow, language: Language) -> Vec<Cell> {
    let find = |name: &str, text: &str| {
        form_urlencoded::Serializer::new("/admin/audit?".to_owned()).append_pair(name, text).finish()
    };
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
