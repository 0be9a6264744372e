//! `GET /admin/messages`: where notifications are sent, what became of them, and letters that were given up.

use axum::extract::{RawQuery, State};

use super::operator::{Operator, Press};
use super::view::{ActionForm, AdminPage, Block, Cell, FormField, Mark, Table};
use super::{PAGE, Section, done, older, page, people, segment};
use crate::app::App;
use crate::error::{Refused, Result};
use crate::http::pages::query_field;
use crate::http::pages::shell::Link;
use crate::http::problem::HandlerResult;
use crate::http::request::PathSegment;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::store::outbox::{Delivery, DeliveryPlace};
use crate::store::webhook_endpoints::WebhookEndpoint;
use crate::usecase::mail::deliver;
use crate::usecase::notifications::endpoints;

const PATH: &str = "/admin/messages";
const LETTERS: i64 = 20;

fn address(hook: &str) -> String {
    format!("{PATH}/{}", segment(hook))
}

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
    let only_parked = query_field(query, "parked").is_some();
    let before = query_field(query, "before").map(|text| place(&text)).transpose()?;
    let found = endpoints::deliveries(app, only_parked, before.as_ref(), PAGE)?;
    let mut blocks = vec![];
    if before.is_none() && !only_parked {
        blocks.push(hooks(&endpoints::list(app)?, language));
    }
    let place = |last: &Delivery| {
        let DeliveryPlace { parked_at, message, account, endpoint } = last.place();
        format!("{parked_at} {message} {account} {endpoint}")
    };
    let older = older(&found, PAGE, place, PATH, only_parked.then_some(("parked", "")), language);
    blocks.push(Block::Table(deliveries(&found, only_parked, language).with_more(older)));
    let other = match only_parked {
        true => Link::to(PATH, language.admin_deliveries_all()),
        false => Link::to("/admin/messages?parked", language.admin_parked_only()),
    };
    blocks.push(Block::Links(vec![other]));
    if only_parked && !found.is_empty() {
        let message = FormField::text("message", language.admin_retry_which()).limited(100);
        let form = ActionForm::new(format!("{PATH}/retry"), language.admin_retry()).with(message);
        let form = form.headed(language.admin_retry(), language.admin_retry_lead()).with_reason(language);
        blocks.push(Block::Form(form));
    }
    if before.is_none() && !only_parked {
        blocks.push(letters(app, language)?);
    }
    Ok(page(app, operator, Section::Messages, language.admin_messages(), blocks)?.led(language.admin_messages_lead()))
}

/// A place in the list, as the link to the next page has it.
fn place(text: &str) -> Result<DeliveryPlace> {
    let mut parts = text.splitn(4, ' ');
    let mut place = || {
        let mut number = || parts.next()?.parse::<i64>().ok();
        let (parked_at, message, account) = (number()?, number()?, number()?);
        Some(DeliveryPlace { parked_at, message, account, endpoint: parts.next()?.to_owned() })
    };
    place().ok_or_else(|| Refused::InvalidRequest("before is no place in the list of deliveries.".into()).into())
}

fn hooks(found: &[WebhookEndpoint], language: Language) -> Block {
    let columns = [language.admin_endpoint(), language.admin_events(), language.admin_state(), language.admin_since()];
    let rows = found.iter().map(|hook| {
        vec![
            Cell::text(&hook.url).linked(address(&hook.id)).noted(Some(&hook.id)),
            Cell::code(&hook.kinds),
            state(hook, language),
            Cell::moment(hook.created_at, language),
        ]
    });
    let table = Table::new(&columns, language.admin_endpoints_none()).headed(language.admin_endpoints());
    Block::Table(table.filled(rows.collect()))
}

fn state(hook: &WebhookEndpoint, language: Language) -> Cell {
    match hook.disabled_at {
        None => Cell::text(language.admin_on()).marked(Mark::Good),
        Some(at) => Cell::text(language.admin_off()).marked(Mark::Waiting).noted(Some(language.time(at))),
    }
}

fn deliveries(found: &[Delivery], only_parked: bool, language: Language) -> Table {
    let columns = [
        language.admin_time(),
        language.admin_message(),
        language.admin_user(),
        language.admin_endpoint(),
        language.admin_state(),
        language.admin_tries(),
    ];
    let rows = found.iter().map(|delivery| {
        let mark = match delivery.status() {
            "delivered" => Mark::Good,
            "parked" => Mark::Bad,
            _ => Mark::Waiting,
        };
        let error = delivery.last_error.clone().or(delivery.last_status.map(|status| status.to_string()));
        vec![
            Cell::moment(delivery.created_at, language),
            Cell::code(&delivery.kind).noted(Some(&delivery.message)),
            Cell::text(&delivery.user_id).linked(people::address(&delivery.user_id)),
            Cell::code(&delivery.endpoint).linked(address(&delivery.endpoint)),
            Cell::code(delivery.status()).marked(mark).noted(error.filter(|_| delivery.delivered_at.is_none())),
            Cell::text(language.number(delivery.attempts)),
        ]
    });
    let (heading, empty) = match only_parked {
        true => (language.admin_parked_only(), language.admin_parked_none()),
        false => (language.admin_deliveries(), language.admin_deliveries_none()),
    };
    Table::new(&columns, empty).with_numbers(&[5]).headed(heading).filled(rows.collect())
}

