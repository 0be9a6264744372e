//! `GET /admin`: what is to be done, and how the shop does: money by month, what subscribes, what is owed in units, what is
//! used. Every figure is kept by day; nothing is counted for the page.

use axum::extract::State;

use super::bookkeeping;
use super::chart::{AmountChart, Series};
use super::operator::Operator;
use super::reconciliation::badge;
use super::view::{AdminPage, Block, Cell, Figure as Shown, Mark, Table};
use super::{Section, page};
use crate::app::App;
use crate::clock::{day_start, month_of, month_start};
use crate::error::Result;
use crate::http::pages::see_other;
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::store::Figure;
use crate::usecase::operator::attention::{self, Attention};
use crate::usecase::operator::figures::{self, MonthFigures, Overview};
use crate::usecase::stripe_events::reconcile::record;

/// Months that are shown.
const MONTHS: u32 = 12;
/// Days of use that are shown.
const DAYS: usize = 30;

pub(crate) async fn show(State(state): State<AppState>, operator: Operator) -> HandlerResult {
    Ok(state.run(Pool::Db, move |app| shown(app, &operator)?.answer()).await?)
}

/// The address with a slash, as people type it.
pub(crate) async fn without_slash() -> HandlerResult {
    Ok(see_other("/admin")?)
}

fn shown(app: &App, operator: &Operator) -> Result<AdminPage> {
    let language = operator.language();
    let (last, since) = record::standing(app)?;
    let overview = figures::overview(app, MONTHS)?;
    let mut blocks = vec![waiting(&attention::look(app)?, language)];
    let mut now = vec![badge(last.as_ref(), since, language)];
    now.extend(standing(app, &overview, language));
    blocks.push(Block::Figures(now));
    blocks.extend(money(app, &overview, language));
    blocks.push(owed(&overview, language));
    blocks.extend(use_by_day(app, &overview, language));
    page(app, operator, Section::Overview, language.admin_overview(), blocks)
}

/// The running month, what comes again, who subscribes.
fn standing(app: &App, overview: &Overview, language: Language) -> Vec<Shown> {
    let month = month_of(app.clock.now());
    let mut shown: Vec<Shown> = vec![];
    for figures in overview.months.iter().filter(|figures| figures.month == month && !figures.currency.is_empty()) {
        let words = |amount| language.amount_in(amount, &figures.currency);
        let returned = figures.get(Figure::Refunded) + figures.get(Figure::Withheld) - figures.get(Figure::Reinstated);
        let received = figures.net().saturating_add(returned);
        let label = language.admin_net_of(month_words(&month, language));
        shown.push(
            Shown::new(&label, words(figures.net()))
                .noted(language.admin_received_less(words(received), words(returned))),
        );
    }
    for recurring in &overview.recurring {
        let words = language.amount_in(recurring.amount, &recurring.currency);
        shown.push(Shown::new(language.admin_recurring(), words).noted(language.admin_recurring_note().to_owned()));
    }
    let of_status = |wanted: &[&str]| {
        let counts = overview.subscriptions.iter().filter(|count| wanted.contains(&count.status.as_str()));
        counts.fold(0_i64, |sum, count| sum.saturating_add(count.count))
    };
    let number = |count| language.number(count);
    let (trying, late) = (of_status(&["trialing"]), of_status(&["past_due", "unpaid"]));
    let ended = of_status(&["canceled", "incomplete_expired"]);
    let subscribers = Shown::new(language.admin_subscribers(), number(of_status(&["active"])));
    let subscribers = subscribers.noted(language.admin_subscribers_note(number(trying), number(late), number(ended)));
    shown.push(if late > 0 { subscribers.marked(Mark::Waiting) } else { subscribers });
    shown.push(Shown::new(language.admin_users(), number(overview.users)).linked("/admin/users"));
    shown
}

/// `November 2026`.
fn month_words(month: &str, language: Language) -> String {
    month_start(month).map_or_else(|| month.to_owned(), |start| language.month(start))
}

