//! `GET /admin/events`: the inbox of Stripe's events; `GET /admin/events/{id}`: one of them, which can be applied again, assigned
//! or closed. What Stripe sent is shown by a button, because the audit keeps who looked at it.

use axum::extract::{RawQuery, State};

use super::operator::{Operator, Press, REASON_LIMIT};
use super::view::{ActionForm, AdminPage, Block, Cell, FormField, Mark, Table};
use super::{PAGE, Section, done, older, page, people, segment};
use crate::app::App;
use crate::clock::{parse_rfc3339, rfc3339};
use crate::error::{Refused, Result};
use crate::http::pages::query_field;
use crate::http::pages::shell::Link;
use crate::http::problem::HandlerResult;
use crate::http::request::PathSegment;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::store::inbox::{InboxRow, Status};
use crate::usecase::stripe_events::apply::EventOutcome;
use crate::usecase::stripe_events::changes::Change;
use crate::usecase::stripe_events::inbox;

/// Where the page of an event is.
pub(super) fn address(id: &str) -> String {
    format!("/admin/events/{}", segment(id))
}

pub(crate) async fn show(
    State(state): State<AppState>,
    operator: Operator,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    Ok(state.run(Pool::Db, move |app| shown(app, &operator, query.as_deref())?.answer()).await?)
}

fn shown(app: &App, operator: &Operator, query: Option<&str>) -> Result<AdminPage> {
    let language = operator.language();
    let status = query_field(query, "status").filter(|word| !word.is_empty());
    let status = status.map(|word| {
        let words = Status::ALL.map(Status::as_str).join(", ");
        Status::parse(&word)
            .ok_or_else(|| Refused::InvalidRequest(format!("status is {word:?}: one of {words} was expected.")))
    });
    let status = status.transpose()?;
    let before = query_field(query, "before").map(|text| {
        let parts = text.split_once(' ').and_then(|(at, id)| Some((parse_rfc3339(at)?, id.to_owned())));
        parts.ok_or_else(|| Refused::InvalidRequest("before is no place in the list of events.".into()))
    });
    let rows = inbox::page(app, status, before.transpose()?, PAGE)?;
    let filter = status.map(|status| ("status", status.as_str()));
    let place = |row: &InboxRow| format!("{} {}", rfc3339(row.event.received_at), row.event.id);
    let older = older(&rows, PAGE, place, "/admin/events", filter, language);
    let columns = [language.admin_arrived(), language.admin_state(), language.admin_event(), language.admin_detail()];
    let table = Table::new(&columns, language.admin_events_none())
        .filled(rows.iter().map(|row| cells(row, language)).collect());
    let mut choices = vec![(String::new(), language.admin_all().to_owned())];
    choices.extend(Status::ALL.map(|status| (status.as_str().to_owned(), status.as_str().to_owned())));
    let choice =
        FormField::choice("status", language.admin_state(), choices).holding(status.map_or("", Status::as_str));
    let blocks = vec![
        Block::Form(ActionForm::search("/admin/events", language.admin_show()).with(choice)),
        Block::Table(table.with_more(older)),
    ];
    Ok(page(app, operator, Section::Events, language.admin_events(), blocks)?.led(language.admin_events_lead()))
}

fn mark(status: Status) -> Mark {
    match status {
        Status::Applied | Status::Ignored => Mark::Good,
        Status::Waiting => Mark::Waiting,
        Status::Unmatched | Status::Failed => Mark::Bad,
    }
}

fn cells(row: &InboxRow, language: Language) -> Vec<Cell> {
    let InboxRow { event, decision, .. } = row;
    vec![
        Cell::moment(event.received_at, language),
        Cell::code(decision.status.as_str()).marked(mark(decision.status)),
        Cell::code(&event.kind).linked(address(&event.id)).noted(Some(&event.id)),
        Cell::text(&decision.detail),
    ]
}

pub(crate) async fn show_one(
    State(state): State<AppState>,
    operator: Operator,
    PathSegment(id): PathSegment,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let page = move |app: &App| shown_one(app, &operator, &id, None)?.after(query.as_deref()).answer();
    Ok(state.run(Pool::Db, page).await?)
}

