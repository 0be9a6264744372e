//! What the buttons on the page of a person do. Each form says why, and all but one want a fresh sign-in.

use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;

use super::operator::{Operator, Press};
use super::people::address;
use super::view::{Block, Cell, Mark, Table};
use super::{Section, done, page};
use crate::app::App;
use crate::clock::{DAY_SECONDS, LAST, parse_rfc3339};
use crate::error::{Refused, Result};
use crate::http::fields::Form;
use crate::http::pages::see_other;
use crate::http::pages::shell::Link;
use crate::http::problem::HandlerResult;
use crate::http::state::Pool;
use crate::usecase::stripe_events::link::{self, LinkReport};
use crate::usecase::units::grant::{self, GrantRequest};
use crate::usecase::units::request::IdempotencyKey;
use crate::usecase::users::{self, erase, export, sessions, sign_in};

use super::operator::REASON_LIMIT;

/// `POST /admin/users/{id}/grant`: gives units, or takes some back with a negative number.
pub(crate) async fn grant(mut press: Press) -> HandlerResult {
    let form = press.fresh_form().await?;
    let Press { state, id, .. } = press;
    let request = grant_request(&form)?;
    let back = address(&id);
    state.run(Pool::Db, move |app| grant::grant(app, &id, &request)).await?;
    Ok(done(&back)?)
}

fn grant_request(form: &Form) -> Result<GrantRequest> {
    let units = form.text("units", 20)?;
    let units = units.parse().map_err(|_| {
        let detail = format!("units is {units:?}: a whole number was expected, below zero to take units back.");
        Refused::InvalidRequest(detail)
    })?;
    let day = form.text("expires_at", 10)?;
    // What lasts until a day lasts that day long.
    let expires_at = match day.is_empty() {
        true => None,
        false => {
            let start = parse_rfc3339(&format!("{day}T00:00:00Z"));
            let start = start.ok_or_else(|| {
                Refused::InvalidRequest(format!("expires_at is {day:?}: a day such as 2027-01-31 was expected."))
            })?;
            Some(start.plus_seconds(DAY_SECONDS).min(LAST))
        }
    };
    let key = IdempotencyKey::parse(&form.text("key", 255)?)?;
    Ok(GrantRequest::new(units, form.text("reason", REASON_LIMIT)?, expires_at, key)?)
}

/// `POST /admin/users/{id}/sign-in`: a link that signs the person in, to hand over.
pub(crate) async fn sign_in_link(mut press: Press) -> HandlerResult {
    press.fresh_form().await?;
    let Press { state, operator, id, .. } = press;
    let shown = move |app: &App| {
        let language = operator.language();
        let link = sign_in::make_link(app, &id, None)?;
        let blocks = vec![
            Block::Payload(language.admin_sign_in_link().to_owned(), link.url),
            Block::Text(language.admin_link_until(language.time(link.expires_at))),
            Block::Links(vec![Link::to(&address(&id), language.admin_to_user())]),
        ];
        page(app, &operator, Section::Users, language.admin_sign_in_link(), blocks)?.answer()
    };
    Ok(state.run(Pool::Db, shown).await?)
}

/// `POST /admin/users/{id}/sessions`: signs the person out everywhere.
pub(crate) async fn end_sessions(mut press: Press) -> HandlerResult {
    press.form().await?;
    let Press { state, id, .. } = press;
    let back = address(&id);
    let end = move |app: &App| {
        let user = users::show(app, &id)?.user;
        sessions::end_of(app, &user)
    };
    state.run(Pool::Db, end).await?;
    Ok(done(&back)?)
}

/// `POST /admin/users/{id}/customer`: makes a customer of Stripe's this user's, or says what that would do.
pub(crate) async fn link_customer(mut press: Press) -> HandlerResult {
    let form = press.fresh_form().await?;
    let Press { state, operator, id, .. } = press;
    let customer = form.text("customer", 255)?;
    let dry_run = form.text("dry_run", 10)? == "yes";
    let shown = move |app: &App| {
        let report = link::link(app, &id, &customer, dry_run)?;
        linked(app, &operator, &report, dry_run)
    };
    Ok(state.run(Pool::Stripe, shown).await?)
}

fn linked(app: &App, operator: &Operator, report: &LinkReport, dry_run: bool) -> Result<axum::response::Response> {
    let language = operator.language();
    let words = match (dry_run, report.is_new) {
        (true, true) => language.admin_would_link(&report.customer, &report.user_id),
        (false, true) => language.admin_linked(&report.customer, &report.user_id),
        (_, false) => language.admin_linked_before(&report.customer, &report.user_id),
    };
    let columns = [language.admin_event(), language.admin_state(), language.admin_detail()];
    let rows = report.events.iter().map(|event| {
        vec![
            Cell::code(&event.id).linked(super::events::address(&event.id)).noted(Some(&event.kind)),
            Cell::code(event.outcome.status.as_str()),
            Cell::text(&event.outcome.detail),
        ]
    });
    let blocks = vec![
        Block::Table(Table::new(&columns, language.admin_link_events_none()).filled(rows.collect())),
        Block::Links(vec![Link::to(&address(&report.user_id), language.admin_to_user())]),
    ];
    let mark = if dry_run { Mark::Waiting } else { Mark::Good };
    page(app, operator, Section::Users, language.admin_link(), blocks)?.saying(mark, words).answer()
}

/// `POST /admin/users/{id}/erase`: erases the person, for good.
pub(crate) async fn erase(mut press: Press) -> HandlerResult {
    let form = press.fresh_form().await?;
    let Press { state, operator, id, .. } = press;
    if form.text("sure", 10)? != "yes" {
        let detail = "The box beside the button was not ticked. Nothing was erased.";
        return Err(Refused::InvalidRequest(detail.into()).into());
    }
    if id == operator.0.member.user.id {
        let detail = "An operator cannot erase their own account here. Nothing was erased. Take the role back first: \
                      till user admin ID --remove.";
        return Err(Refused::Forbidden(detail.into()).into());
    }
    let erased = state.run(Pool::Db, move |app| erase::erase(app, &id)).await?;
    Ok(see_other(&format!("{}?done", address(&erased)))?)
}

/// `POST /admin/users/{id}/data.json`: everything that is stored about the person, as a file. The audit says who took it.
pub(crate) async fn data(mut press: Press) -> HandlerResult {
    press.fresh_form().await?;
    let Press { state, id, .. } = press;
    let read = move |app: &App| {
        let mut text = Vec::new();
        export::record(app, &id)?;
        export::write(app, &id, Some(export::PAGE_ENTRIES), &mut text)?;
        Ok(text)
    };
    let text = state.run(Pool::Db, read).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"user.json\"")),
    ];
    Ok((headers, text).into_response())
}