/// What was received, a chart for each currency, and all of it as a table.
fn money(app: &App, overview: &Overview, language: Language) -> Vec<Block> {
    let mut currencies: Vec<&str> = overview.months.iter().map(|figures| figures.currency.as_str()).collect();
    currencies.sort_unstable();
    currencies.dedup();
    currencies.retain(|currency| !currency.is_empty());
    let mut blocks = vec![Block::Heading(language.admin_revenue().to_owned())];
    let months = last_months(app);
    for currency in currencies {
        let of = |month: &String, figure: Figure| {
            let found = overview.months.iter().find(|figures| figures.month == *month && figures.currency == currency);
            found.map_or(0, |figures| figures.get(figure))
        };
        let series = [(language.admin_from_plans(), Figure::Plans), (language.admin_from_packs(), Figure::Packs)];
        let series = series.map(|(label, figure)| Series {
            label: label.to_owned(),
            amounts: months.iter().map(|month| of(month, figure)).collect(),
        });
        let short =
            |month: &String| month_start(month).map_or_else(|| month.clone(), |start| language.short_month(start));
        let names: Vec<String> = months.iter().map(short).collect();
        let sum =
            series.iter().flat_map(|series| &series.amounts).fold(0_i64, |sum, amount| sum.saturating_add(*amount));
        let summary = language.admin_revenue_of(i64::from(MONTHS), language.amount_in(sum, currency));
        let write = |amount| language.amount_in(amount, currency);
        blocks.push(Block::Chart(AmountChart::of(summary, &names, &series, write)));
    }
    let columns = [
        language.admin_month(),
        language.admin_from_plans(),
        language.admin_from_packs(),
        language.admin_refunded(),
        language.admin_disputed(),
        language.admin_earned(),
        language.admin_forfeited(),
    ];
    let months = overview.months.iter().filter(|figures| !figures.currency.is_empty());
    let rows = months.map(|figures| month_row(figures, language)).collect();
    let table = Table::new(&columns, language.admin_revenue_none()).with_numbers(&[1, 2, 3, 4, 5, 6]);
    blocks.push(Block::Table(table.filled(rows)));
    blocks.push(Block::Text(language.admin_earned_lead().to_owned()));
    blocks.push(Block::Text(language.admin_export_lead().to_owned()));
    blocks
}

fn last_months(app: &App) -> Vec<String> {
    let now = app.clock.now();
    let months = (0..i64::from(MONTHS)).rev().filter_map(|ago| crate::clock::months_after(now, -ago));
    months.map(month_of).collect()
}

fn month_row(figures: &MonthFigures, language: Language) -> Vec<Cell> {
    let amount = |amount| Cell::text(language.amount_in(amount, &figures.currency));
    let out_of_band = figures.get(Figure::OutOfBand);
    let out_of_band =
        (out_of_band != 0).then(|| language.admin_out_of_band_sum(language.amount_in(out_of_band, &figures.currency)));
    vec![
        Cell::text(month_words(&figures.month, language))
            .linked(bookkeeping::address(&figures.month))
            .noted(Some(figures.currency.to_uppercase())),
        amount(figures.get(Figure::Plans)).noted(out_of_band),
        amount(figures.get(Figure::Packs)),
        amount(figures.get(Figure::Refunded)),
        amount(figures.get(Figure::Withheld).saturating_sub(figures.get(Figure::Reinstated))),
        amount(figures.get(Figure::Earned)),
        amount(figures.get(Figure::Forfeited)),
    ]
}

/// Units that can still be used, and what was paid for them.
fn owed(overview: &Overview, language: Language) -> Block {
    let columns = [language.admin_paid_with(), language.admin_units_left(), language.admin_owed_value()];
    let rows = overview.outstanding.iter().map(|outstanding| match outstanding.currency.as_str() {
        "" => vec![
            Cell::text(language.admin_not_paid_for()),
            Cell::text(language.number(outstanding.units)),
            Cell::maybe(None::<String>),
        ],
        currency => vec![
            Cell::text(currency.to_uppercase()),
            Cell::text(language.number(outstanding.units)),
            Cell::text(language.amount_in(outstanding.value, currency)),
        ],
    });
    let table = Table::new(&columns, language.admin_owed_none()).with_numbers(&[1, 2]).headed(language.admin_owed());
    Block::Table(table.filled(rows.collect()))
}