/// An event, with `outcome` what it would do, or did.
fn shown_one(app: &App, operator: &Operator, id: &str, outcome: Option<(&EventOutcome, bool)>) -> Result<AdminPage> {
    let language = operator.language();
    let row = inbox::show(app, id)?;
    let mut blocks = vec![facts(&row, language)];
    if let Some((outcome, dry_run)) = outcome {
        blocks.push(Block::Table(changes(outcome, dry_run, language)));
    }
    if matches!(outcome, Some((_, true))) {
        blocks.push(Block::Form(replay_form(id, false, language).headed(language.admin_replay(), "").main()));
    }
    blocks.extend(actions(app, &row, operator.is_fresh(app), language));
    let page = page(app, operator, Section::Events, id, blocks)?;
    Ok(match outcome {
        Some((outcome, dry_run)) => page.saying(mark(outcome.status), outcome_words(outcome, dry_run, language)),
        None => page,
    })
}

fn outcome_words(outcome: &EventOutcome, dry_run: bool, language: Language) -> String {
    let (status, detail) = (outcome.status.as_str(), &outcome.detail);
    if dry_run { language.admin_would_be(status, detail) } else { language.admin_is_now(status, detail) }
}

/// What the event changes, row by row.
fn changes(outcome: &EventOutcome, dry_run: bool, language: Language) -> Table {
    let cells = |change: &Change<'_>| {
        let number = |units: Option<i64>| Cell::text(units.map(|units| language.number(units)).unwrap_or_default());
        vec![
            Cell::code(change.what),
            Cell::text(change.user_id).linked(people::address(change.user_id)),
            number(change.units),
            number(change.balance),
            Cell::code(&change.detail),
        ]
    };
    let columns = [
        language.admin_change(),
        language.admin_user(),
        language.admin_units(),
        language.admin_balance(),
        language.admin_detail(),
    ];
    let heading = if dry_run { language.admin_would_change() } else { language.admin_changed() };
    let table = Table::new(&columns, language.admin_changes_none()).headed(heading).with_numbers(&[2, 3]);
    table.filled(outcome.changes().iter().map(cells).collect())
}

fn facts(row: &InboxRow, language: Language) -> Block {
    let InboxRow { event, decision, attempts, decided_at, assigned_offer, .. } = row;
    let facts = [
        (language.admin_event(), Cell::code(&event.kind)),
        (language.admin_about(), Cell::maybe(event.object.as_ref())),
        (language.admin_customer(), Cell::maybe(event.customer.as_ref())),
        (language.admin_state(), Cell::code(decision.status.as_str()).marked(mark(decision.status))),
        (language.admin_detail(), Cell::text(&decision.detail)),
        (language.admin_waits_for(), Cell::maybe(decision.waits_for.as_ref())),
        (language.admin_made(), Cell::moment(event.created_at, language)),
        (language.admin_arrived(), Cell::moment(event.received_at, language)),
        (language.admin_tried(), Cell::moment(*decided_at, language)),
        (language.admin_tries(), Cell::text(language.number(*attempts))),
        (language.admin_tried_again(), Cell::moment_or_dash(decision.next_attempt_at, language)),
        (language.admin_version(), Cell::maybe(event.api_version.as_ref())),
        (language.admin_assigned(), Cell::maybe(assigned_offer.as_ref())),
    ];
    Block::facts(facts)
}

fn replay_form(id: &str, dry_run: bool, language: Language) -> ActionForm {
    let button = if dry_run { language.admin_dry_run() } else { language.admin_replay_now() };
    let form = ActionForm::new(format!("{}/replay", address(id)), button)
        .hiding("dry_run", if dry_run { "yes" } else { "no" });
    form.with_reason(language)
}

