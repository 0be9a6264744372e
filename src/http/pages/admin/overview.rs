//! `GET /admin`: what waits for a hand, and how the shop does.

use axum::extract::State;

use super::operator::Operator;
use super::reconciliation::badge;
use super::view::{AdminPage, Block, Cell, Figure, Mark, Table};
use super::{Section, page};
use crate::app::App;
use crate::error::Result;
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::usecase::operator::attention::{self, Attention};
use crate::usecase::stripe_events::reconcile::record;

pub(crate) async fn show(State(state): State<AppState>, operator: Operator) -> HandlerResult {
    Ok(state.run(Pool::Db, move |app| shown(app, &operator)?.answer()).await?)
}

fn shown(app: &App, operator: &Operator) -> Result<AdminPage> {
    let language = operator.language();
    let (last, since) = record::standing(app)?;
    let blocks =
        vec![waiting(&attention::look(app)?, language), Block::Figures(vec![badge(last.as_ref(), since, language)])];
    page(app, operator, Section::Overview, language.admin_overview(), blocks)
}

/// What waits for a hand, each with a link to where it is done.
fn waiting(found: &[Attention], language: Language) -> Block {
    if found.is_empty() {
        let figure = Figure::new(language.admin_to_do(), language.admin_nothing_to_do().to_owned());
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
        Attention::Differs => (language.admin_todo_differs().to_owned(), "/admin/reconciliation", Mark::Bad),
        Attention::Parked(count) => (language.admin_todo_parked(*count), "/admin/messages?parked", Mark::Bad),
        Attention::FailedLetters(count) => (language.admin_todo_letters(*count), "/admin/messages", Mark::Waiting),
        Attention::EndingSecret(url) => (language.admin_todo_secret(url), "/admin/messages", Mark::Waiting),
        Attention::WithoutPrice(keys) => {
            (language.admin_todo_without_price(keys.join(", ")), "/admin/catalog", Mark::Bad)
        }
        Attention::OtherPrices(count) => (language.admin_todo_prices(*count), "/admin/catalog", Mark::Bad),
        Attention::Clock(fault) => (fault.clone(), "/admin/health", Mark::Bad),
        Attention::Configuration(warning) => (warning.clone(), "/admin/health", Mark::Waiting),
    }
}
