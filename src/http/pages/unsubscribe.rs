//! `GET /unsubscribe`: the link at the end of a letter shows what it refuses, with a button. `POST /unsubscribe` refuses it,
//! for the button and for mail programs that press it by themselves (RFC 8058): they have no session and send no form of ours,
//! so the link's token alone decides. It lets its reader do nothing else.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::html;
use super::shell::Shell;
use crate::catalog::MailKind;
use crate::error::Result;
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::mail::words::kind_in_words;
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
        letters: &'static str,
        token: String,
    },
    Done {
        letters: &'static str,
    },
    /// The link is not one of ours.
    Unknown,
}

impl UnsubscribeState {
    pub(super) fn confirm(kind: MailKind, token: &str) -> UnsubscribeState {
        UnsubscribeState::Confirm { letters: kind_in_words(kind), token: token.to_owned() }
    }

    pub(super) fn done(kind: MailKind) -> UnsubscribeState {
        UnsubscribeState::Done { letters: kind_in_words(kind) }
    }
}

/// Changes nothing (RFC 9110, section 9.2.1): scanners look at links before people do.
pub(crate) async fn show(State(state): State<AppState>, RawQuery(query): RawQuery) -> HandlerResult {
    let token = token(query);
    let asked = token.clone();
    let found = state.run(Pool::Db, move |app| unsubscribe::read(app, &asked)).await?;
    Ok(page(&state, found.map(|(_, kind)| UnsubscribeState::confirm(kind, &token)))?)
}

pub(crate) async fn refuse(State(state): State<AppState>, RawQuery(query): RawQuery) -> HandlerResult {
    let token = token(query);
    let refused: Option<MailKind> = state.run(Pool::Db, move |app| unsubscribe::refuse(app, &token)).await?;
    Ok(page(&state, refused.map(UnsubscribeState::done))?)
}

fn token(query: Option<String>) -> String {
    let query = query.unwrap_or_default();
    let mut fields = form_urlencoded::parse(query.as_bytes());
    fields.find(|(name, _)| name == "token").map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn page(state: &AppState, shown: Option<UnsubscribeState>) -> Result<Response> {
    let status = if shown.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let shell = Shell::anonymous(state.app(), "Letters");
    let page = UnsubscribePage { shell, state: shown.unwrap_or(UnsubscribeState::Unknown) };
    let mut response = html(status, &page)?;
    // The token is in the address of this page.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}
