//! The operator's pages, below `/admin`. A page is a file here that reads what a use case says and puts it into blocks; its
//! buttons post to an address of their own, with a reason that the audit keeps.

mod audit;
mod bookkeeping;
mod catalogue;
mod chart;
mod events;
mod health;
mod messages;
mod operator;
mod overview;
mod payments;
mod people;
mod person;
mod person_actions;
mod reconciliation;
mod tokens;
pub(super) mod view;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::html;
use super::see_other;
use super::shell::{Link, Shell};
use crate::app::App;
use crate::error::{Refused, Result};
use crate::http::state::AppState;
use crate::language::Language;
use operator::Operator;
use view::{AdminPage, Block, Mark, Notice, SectionLink};

/// Rows on one page of a list.
const PAGE: i64 = 50;

/// Every address below `/admin`.
pub(in crate::http) fn routes() -> Router<AppState> {
    Router::new()
        .route("/admin", get(overview::show))
        .route("/admin/", get(overview::without_slash))
        .route("/admin/export.csv", get(bookkeeping::file))
        .route("/admin/users", get(people::show))
        .route("/admin/users/{id}", get(person::show))
        .route("/admin/users/{id}/ledger", get(person::ledger))
        .route("/admin/users/{id}/data.json", post(person_actions::data))
        .route("/admin/users/{id}/grant", post(person_actions::grant))
        .route("/admin/users/{id}/sign-in", post(person_actions::sign_in_link))
        .route("/admin/users/{id}/sessions", post(person_actions::end_sessions))
        .route("/admin/users/{id}/customer", post(person_actions::link_customer))
        .route("/admin/users/{id}/erase", post(person_actions::erase))
        .route("/admin/payments", get(payments::show))
        .route("/admin/payments/{reference}", get(payments::show_one))
        .route("/admin/payments/{reference}/reverse", post(payments::reverse))
        .route("/admin/events", get(events::show))
        .route("/admin/events/{id}", get(events::show_one))
        .route("/admin/events/{id}/replay", post(events::replay))
        .route("/admin/events/{id}/assign", post(events::assign))
        .route("/admin/events/{id}/dismiss", post(events::dismiss))
        .route("/admin/events/{id}/payload", post(events::payload))
        .route("/admin/reconciliation", get(reconciliation::show).post(reconciliation::ask))
        .route("/admin/reconciliation/{number}", get(reconciliation::show_one))
        .route("/admin/messages", get(messages::show))
        .route("/admin/messages/retry", post(messages::retry))
        .route("/admin/messages/{id}", get(messages::show_one))
        .route("/admin/messages/{id}/test", post(messages::test))
        .route("/admin/messages/{id}/roll", post(messages::roll))
        .route("/admin/messages/{id}/enable", post(messages::enable))
        .route("/admin/messages/{id}/disable", post(messages::disable))
        .route("/admin/catalog", get(catalogue::show).post(catalogue::set_up))
        .route("/admin/health", get(health::show).post(health::check))
        .route("/admin/tokens", get(tokens::show))
        .route("/admin/tokens/{id}", get(tokens::show_one))
        .route("/admin/tokens/{id}/revoke", post(tokens::revoke))
        .route("/admin/audit", get(audit::show))
}

/// A room of the operator's pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Users,
    Payments,
    Events,
    Reconciliation,
    Messages,
    Catalogue,
    Tokens,
    Audit,
    Health,
}

impl Section {
    const ALL: [Section; 10] = [
        Section::Overview,
        Section::Users,
        Section::Payments,
        Section::Events,
        Section::Reconciliation,
        Section::Messages,
        Section::Catalogue,
        Section::Tokens,
        Section::Audit,
        Section::Health,
    ];

    fn link(self, language: Language) -> Link {
        let (path, label) = match self {
            Section::Overview => ("/admin", language.admin_overview()),
            Section::Users => ("/admin/users", language.admin_users()),
            Section::Payments => ("/admin/payments", language.admin_payments()),
            Section::Events => ("/admin/events", language.admin_events()),
            Section::Reconciliation => ("/admin/reconciliation", language.admin_reconciliation()),
            Section::Messages => ("/admin/messages", language.admin_messages()),
            Section::Catalogue => ("/admin/catalog", language.admin_catalog()),
            Section::Health => ("/admin/health", language.admin_health()),
            Section::Tokens => ("/admin/tokens", language.admin_tokens()),
            Section::Audit => ("/admin/audit", language.admin_audit()),
        };
        Link::to(path, label)
    }
}

/// A page of this section.
fn page(app: &App, operator: &Operator, here: Section, heading: &str, blocks: Vec<Block>) -> Result<AdminPage> {
    let language = operator.language();
    let sections = Section::ALL.map(|section| SectionLink { link: section.link(language), is_here: section == here });
    Ok(AdminPage {
        shell: Shell::signed_in(app, heading, &operator.0)?,
        sections: sections.to_vec(),
        heading: heading.to_owned(),
        lead: None,
        notice: None,
        blocks,
    })
}

impl AdminPage {
    fn led(self, lead: impl Into<String>) -> AdminPage {
        AdminPage { lead: Some(lead.into()), ..self }
    }

    fn saying(self, mark: Mark, words: impl Into<String>) -> AdminPage {
        AdminPage { notice: Some(Notice { mark, words: words.into() }), ..self }
    }

    /// With what the address says was done just now.
    fn after(self, query: Option<&str>) -> AdminPage {
        let language = self.shell.language;
        match super::query_field(query, "done") {
            Some(_) => self.saying(Mark::Good, language.admin_done()),
            None => self,
        }
    }

    fn answer(&self) -> Result<Response> {
        html(StatusCode::OK, self)
    }
}

/// A number in a field of the address.
fn number_in(query: Option<&str>, name: &str) -> Result<Option<i64>> {
    let text = super::query_field(query, name).filter(|text| !text.is_empty());
    let number = text.map(|text| {
        text.parse().map_err(|_| Refused::InvalidRequest(format!("{name} is {text:?}: a whole number was expected.")))
    });
    Ok(number.transpose()?)
}

/// The way to the rows after these, if these fill a page: the list's path, with the filter that is chosen and the place of
/// the last row.
fn older<T>(
    rows: &[T],
    page: i64,
    place: impl Fn(&T) -> String,
    path: &str,
    filter: Option<(&str, &str)>,
    language: Language,
) -> Option<Link> {
    let last = rows.last().filter(|_| i64::try_from(rows.len()) == Ok(page))?;
    let href = with_query(path, filter.into_iter().chain([("before", place(last).as_str())]));
    Some(Link { href, label: language.admin_older().to_owned() })
}

/// A path with these fields in its query.
fn with_query<'a>(path: &str, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(format!("{path}?")).extend_pairs(fields).finish()
}

/// Back to a page whose button was pressed, which says that it is done.
fn done(path: &str) -> Result<Response> {
    see_other(&format!("{path}?done"))
}

/// What is not a letter or digit, but for what needs no escape in a path (RFC 3986, section 3.3).
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@').remove(b':');

/// An id as one segment of a path. A browser folds a segment of dots alone away, however it is written, so no id is one.
fn segment(id: &str) -> String {
    utf8_percent_encode(id, SEGMENT).to_string()
}