fn letters(app: &App, language: Language) -> Result<Block> {
    let columns =
        [language.admin_time(), language.admin_letter_kind(), language.admin_address(), language.admin_detail()];
    let rows = deliver::failed(app, LETTERS)?.into_iter().map(|(to, sent)| {
        vec![
            Cell::moment(sent.failed_at.unwrap_or(sent.created_at), language),
            Cell::code(sent.kind),
            Cell::maybe(to),
            Cell::maybe(sent.last_error),
        ]
    });
    let table = Table::new(&columns, language.admin_letters_none()).headed(language.admin_letters_failed());
    Ok(Block::Table(table.filled(rows.collect())))
}

/// `GET /admin/messages/{id}`: one endpoint.
pub(crate) async fn show_one(
    State(state): State<AppState>,
    operator: Operator,
    PathSegment(id): PathSegment,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let page = state.run(Pool::Db, move |app| shown_one(app, &operator, &id)?.after(query.as_deref()).answer());
    Ok(page.await?)
}

fn shown_one(app: &App, operator: &Operator, id: &str) -> Result<AdminPage> {
    let language = operator.language();
    let hook = endpoints::show(app, id)?;
    let facts = [
        (language.admin_endpoint(), Cell::text(&hook.url)),
        (language.admin_id(), Cell::code(&hook.id)),
        (language.admin_events(), Cell::code(&hook.kinds)),
        (language.admin_state(), state(&hook, language)),
        (language.admin_since(), Cell::moment(hook.created_at, language)),
        (
            language.admin_two_secrets(),
            Cell::moment_or_dash(hook.older_secret.as_ref().map(|(_, until)| *until), language),
        ),
    ];
    let form = |action: &str, button: &str| ActionForm::new(format!("{}/{action}", address(id)), button);
    let is_fresh = operator.is_fresh(app);
    let switch = match hook.disabled_at {
        None => {
            form("disable", language.admin_turn_off()).headed(language.admin_turn_off(), language.admin_turn_off_lead())
        }
        Some(_) => {
            form("enable", language.admin_turn_on()).headed(language.admin_turn_on(), language.admin_turn_on_lead())
        }
    };
    let roll = form("roll", language.admin_roll()).headed(language.admin_roll(), language.admin_roll_lead());
    let test = form("test", language.admin_test()).headed(language.admin_test(), language.admin_test_lead());
    let blocks = vec![
        Block::facts(facts),
        Block::Form(test.with_reason(language)),
        Block::Form(switch.with_reason(language)),
        Block::Form(roll.with_reason(language).only_if_fresh(is_fresh, language)),
    ];
    page(app, operator, Section::Messages, language.admin_endpoint(), blocks)
}

/// `POST /admin/messages/{id}/test`: sends a test notification now, and shows the reply.
pub(crate) async fn test(mut press: Press) -> HandlerResult {
    press.form().await?;
    let Press { state, operator, id, .. } = press;
    let test = move |app: &App| {
        let language = operator.language();
        let reply = endpoints::test(app, &endpoints::sender(app), &id)?;
        let (mark, words) = match (reply.is_delivered(), reply.status) {
            (true, Some(status)) => (Mark::Good, language.admin_accepted(i64::from(status))),
            (_, Some(status)) => (Mark::Bad, language.admin_refused(i64::from(status), &reply.detail)),
            (_, None) => (Mark::Bad, reply.detail),
        };
        shown_one(app, &operator, &id)?.saying(mark, words).answer()
    };
    // It waits for another machine, as what asks Stripe does.
    Ok(state.run(Pool::Stripe, test).await?)
}

/// `POST /admin/messages/{id}/roll`: gives the endpoint another secret, and shows it once.
pub(crate) async fn roll(mut press: Press) -> HandlerResult {
    press.fresh_form().await?;
    let Press { state, operator, id, .. } = press;
    let roll = move |app: &App| {
        let language = operator.language();
        let secret = endpoints::roll(app, &id)?;
        let blocks = vec![
            Block::Payload(language.admin_new_secret().to_owned(), secret.reveal().to_owned()),
            Block::Text(language.admin_new_secret_lead().to_owned()),
            Block::Links(vec![Link::to(&address(&id), language.admin_to_endpoint())]),
        ];
        page(app, &operator, Section::Messages, language.admin_new_secret(), blocks)?.answer()
    };
    Ok(state.run(Pool::Db, roll).await?)
}

/// `POST /admin/messages/{id}/enable` and `/disable`.
pub(crate) async fn enable(mut press: Press) -> HandlerResult {
    press.form().await?;
    let Press { state, id, .. } = press;
    let back = address(&id);
    state.run(Pool::Db, move |app| endpoints::enable(app, &id)).await?;
    Ok(done(&back)?)
}

pub(crate) async fn disable(mut press: Press) -> HandlerResult {
    press.form().await?;
    let Press { state, id, .. } = press;
    let back = address(&id);
    state.run(Pool::Db, move |app| endpoints::disable(app, &id)).await?;
    Ok(done(&back)?)
}

/// `POST /admin/messages/retry`: sends one message again, or everything that was given up.
pub(crate) async fn retry(mut press: Press) -> HandlerResult {
    let message = press.form().await?.text("message", 100)?;
    let Press { state, .. } = press;
    let retry = move |app: &App| match message.is_empty() {
        true => endpoints::retry_parked(app),
        false => endpoints::retry(app, &message),
    };
    state.run(Pool::Db, retry).await?;
    Ok(done(PATH)?)
}
