//! `GET /admin/payments`: what was paid, newest first, what Stripe does not confirm, or what is disputed;
//! `GET /admin/payments/{reference}`: one payment, with every fact that is kept and what was computed from it.

use axum::extract::{RawQuery, State};

use super::operator::{Operator, Press, REASON_LIMIT};
use super::view::{ActionForm, AdminPage, Block, Cell, Mark, Table};
use super::{PAGE, Section, done, older, page, people, segment};
use crate::app::App;
use crate::clock::{Timestamp, parse_rfc3339, rfc3339};
use crate::error::{Refused, Result};
use crate::http::pages::dashboard::billing::means_words;
use crate::http::pages::query_field;
use crate::http::pages::shell::Link;
use crate::http::problem::HandlerResult;
use crate::http::request::PathSegment;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::store::orders::OfferKind;
use crate::store::payment_records::{DisputeStanding, ReturnRecord};
use crate::store::receipts::Receipt;
use crate::usecase::operator::paid::{self, PaymentDetail};
use crate::usecase::operator::people::PaymentView;
use crate::usecase::stripe_events::payments;

/// Where the page of a payment is.
pub(super) fn address(reference: &str) -> String {
    format!("/admin/payments/{}", segment(reference))
}

/// The same of the payment of a receipt.
pub(super) fn address_of(receipt: &Receipt) -> String {
    address(&receipt.reference)
}

/// An amount in its currency, as an invoice writes it.
pub(super) fn money(amount: i64, currency: &str, language: Language) -> Cell {
    Cell::text(language.amount_in(amount, currency))
}

/// A table for payments, with a column for whose they are.
pub(super) fn payment_table(empty: &str, has_users: bool, language: Language) -> Table {
    let mut columns = vec![language.admin_date(), language.admin_what()];
    if has_users {
        columns.push(language.admin_user());
    }
    columns.extend([
        language.admin_amount(),
        language.admin_refundable(),
        language.admin_units(),
        language.admin_units_left(),
    ]);
    let first = if has_users { 3 } else { 2 };
    Table::new(&columns, empty).with_numbers(&[first, first + 1, first + 2, first + 3])
}

pub(super) fn payment_rows(views: &[PaymentView], app: &App, has_users: bool, language: Language) -> Vec<Vec<Cell>> {
    let row = |view: &PaymentView| {
        let (record, payment) = (&view.record, &view.record.payment);
        let date = Cell::moment(payment.paid_at, language).linked(address(&payment.reference));
        let mut cells = vec![date, state(view, what(view, app, language), language)];
        if has_users {
            cells.push(Cell::text(&record.user_id).linked(people::address(&record.user_id)));
        }
        cells.extend([
            money(payment.amount, &payment.currency, language),
            refundable(view, language),
            Cell::text(language.number(payment.units_granted - payment.units_reversed)),
            Cell::text(language.number(view.units_left())),
        ]);
        cells
    };
    views.iter().map(row).collect()
}

/// What could still be refunded.
fn refundable(view: &PaymentView, language: Language) -> Cell {
    let currency = &view.record.payment.currency;
    view.refundable().map_or_else(|| Cell::maybe(None::<String>), |amount| money(amount, currency, language))
}

/// What was bought, and what is odd about it.
fn state(view: &PaymentView, what: String, language: Language) -> Cell {
    let record = &view.record;
    let cell = Cell::text(what);
    match (record.reversed_at, &record.doubt, view.dispute) {
        (Some(_), _, _) => cell.noted(Some(language.admin_reversed())),
        (None, Some(doubt), _) => cell.marked(Mark::Bad).noted(Some(doubt)),
        (None, None, Some(dispute)) => {
            let (mark, words) = match dispute {
                DisputeStanding::Open => (Mark::Waiting, language.admin_dispute_open()),
                DisputeStanding::Inquiry => (Mark::Waiting, language.admin_dispute_inquiry()),
                DisputeStanding::Lost => (Mark::Bad, language.admin_dispute_lost()),
            };
            cell.marked(mark).noted(Some(words))
        }
        (None, None, None) => cell.noted(record.payment.out_of_band.then(|| language.admin_out_of_band())),
    }
}

fn what(view: &PaymentView, app: &App, language: Language) -> String {
    let payment = &view.record.payment;
    match app.catalog.offer(&payment.offer) {
        Some(offer) => offer.title(&app.catalog.unit, language),
        None if payment.kind == OfferKind::Pack => app.catalog.unit.count(payment.units_granted, language),
        None => payment.offer.clone(),
    }
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
    let listed = PaymentList::of(query);
    let before = query_field(query, "before").map(|text| cursor(&text)).transpose()?;
    let after = before.as_ref().map_or("", |(_, reference)| reference);
    let found = match listed {
        PaymentList::All => paid::newest(app, before.as_ref().map(|(at, reference)| (*at, reference.as_str())), PAGE)?,
        PaymentList::Doubtful => paid::in_doubt(app, after, PAGE)?,
        PaymentList::Disputed => paid::disputed(app, after, PAGE)?,
    };
    let place = |last: &PaymentView| {
        let payment = &last.record.payment;
        format!("{} {}", rfc3339(payment.paid_at), payment.reference)
    };
    let filter = listed.word().map(|word| (word, ""));
    let older = older(&found, PAGE, place, "/admin/payments", filter, language);
    let (lead, empty) = match listed {
        PaymentList::All => (language.admin_payments_lead(), language.admin_payments_none()),
        PaymentList::Doubtful => (language.admin_doubtful_lead(), language.admin_doubtful_none()),
        PaymentList::Disputed => (language.admin_payments_disputed_lead(), language.admin_payments_disputed_none()),
    };
    let table = payment_table(empty, true, language).filled(payment_rows(&found, app, true, language));
    let others = [
        (PaymentList::All, "/admin/payments", language.admin_payments_all()),
        (PaymentList::Doubtful, "/admin/payments?doubtful", language.admin_doubtful()),
        (PaymentList::Disputed, "/admin/payments?disputed", language.admin_payments_disputed()),
    ];
    let others = others.into_iter().filter(|(other, _, _)| *other != listed);
    let others = others.map(|(_, path, label)| Link::to(path, label)).collect();
    let blocks = vec![Block::Table(table.with_more(older)), Block::Links(others)];
    Ok(page(app, operator, Section::Payments, language.admin_payments(), blocks)?.led(lead))
}