fn actions(app: &App, row: &InboxRow, is_fresh: bool, language: Language) -> Vec<Block> {
    let (id, status) = (&row.event.id, row.decision.status);
    let form = |action: &str, button: &str| ActionForm::new(format!("{}/{action}", address(id)), button);
    let mut blocks = vec![];
    if row.event.body.is_some() {
        let payload = form("payload", language.admin_show_payload());
        let payload = payload.headed(language.admin_payload(), language.admin_payload_lead());
        blocks.push(Block::Form(payload.with_reason(language)));
    }
    if app.config.stripe.mode().is_some() && row.event.body.is_some() {
        if status == Status::Unmatched || status == Status::Ignored {
            let mut offers = vec![(String::new(), language.admin_as_stripe_says().to_owned())];
            offers.extend(app.catalog.packs.iter().map(|pack| (pack.key.clone(), pack.key.clone())));
            let assign = form("assign", language.admin_assign())
                .headed(language.admin_assign(), language.admin_assign_lead())
                .with(FormField::text("user", language.admin_user()).required().limited(128))
                .with(FormField::choice("plan", language.admin_pack(), offers))
                .main();
            blocks.push(Block::Form(assign.with_reason(language).only_if_fresh(is_fresh, language)));
        }
        let replay = replay_form(id, true, language).headed(language.admin_replay(), language.admin_replay_lead());
        blocks.push(Block::Form(replay.only_if_fresh(is_fresh, language)));
    }
    if matches!(status, Status::Unmatched | Status::Waiting | Status::Failed) {
        let dismiss =
            form("dismiss", language.admin_dismiss()).headed(language.admin_dismiss(), language.admin_dismiss_lead());
        blocks.push(Block::Form(dismiss.with_reason(language).only_if_fresh(is_fresh, language)));
    }
    blocks
}

/// `POST /admin/events/{id}/replay`: applies an event again, or says what that would do.
pub(crate) async fn replay(mut press: Press) -> HandlerResult {
    let form = press.fresh_form().await?;
    let Press { state, operator, id, .. } = press;
    let dry_run = form.text("dry_run", 10)? != "no";
    let replay = move |app: &App| {
        let outcome = inbox::replay(app, &id, dry_run)?;
        shown_one(app, &operator, &id, Some((&outcome, dry_run)))?.answer()
    };
    Ok(state.run(Pool::Stripe, replay).await?)
}

/// `POST /admin/events/{id}/assign`: says whose a payment is.
pub(crate) async fn assign(mut press: Press) -> HandlerResult {
    let form = press.fresh_form().await?;
    let Press { state, operator, id, .. } = press;
    let (user, plan) = (form.text("user", 128)?, form.text("plan", 100)?);
    let assign = move |app: &App| {
        let outcome = inbox::assign(app, &id, &user, Some(plan.as_str()).filter(|plan| !plan.is_empty()))?;
        shown_one(app, &operator, &id, Some((&outcome, false)))?.answer()
    };
    Ok(state.run(Pool::Stripe, assign).await?)
}

/// `POST /admin/events/{id}/dismiss`: closes what could not be applied and is nobody's here.
pub(crate) async fn dismiss(mut press: Press) -> HandlerResult {
    let form = press.fresh_form().await?;
    let Press { state, id, .. } = press;
    let (reason, back) = (form.text("reason", REASON_LIMIT)?, address(&id));
    state.run(Pool::Db, move |app| inbox::dismiss(app, &id, Some(&reason), false)).await?;
    Ok(done(&back)?)
}

/// `POST /admin/events/{id}/payload`: what Stripe sent, as text. The audit says who looked.
pub(crate) async fn payload(mut press: Press) -> HandlerResult {
    press.form().await?;
    let Press { state, operator, id, .. } = press;
    let shown = move |app: &App| {
        let language = operator.language();
        let body = inbox::look_at_body(app, &id)?;
        let text = body.unwrap_or_else(|| language.admin_payload_gone().to_owned());
        let blocks = vec![
            Block::Payload(language.admin_payload().to_owned(), text),
            Block::Links(vec![Link::to(&address(&id), language.admin_to_event())]),
        ];
        page(app, &operator, Section::Events, &id, blocks)?.answer()
    };
    Ok(state.run(Pool::Db, shown).await?)
}
