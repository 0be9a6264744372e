//! `GET /admin/export.csv?month=2026-11`: all that moved money in a month, as a file for a bookkeeper.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::IntoResponse;

use super::operator::Operator;
use crate::app::App;
use crate::clock::month_of;
use crate::error::Fault;
use crate::http::pages::query_field;
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::usecase::operator::bookkeeping_file;

/// The most pages of Stripe's that a request reads: ten thousand movements. The command reads all.
const PAGES: usize = 100;

/// The address of a month's file.
pub(super) fn address(month: &str) -> String {
    format!("/admin/export.csv?month={month}")
}

pub(crate) async fn file(
    State(state): State<AppState>,
    _operator: Operator,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let write = move |app: &App| {
        let month = query_field(query.as_deref(), "month").unwrap_or_else(|| month_of(app.clock.now()));
        let mut text = Vec::new();
        bookkeeping_file::write(app, &month, Some(PAGES), &mut text)?;
        let name = format!("attachment; filename=\"{month}.csv\"");
        let name = HeaderValue::from_str(&name).map_err(|cause| Fault::new("a file has no usable name", cause))?;
        Ok((name, text))
    };
    let (name, text) = state.run(Pool::Stripe, write).await?;
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, text).into_response())
}