/// Which payments the page lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PaymentList {
    All,
    /// Those that Stripe does not confirm.
    Doubtful,
    /// Those with a dispute that is not closed.
    Disputed,
}

impl PaymentList {
    fn of(query: Option<&str>) -> PaymentList {
        let wanted = [PaymentList::Doubtful, PaymentList::Disputed];
        let is_wanted = |listed: &PaymentList| listed.word().is_some_and(|word| query_field(query, word).is_some());
        wanted.into_iter().find(is_wanted).unwrap_or(PaymentList::All)
    }

    /// The field of the query.
    fn word(self) -> Option<&'static str> {
        match self {
            PaymentList::All => None,
            PaymentList::Doubtful => Some("doubtful"),
            PaymentList::Disputed => Some("disputed"),
        }
    }
}

/// A time and a reference, as the link to the next page has them.
fn cursor(text: &str) -> Result<(Timestamp, String)> {
    let parts = text.split_once(' ').and_then(|(at, reference)| Some((parse_rfc3339(at)?, reference.to_owned())));
    parts.ok_or_else(|| Refused::InvalidRequest("before is no place in the list of payments.".into()).into())
}

pub(crate) async fn show_one(
    State(state): State<AppState>,
    operator: Operator,
    PathSegment(reference): PathSegment,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let page = move |app: &App| shown_one(app, &operator, &reference)?.after(query.as_deref()).answer();
    Ok(state.run(Pool::Db, page).await?)
}

fn shown_one(app: &App, operator: &Operator, reference: &str) -> Result<AdminPage> {
    let language = operator.language();
    let PaymentDetail { view, returns, events } = paid::show(app, reference)?;
    let (record, payment) = (&view.record, &view.record.payment);
    let amount = |amount| money(amount, &payment.currency, language);
    let number = |count| Cell::text(language.number(count));
    let code = |id: &Option<String>| id.as_ref().map_or_else(|| Cell::maybe(None::<String>), Cell::code);
    let facts = [
        (language.admin_user(), Cell::text(&record.user_id).linked(people::address(&record.user_id))),
        (language.admin_what(), state(&view, what(&view, app, language), language)),
        (language.admin_date(), Cell::moment(payment.paid_at, language)),
        (language.admin_amount(), amount(payment.amount)),
        (language.admin_cost(), amount(payment.cost)),
        (language.admin_refundable(), refundable(&view, language)),
        (language.admin_granted(), number(payment.units_granted)),
        (language.admin_taken_back(), number(payment.units_reversed)),
        (language.admin_units_left(), number(view.units_left())),
        (language.admin_means(), Cell::maybe(means_words(&record.means))),
        (language.admin_invoice(), code(&payment.invoice).noted(record.number.as_ref())),
        (language.admin_checkout(), code(&payment.session)),
        (language.admin_intent(), code(&payment.payment_intent)),
        (language.admin_charge(), code(&payment.charge)),
        (language.admin_confirmed(), Cell::moment_or_dash(record.confirmed_at, language)),
    ];
    let mut blocks = vec![Block::facts(facts)];
    blocks.push(returned(&returns, &payment.currency, language));
    let event = |id: &String| vec![Cell::code(id).linked(super::events::address(id))];
    let table = Table::new(&[language.admin_event()], language.admin_events_none()).headed(language.admin_events());
    blocks.push(Block::Table(table.filled(events.iter().map(event).collect())));
    if record.doubt.is_some() && record.reversed_at.is_none() {
        let form = ActionForm::new(format!("{}/reverse", address(reference)), language.admin_reverse());
        let form = form.headed(language.admin_reverse(), language.admin_reverse_lead()).with_reason(language);
        blocks.push(Block::Form(form.only_if_fresh(operator.is_fresh(app), language)));
    }
    page(app, operator, Section::Payments, reference, blocks)
}

fn returned(returns: &[ReturnRecord], currency: &str, language: Language) -> Block {
    let columns = [language.admin_id(), language.admin_what(), language.admin_amount(), language.admin_state()];
    let rows = returns.iter().map(|record| {
        let what = match record.kind.as_str() {
            "refund" => language.admin_refund(),
            "dispute" => language.admin_dispute(),
            _ => language.admin_credit_note(),
        };
        vec![
            Cell::code(&record.id),
            Cell::text(what),
            money(record.amount, currency, language),
            Cell::code(&record.state),
        ]
    });
    let table = Table::new(&columns, language.admin_returns_none()).with_numbers(&[2]).headed(language.admin_returns());
    Block::Table(table.filled(rows.collect()))
}

/// `POST /admin/payments/{reference}/reverse`: takes back all units of a payment that Stripe does not confirm.
pub(crate) async fn reverse(mut press: Press) -> HandlerResult {
    let form = press.fresh_form().await?;
    let Press { state, id: reference, .. } = press;
    let reason = form.text("reason", REASON_LIMIT)?;
    let back = address(&reference);
    state.run(Pool::Stripe, move |app| payments::reverse(app, &reference, &reason)).await?;
    Ok(done(&back)?)
}
