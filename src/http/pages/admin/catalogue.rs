//! `GET /admin/catalog`: what is on sale, what Stripe charges for it, and how many subscriptions run on it; the set-up at Stripe as a dry run.

use std::collections::BTreeMap;

use axum::extract::State;

use super::operator::{Operator, Press};
use super::view::{ActionForm, AdminPage, Block, Cell, Mark, Table};
use super::{Section, page};
use crate::app::App;
use crate::catalog::{Interval, Offer};
use crate::error::Result;
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::store::figures::{self, SubscriptionCount};
use crate::usecase::audit;
use crate::usecase::operator::kept_prices::{self, PriceDifference};
use crate::usecase::operator::stripe_setup::{self, Setup, SetupContext};

const PATH: &str = "/admin/catalog";
/// What subscriptions have as their plan whose price is not in the catalogue.
const UNKNOWN: &str = "-";

pub(crate) async fn show(State(state): State<AppState>, operator: Operator) -> HandlerResult {
    Ok(state.run(Pool::Db, move |app| shown(app, &operator, None)?.answer()).await?)
}

fn shown(app: &App, operator: &Operator, setup: Option<(Setup, Option<String>)>) -> Result<AdminPage> {
    let language = operator.language();
    let (_, different) = kept_prices::as_charged(app)?;
    let counts = app.store.read(|tx| figures::subscriptions(tx))?;
    let columns = [
        language.admin_key(),
        language.admin_offer(),
        language.admin_gives(),
        language.admin_price(),
        language.admin_charged(),
        language.admin_price_id(),
        language.admin_subscriptions(),
    ];
    let table = Table::new(&columns, "").with_numbers(&[3, 4, 6]);
    let rows = app.catalog.offers().map(|offer| {
        let mut cells = row(&offer, app, &different, language);
        cells.push(running(&offer, &counts, language));
        cells
    });
    let mut blocks = vec![Block::Table(table.filled(rows.collect()))];
    let unknown = counts.iter().filter(|count| count.offer == UNKNOWN && runs(count));
    let unknown = unknown.fold(0_i64, |sum, count| sum.saturating_add(count.count));
    if unknown > 0 {
        blocks.push(Block::Text(language.admin_at_unknown_prices(unknown)));
    }
    if let Some((setup, failure)) = setup {
        blocks.push(Block::Heading(language.admin_setup().to_owned()));
        let lines: Vec<String> = setup.steps.into_iter().chain(failure).collect();
        blocks.push(Block::Payload(language.admin_setup().to_owned(), lines.join("\n")));
    }
    if app.config.stripe.mode().is_some() {
        let form = ActionForm::new(PATH, language.admin_setup_button());
        let form = form.headed(language.admin_setup(), language.admin_setup_lead());
        blocks.push(Block::Form(form.with_reason(language)));
    }
    Ok(page(app, operator, Section::Catalogue, language.admin_catalog(), blocks)?.led(language.admin_catalog_lead()))
}

/// Whether a subscription of this status has not ended.
fn runs(count: &SubscriptionCount) -> bool {
    !["ended", "canceled", "incomplete_expired"].contains(&count.status.as_str())
}

/// How many subscriptions run on a plan, at whichever of its prices: whom a change of it would touch.
fn running(offer: &Offer<'_>, counts: &[SubscriptionCount], language: Language) -> Cell {
    let Offer::Plan(plan) = offer else { return Cell::maybe(None::<String>) };
    let mut by_status: BTreeMap<&str, i64> = BTreeMap::new();
    for count in counts.iter().filter(|count| count.offer == plan.key && runs(count)) {
        let sum = by_status.entry(&count.status).or_default();
        *sum = sum.saturating_add(count.count);
    }
    let all = by_status.values().fold(0_i64, |sum, count| sum.saturating_add(*count));
    let others: Vec<String> = by_status
        .iter()
        .filter(|(status, count)| **status != "active" && **count > 0)
        .map(|(status, count)| format!("{} {status}", language.number(*count)))
        .collect();
    Cell::text(language.number(all)).noted((!others.is_empty()).then(|| others.join(" · ")))
}

fn row(offer: &Offer<'_>, app: &App, different: &[PriceDifference], language: Language) -> Vec<Cell> {
    let currency = &app.catalog.currency;
    let found = different.iter().find(|found| found.key == offer.key());
    let every = match offer {
        Offer::Plan(plan) => Some(match plan.interval {
            Interval::Month => language.offers_a_month(),
            Interval::Year => language.offers_a_year(),
        }),
        Offer::Pack(_) => None,
    };
    let charged = match found {
        Some(found) => Cell::text(language.amount_in(found.charged, &found.currency)).marked(Mark::Bad),
        None if offer.price_id().is_some() => Cell::text(language.admin_the_same()),
        None => Cell::maybe(None::<String>),
    };
    let older: Vec<&str> = offer.price_ids().filter(|id| Some(*id) != offer.price_id()).collect();
    let older = (!older.is_empty()).then(|| language.admin_older_prices(older.join(", ")));
    let price_id = match offer.price_id() {
        Some(id) => Cell::code(id).noted(older),
        None if older.is_some() => Cell::maybe(None::<String>).noted(older),
        None if offer.amount() == 0 => Cell::maybe(None::<String>),
        None => Cell::text(language.offers_not_available()).marked(Mark::Waiting),
    };
    vec![
        Cell::code(offer.key()),
        Cell::text(offer.title(&app.catalog.unit, language))
            .noted(offer.is_retired().then(|| language.admin_retired())),
        Cell::text(app.catalog.unit.count(offer.units(), language)),
        Cell::text(language.amount_in(offer.amount(), currency)).noted(every),
        charged,
        price_id,
    ]
}

/// `POST /admin/catalog`: what the set-up at Stripe would do.
pub(crate) async fn set_up(mut press: Press) -> HandlerResult {
    press.form().await?;
    let Press { state, operator, .. } = press;
    let look = move |app: &App| {
        audit::record_look(app, "setup_viewed", "stripe")?;
        let mut context = SetupContext::new(&app.config, app.stripe()?, app.clock.now());
        context.dry_run = true;
        let mut setup = Setup::default();
        let failure = stripe_setup::set_up(&context, &mut setup).err().map(|error| error.to_string());
        shown(app, &operator, Some((setup, failure)))?.answer()
    };
    Ok(state.run(Pool::Stripe, look).await?)
}
