//! `GET /admin/reconciliation`: whether the books agree with Stripe, and the last comparisons; one is asked for here.

use axum::extract::{RawQuery, State};

use super::operator::{Operator, Press};
use super::payments::address;
use super::view::{ActionForm, AdminPage, Block, Cell, Figure, Mark, Notice, Table};
use super::{Section, done, events, number_in, older, page, people};
use crate::app::App;
use crate::error::{Refused, Result};
use crate::http::problem::HandlerResult;
use crate::http::request::PathSegment;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::store::comparisons::Comparison;
use crate::store::open_events::OpenEvents;
use crate::usecase::stripe_events::inbox;
use crate::usecase::stripe_events::reconcile::record::{self, KeptReport};

const ROWS: i64 = 20;
const PATH: &str = "/admin/reconciliation";

pub(crate) async fn show(
    State(state): State<AppState>,
    operator: Operator,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let page = move |app: &App| shown(app, &operator, query.as_deref())?.after(query.as_deref()).answer();
    Ok(state.run(Pool::Db, page).await?)
}

fn shown(app: &App, operator: &Operator, query: Option<&str>) -> Result<AdminPage> {
    let language = operator.language();
    let before = number_in(query, "before")?;
    let found = record::list(app, before.unwrap_or(i64::MAX), ROWS)?;
    let (last, since) = record::standing(app)?;
    let mut blocks = vec![];
    let newest = found.first().filter(|_| before.is_none());
    let under_way = newest.filter(|comparison| comparison.ended_at.is_none());
    if before.is_none() {
        blocks.push(Block::Figures(vec![badge(last.as_ref(), since, language)]));
        match under_way {
            Some(comparison) => blocks.push(Block::Progress(progress_words(comparison, language))),
            None if app.config.stripe.mode().is_some() => {
                let form = ActionForm::new(PATH, language.admin_compare()).main();
                blocks.push(Block::Form(
                    form.headed(language.admin_compare(), language.admin_compare_lead()).with_reason(language),
                ));
            }
            None => {}
        }
        blocks.extend(last.as_ref().into_iter().flat_map(|last| details(last, language)));
        blocks.push(Block::Table(open_cases(&inbox::open_by_customer(app)?, language)));
    }
    let older = older(&found, ROWS, |last| last.number.to_string(), PATH, None, language);
    let columns = [
        language.admin_began(),
        language.admin_actor(),
        language.admin_state(),
        language.admin_compared(),
        language.admin_applied(),
        language.admin_open_cases(),
    ];
    let table = Table::new(&columns, language.admin_comparisons_none()).with_numbers(&[3, 4, 5]);
    let rows = found.iter().map(|comparison| row(comparison, language)).collect();
    blocks.push(Block::Table(table.headed(language.admin_comparisons()).filled(rows).with_more(older)));
    Ok(page(app, operator, Section::Reconciliation, language.admin_reconciliation(), blocks)?
        .led(language.admin_reconciliation_lead()))
}

/// `In sync with Stripe since …`, or what was found last.
pub(super) fn badge(last: Option<&Comparison>, since: Option<crate::clock::Timestamp>, language: Language) -> Figure {
    let label = language.admin_reconciliation();
    let figure = match (last, since) {
        (None, _) => Figure::new(label, language.admin_never_compared().to_owned()).marked(Mark::Waiting),
        (Some(_), Some(since)) => Figure::new(label, language.admin_in_sync().to_owned())
            .noted(language.admin_in_sync_since(language.time(since)))
            .marked(Mark::Good),
        (Some(last), None) => {
            let at = last.ended_at.or(last.started_at).unwrap_or(last.asked_at);
            Figure::new(label, language.admin_apart().to_owned()).noted(language.time(at)).marked(Mark::Bad)
        }
    };
    figure.linked(PATH)
}

/// What of Stripe's events could not be applied, by customer.
fn open_cases(open: &[OpenEvents], language: Language) -> Table {
    let columns = [
        language.admin_customer(),
        language.admin_user(),
        language.admin_state(),
        language.admin_open_cases(),
        language.admin_since(),
        language.admin_event(),
    ];
    let row = |events: &OpenEvents| {
        let user = match &events.user_id {
            Some(user) => Cell::text(user).linked(people::address(user)),
            None => Cell::maybe(None::<&String>),
        };
        vec![
            Cell::maybe(events.customer.as_ref()),
            user,
            Cell::code(events.status.as_str()).marked(Mark::Bad),
            Cell::text(language.number(events.count)),
            Cell::moment(events.since, language),
            Cell::code(&events.id).linked(events::address(&events.id)),
        ]
    };
    let table = Table::new(&columns, language.admin_open_cases_none()).with_numbers(&[3]);
    table.headed(language.admin_open_by_customer()).filled(open.iter().map(row).collect())
}

fn progress_words(comparison: &Comparison, language: Language) -> String {
    let progress = &comparison.progress;
    match (&progress.part, progress.percent) {
        (Some(part), Some(percent)) => {
            language.admin_comparing_percent(part, language.number(progress.rows), language.number(percent))
        }
        (Some(part), None) => language.admin_comparing(part, language.number(progress.rows)),
        (None, _) => language.admin_comparison_waits().to_owned(),
    }
}