/// Units used on the last days, as a chart, and as a table of the days with any.
fn use_by_day(app: &App, overview: &Overview, language: Language) -> Vec<Block> {
    let days = overview.used.get(overview.used.len().saturating_sub(DAYS)..).unwrap_or_default();
    let name = |day: i64| language.day(day_start(day));
    let names: Vec<String> = days.iter().map(|(day, _)| name(*day)).collect();
    let amounts: Vec<i64> = days.iter().map(|(_, units)| *units).collect();
    let sum = amounts.iter().fold(0_i64, |sum, units| sum.saturating_add(*units));
    let unit = &app.catalog.unit;
    let count = i64::try_from(days.len()).unwrap_or_default();
    let summary = language.admin_used_in(count, unit.count(sum, language));
    let series = [Series { label: language.admin_used().to_owned(), amounts }];
    let chart = AmountChart::of(summary, &names, &series, |units| language.number(units));
    let rows = days.iter().rev().filter(|(_, units)| *units != 0);
    let rows = rows.map(|(day, units)| vec![Cell::text(name(*day)), Cell::text(language.number(*units))]).collect();
    let table =
        Table::new(&[language.admin_day(), language.admin_used()], language.admin_used_none()).with_numbers(&[1]);
    vec![Block::Heading(language.admin_use().to_owned()), Block::Chart(chart), Block::Table(table.filled(rows))]
}

/// What is to be done, each with a link to where.
fn waiting(found: &[Attention], language: Language) -> Block {
    if found.is_empty() {
        let figure = Shown::new(language.admin_to_do(), language.admin_nothing_to_do().to_owned());
        return Block::Figures(vec![figure.marked(Mark::Good)]);
    }
    let rows = found.iter().map(|attention| {
        let (words, href, mark) = in_words(attention, language);
        vec![Cell::text(words).linked(href).marked(mark)]
    });
    let table = Table::new(&[language.admin_to_do()], "").filled(rows.collect());
    Block::Table(table.headed(language.admin_to_do()))
}

fn in_words(attention: &Attention, language: Language) -> (String, &'static str, Mark) {
    match attention {
        Attention::Unmatched(count) => {
            (language.admin_todo_unmatched(*count), "/admin/events?status=unmatched", Mark::Bad)
        }
        Attention::FailedEvents(count) => {
            (language.admin_todo_failed(*count), "/admin/events?status=failed", Mark::Bad)
        }
        Attention::WaitingEvents(count) => {
            (language.admin_todo_waiting(*count), "/admin/events?status=waiting", Mark::Waiting)
        }
        Attention::Doubtful(count) => (language.admin_todo_doubtful(*count), "/admin/payments?doubtful", Mark::Bad),
        Attention::Disputes(count) => (language.admin_todo_disputes(*count), "/admin/payments?disputed", Mark::Waiting),
        Attention::Differs => (language.admin_todo_differs().to_owned(), "/admin/reconciliation", Mark::Bad),
        Attention::Parked(count) => (language.admin_todo_parked(*count), "/admin/messages?parked", Mark::Bad),
        Attention::FailedLetters(count) => (language.admin_todo_letters(*count), "/admin/messages", Mark::Waiting),
        Attention::EndingSecret(url) => (language.admin_todo_secret(url), "/admin/messages", Mark::Waiting),
        Attention::WithoutPrice(keys) => {
            (language.admin_todo_without_price(keys.join(", ")), "/admin/catalog", Mark::Bad)
        }
        Attention::OtherPrices(count) => (language.admin_todo_prices(*count), "/admin/catalog", Mark::Bad),
        Attention::NoBackup => (language.admin_todo_no_backup().to_owned(), "/admin/health", Mark::Bad),
        Attention::OldBackup(days) => (language.admin_todo_old_backup(*days), "/admin/health", Mark::Bad),
        Attention::Clock(fault) => (fault.clone(), "/admin/health", Mark::Bad),
        Attention::Configuration(warning) => (warning.clone(), "/admin/health", Mark::Waiting),
    }
}
