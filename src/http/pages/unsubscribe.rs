//! `GET /unsubscribe`: the link at the end of a letter shows what it refuses, with a button. `POST /unsubscribe` refuses it,
//! for the button and for mail programs that press it by themselves (RFC 8058): they have no session and send no form of ours,
//! so the link's token alone decides. It lets its reader do nothing else.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::shell::Shell;
use super::{html, query_field};
use crate::catalog::MailKind;
use crate::error::Result;
use crate::http::guard::Visitor;
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::mail::words::refusal_in_words;
use crate::usecase::mail::unsubscribe;

#[derive(Debug, Template)]
#[template(path = "unsubscribe.html")]
pub(super) struct UnsubscribePage {
    pub shell: Shell,
    pub state: UnsubscribeState,
}

/// How far it has come.
#[derive(Clone, Debug)]
pub(super) enum UnsubscribeState {
    /// The reader sees what the button refuses.
    Confirm {
        refusal: &'static str,
        token: String,
    },
    Done {
        refusal: &'static str,
    },
    /// The link is not one of ours.
    Unknown,
}

impl UnsubscribeState {
    pub(super) fn confirm(kind: MailKind, language: Language, token: &str) -> UnsubscribeState {
        UnsubscribeState::Confirm { refusal: refusal_in_words(kind, language), token: token.to_owned() }
    }

    pub(super) fn done(kind: MailKind, language: Language) -> UnsubscribeState {
        UnsubscribeState::Done { refusal: refusal_in_words(kind, language) }
    }
}

/// Changes nothing (RFC 9110, section 9.2.1): scanners look at links before people do.
pub(crate) async fn show(State(state): State<AppState>, visitor: Visitor, RawQuery(query): RawQuery) -> HandlerResult {
    let (token, language) = (token(query.as_deref()), visitor.language);
    let asked = token.clone();
    let found = state.run(Pool::Db, move |app| unsubscribe::read(app, &asked)).await?;
    let shown = found.map(|(_, kind)| UnsubscribeState::confirm(kind, language, &token));
    Ok(page(&state, language, shown)?)
}

pub(crate) async fn refuse(
    State(state): State<AppState>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let (token, language) = (token(query.as_deref()), visitor.language);
    let refused = state.run(Pool::Db, move |app| unsubscribe::refuse(app, &token)).await?;
    Ok(page(&state, language, refused.map(|kind| UnsubscribeState::done(kind, language)))?)
}

fn token(query: Option<&str>) -> String {
    query_field(query, "token").unwrap_or_default()
}

fn page(state: &AppState, language: Language, shown: Option<UnsubscribeState>) -> Result<Response> {
    let status = if shown.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let shell = Shell::anonymous(state.app(), language.unsubscribe_title(), language);
    let page = UnsubscribePage { shell, state: shown.unwrap_or(UnsubscribeState::Unknown) };
    let mut response = html(status, &page)?;
    // The token is in the address of this page.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}