fn row(comparison: &Comparison, language: Language) -> Vec<Cell> {
    let report = KeptReport::read(comparison);
    let number =
        |count: Option<u64>| Cell::maybe(count.map(|count| language.number(i64::try_from(count).unwrap_or(i64::MAX))));
    let open = report.as_ref().map(|report| {
        [report.unmatched, report.waiting, report.failed, report.unreadable, report.unconfirmed].into_iter().sum()
    });
    let state = match (comparison.ended_at, &comparison.failure, comparison.agrees) {
        (None, ..) if comparison.started_at.is_none() => Cell::text(language.admin_waits()).marked(Mark::Waiting),
        (None, ..) => Cell::text(language.admin_under_way())
            .marked(Mark::Waiting)
            .noted(Some(progress_words(comparison, language))),
        (Some(_), Some(failure), _) => Cell::text(language.admin_failed()).marked(Mark::Bad).noted(Some(failure)),
        (Some(_), None, true) => Cell::text(language.admin_agrees()).marked(Mark::Good),
        (Some(_), None, false) => Cell::text(language.admin_differs()).marked(Mark::Bad),
    };
    vec![
        Cell::moment(comparison.started_at.unwrap_or(comparison.asked_at), language)
            .linked(format!("{PATH}/{}", comparison.number)),
        Cell::code(&comparison.actor),
        state,
        number(report.as_ref().map(|report| report.found)),
        number(report.as_ref().map(|report| report.applied)),
        number(open),
    ]
}

/// What a comparison found: amounts by month and currency, and what is open by user.
fn details(comparison: &Comparison, language: Language) -> Vec<Block> {
    let Some(report) = KeptReport::read(comparison) else { return vec![] };
    let columns = [
        language.admin_month(),
        language.admin_currency(),
        language.admin_at_stripe(),
        language.admin_in_books(),
        language.admin_difference(),
    ];
    let rows = report.amounts.iter().map(|amounts| {
        let difference = amounts.stripe.saturating_sub(amounts.books);
        let words = |amount| language.amount_in(amount, &amounts.currency);
        let cell = Cell::text(words(difference));
        vec![
            Cell::text(&amounts.month),
            Cell::text(amounts.currency.to_uppercase()),
            Cell::text(words(amounts.stripe)),
            Cell::text(words(amounts.books)),
            if difference == 0 { cell } else { cell.marked(Mark::Bad) },
        ]
    });
    let table = Table::new(&columns, language.admin_amounts_none()).with_numbers(&[2, 3, 4]);
    let mut blocks = vec![Block::Table(table.headed(language.admin_amounts()).filled(rows.collect()))];
    let bad = |words: &String| Block::Notice(Notice { mark: Mark::Bad, words: words.clone() });
    blocks.extend(report.not_compared.iter().chain(&report.unreadable_rows).map(bad));
    if !report.unconfirmed_payments.is_empty() {
        let columns =
            [language.admin_payment(), language.admin_user(), language.admin_amount(), language.admin_detail()];
        let rows = report.unconfirmed_payments.iter().map(|doubt| {
            vec![
                Cell::code(&doubt.reference).linked(address(&doubt.reference)),
                Cell::text(&doubt.user_id).linked(people::address(&doubt.user_id)),
                Cell::text(language.amount_in(doubt.amount, &doubt.currency)),
                Cell::text(&doubt.detail),
            ]
        });
        let table = Table::new(&columns, "").with_numbers(&[2]).headed(language.admin_doubtful());
        blocks.push(Block::Table(table.filled(rows.collect())));
    }
    blocks
}

/// `GET /admin/reconciliation/{number}`: one comparison.
pub(crate) async fn show_one(
    State(state): State<AppState>,
    operator: Operator,
    PathSegment(number): PathSegment,
) -> HandlerResult {
    let number = number.parse().map_err(|_| Refused::NotFound(format!("There is no comparison {number:?}.")))?;
    let shown = move |app: &App| {
        let language = operator.language();
        let comparison = record::show(app, number)?;
        let report = KeptReport::read(&comparison).unwrap_or_default();
        let count = |count: u64| Cell::text(language.number(i64::try_from(count).unwrap_or(i64::MAX)));
        let facts = [
            (language.admin_began(), Cell::moment(comparison.started_at.unwrap_or(comparison.asked_at), language)),
            (language.admin_ended(), Cell::moment_or_dash(comparison.ended_at, language)),
            (language.admin_actor(), Cell::code(&comparison.actor)),
            (language.admin_compared(), count(report.found)),
            (language.admin_applied(), count(report.applied)),
            (language.admin_unmatched(), count(report.unmatched)),
            (language.admin_waits(), count(report.waiting)),
            (language.admin_failed(), count(report.failed)),
            (language.admin_unreadable(), count(report.unreadable)),
            (language.admin_doubtful(), count(report.unconfirmed)),
            (language.admin_foreign(), count(report.foreign)),
            (language.admin_failure(), Cell::maybe(comparison.failure.as_ref())),
        ];
        let mut blocks = vec![Block::facts(facts)];
        blocks.extend(details(&comparison, language));
        page(app, &operator, Section::Reconciliation, language.admin_comparison(), blocks)?.answer()
    };
    Ok(state.run(Pool::Db, shown).await?)
}

/// `POST /admin/reconciliation`: asks for a comparison now.
pub(crate) async fn ask(mut press: Press) -> HandlerResult {
    press.form().await?;
    let Press { state, .. } = press;
    state.run(Pool::Db, record::ask).await?;
    Ok(done(PATH)?)
}
