//! `GET /admin/users/{id}`: all that the books know of one person, with what an operator can do about it.

use axum::extract::{RawQuery, State};

use super::operator::Operator;
use super::payments::{payment_rows, payment_table};
use super::people::{address, plan_words};
use super::view::{ActionForm, AdminPage, Block, Cell, Figure, FormField, Mark, Table};
use super::{PAGE, Section, number_in, older, page};
use crate::app::App;
use crate::error::Result;
use crate::http::pages::balance::LotView;
use crate::http::pages::dashboard::entries::sentence;
use crate::http::pages::shell::Link;
use crate::http::problem::HandlerResult;
use crate::http::request::PathSegment;
use crate::http::state::{AppState, Pool};
use crate::id;
use crate::language::Language;
use crate::store::directory::SentRecord;
use crate::store::sessions::Session;
use crate::store::subscriptions::Subscription;
use crate::usecase::operator::people::{self, PersonRecord, SignedEntry};
use crate::usecase::users;

pub(crate) async fn show(
    State(state): State<AppState>,
    operator: Operator,
    PathSegment(id): PathSegment,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let page = state.run(Pool::Db, move |app| shown(app, &operator, &id)?.after(query.as_deref()).answer());
    Ok(page.await?)
}

fn shown(app: &App, operator: &Operator, id: &str) -> Result<AdminPage> {
    let language = operator.language();
    let record = people::record(app, id)?;
    let mut blocks = vec![figures(app, &record, language), facts(app, &record, language)?];
    blocks.push(lots(app, &record, language));
    blocks.push(Block::Table(
        payment_table(language.admin_payments_none(), false, language)
            .headed(language.admin_payments())
            .filled(payment_rows(&record.payments, app, false, language)),
    ));
    blocks.push(subscriptions(app, &record.subscriptions, language));
    blocks.push(Block::Table(entries(&record.entries, app, language).headed(language.admin_ledger())));
    let ledger = format!("{}/ledger", address(id));
    blocks.push(Block::Links(vec![Link::to(&ledger, language.admin_whole_ledger())]));
    blocks.extend(holds(app, &record, language));
    blocks.push(sessions(&record.sessions, language));
    blocks.push(sent(&record, language));
    blocks.extend(actions(app, operator, id, &record, language)?);
    page(app, operator, Section::Users, &title(&record), blocks)
}

fn title(record: &PersonRecord) -> String {
    let user = &record.balance.member.user;
    user.name.clone().filter(|name| !name.trim().is_empty()).unwrap_or_else(|| user.id.clone())
}

fn figures(app: &App, record: &PersonRecord, language: Language) -> Block {
    let (member, unit) = (&record.balance.member, &app.catalog.unit);
    let balance = &member.balance;
    let available = Figure::new(language.admin_available(), unit.count(balance.available(), language));
    let available = if balance.remaining < 0 { available.marked(Mark::Bad) } else { available };
    Block::Figures(vec![
        available,
        Figure::new(language.admin_held(), unit.count(balance.held, language)),
        Figure::new(language.admin_credited(), unit.count(balance.total, language)),
        Figure::new(language.admin_plan(), plan_words(&member.plan, app, language)),
    ])
}

fn facts(app: &App, record: &PersonRecord, language: Language) -> Result<Block> {
    let user = &record.balance.member.user;
    let (low, is_own) = users::low_balance(app, user.account)?;
    let low = language.number(low);
    let mut ways: Vec<String> = record.identities.iter().map(|way| format!("{} {}", way.issuer, way.subject)).collect();
    if record.has_password {
        ways.push(language.admin_password().to_owned());
    }
    let joined = |texts: &[String]| Cell::maybe((!texts.is_empty()).then(|| texts.join(", ")));
    let tokens: Vec<String> = record.tokens.iter().map(|token| format!("{} ({})", token.name, token.id)).collect();
    let facts = [
        (language.admin_id(), Cell::code(&user.id)),
        (language.admin_account(), Cell::text(user.account.to_string())),
        (language.admin_address(), Cell::maybe(user.email.as_ref())),
        (
            language.admin_verified(),
            match &record.address {
                Some(address) => Cell::text(&address.written).noted(Some(language.time(address.verified_at))),
                None => Cell::maybe(None::<String>),
            },
        ),
        (language.admin_ways_in(), joined(&ways)),
        (language.admin_customers(), joined(&record.customers)),
        (language.admin_tokens(), joined(&tokens)),
        (
            language.admin_low_below(),
            Cell::text(low).noted(Some(if is_own { language.admin_own() } else { language.admin_default() })),
        ),
        (language.admin_since(), Cell::moment(user.created_at, language)),
        (
            language.admin_role(),
            Cell::text(if record.is_operator { language.admin_operator() } else { language.admin_buyer() }),
        ),
    ];
    Ok(Block::facts(facts))
}

fn lots(app: &App, record: &PersonRecord, language: Language) -> Block {
    let columns = [language.admin_lot(), language.admin_date(), language.admin_lot_facts()];
    let explained = record.balance.open.iter().chain(&record.balance.ended);
    let rows = explained.map(|lot| {
        let view = LotView::of(lot, &app.catalog, language);
        let facts: Vec<String> = view.facts.iter().map(|(label, said)| format!("{label}: {said}")).collect();
        let from = Cell::text(view.from).noted(view.note);
        let from = match &view.receipt {
            Some(_) => from.linked(lot.receipt.as_ref().map(super::payments::address_of).unwrap_or_default()),
            None => from,
        };
        vec![from, Cell::text(view.date), Cell::text(facts.join(" · "))]
    });
    let table = Table::new(&columns, language.admin_lots_none()).headed(language.admin_lots());
    Block::Table(table.filled(rows.collect()))
}

fn subscriptions(app: &App, found: &[Subscription], language: Language) -> Block {
    let columns = [
        language.admin_subscription(),
        language.admin_plan(),
        language.admin_state(),
        language.admin_period_end(),
        language.admin_ends(),
    ];
    let rows = found.iter().map(|subscription| {
        let mark = match subscription.status.as_str() {
            "active" | "trialing" => Mark::Good,
            "past_due" | "unpaid" => Mark::Bad,
            _ => Mark::Waiting,
        };
        let paused = subscription.pause.map(|_| language.subscription_payments_paused());
        vec![
            Cell::code(&subscription.id).noted(subscription.customer.as_ref()),
            Cell::text(plan_words(&subscription.offer, app, language)),
            Cell::code(&subscription.status).marked(mark).noted(paused),
            Cell::moment_or_dash(subscription.period_end, language),
            Cell::moment_or_dash(subscription.ended_at.or(subscription.ends_at), language),
        ]
    });
    let table = Table::new(&columns, language.admin_subscriptions_none()).headed(language.admin_subscriptions());
    Block::Table(table.filled(rows.collect()))
}

fn entries(found: &[SignedEntry], app: &App, language: Language) -> Table {
    let columns = [
        language.admin_time(),
        language.admin_action(),
        language.admin_change(),
        language.admin_balance(),
        language.admin_actor(),
    ];
    let rows = found.iter().map(|SignedEntry { entry, actor }| {
        let units = app.catalog.unit.count(entry.delta.saturating_abs(), language);
        vec![
            Cell::moment(entry.created_at, language),
            Cell::text(sentence(entry.kind.as_str(), entry.delta, units, language)).noted(Some(
                entry.note_text().map_or_else(|| entry.reason.clone(), |note| format!("{note} · {}", entry.reason)),
            )),
            Cell::text(format!("{:+}", entry.delta)),
            Cell::text(language.number(entry.balance_after)),
            Cell::maybe(actor.as_ref()),
        ]
    });
    Table::new(&columns, language.admin_ledger_none()).with_numbers(&[2, 3]).filled(rows.collect())
}

fn holds(app: &App, record: &PersonRecord, language: Language) -> Option<Block> {
    let columns = [language.admin_hold(), language.admin_units(), language.admin_ends()];
    let rows = record.holds.iter().map(|hold| {
        vec![
            Cell::text(hold.note.clone().unwrap_or_else(|| hold.number.to_string())),
            Cell::text(app.catalog.unit.count(hold.units, language)),
            Cell::moment(hold.expires_at, language),
        ]
    });
    let table = Table::new(&columns, "").headed(language.admin_holds()).filled(rows.collect());
    (!table.rows.is_empty()).then_some(Block::Table(table))
}

fn sessions(found: &[Session], language: Language) -> Block {
    let columns = [language.admin_session(), language.admin_since(), language.admin_last_use()];
    let rows = found.iter().map(|session| {
        vec![
            Cell::code(session.method.as_str()).noted(session.address.as_ref().or(session.agent.as_ref())),
            Cell::moment(session.created_at, language),
            Cell::moment(session.last_used_at, language),
        ]
    });
    let table = Table::new(&columns, language.admin_sessions_none()).headed(language.admin_sessions());
    Block::Table(table.filled(rows.collect()))
}

fn sent(record: &PersonRecord, language: Language) -> Block {
    let columns = [language.admin_time(), language.admin_message(), language.admin_state()];
    let row = |sent: &SentRecord, kind: &str| {
        let state = match (sent.sent_at, sent.failed_at) {
            (Some(_), _) => Cell::text(language.admin_delivered()).marked(Mark::Good),
            (None, Some(_)) => Cell::text(language.admin_given_up()).marked(Mark::Bad),
            (None, None) => Cell::text(language.admin_waits()).marked(Mark::Waiting),
        };
        vec![
            Cell::moment(sent.created_at, language),
            Cell::code(&sent.kind).noted(Some(kind)),
            state.noted(sent.last_error.as_ref().filter(|_| sent.sent_at.is_none())),
        ]
    };
    let mails = record.mails.iter().map(|mail| row(mail, language.admin_letter()));
    let notifications = record.notifications.iter().map(|sent| row(sent, language.admin_notification()));
    let rows = mails.chain(notifications).collect();
    let table = Table::new(&columns, language.admin_messages_none()).headed(language.admin_messages());
    Block::Table(table.filled(rows))
}

fn actions(
    app: &App,
    operator: &Operator,
    user: &str,
    record: &PersonRecord,
    language: Language,
) -> Result<Vec<Block>> {
    let (at, is_fresh) = (address(user), operator.is_fresh(app));
    let form = |action: &str, button: &str| ActionForm::new(format!("{at}/{action}"), button);
    let wants_fresh = |form: ActionForm| Block::Form(form.with_reason(language).only_if_fresh(is_fresh, language));
    let many = app.catalog.unit.many(language);
    let grant = form("grant", language.admin_grant_button())
        .headed(language.admin_grant(), language.admin_grant_lead())
        .with(FormField::line("units", language.admin_grant_units(many).as_str(), "number").required())
        .with(FormField::line("expires_at", language.admin_grant_expires(), "date"))
        // One press gives once, also if it is sent twice.
        .hiding("key", id::secret("")?);
    let link = form("sign-in", language.admin_sign_in_link())
        .headed(language.admin_sign_in_link(), language.admin_sign_in_lead());
    let customer = form("customer", language.admin_link_button())
        .headed(language.admin_link(), language.admin_link_lead())
        .with(FormField::text("customer", language.admin_customer()).required().limited(255))
        .with(FormField::tick("dry_run", language.admin_dry_run()));
    let erase = form("erase", language.admin_erase())
        .headed(language.admin_erase(), language.admin_erase_lead())
        .with(FormField::tick("sure", language.admin_sure()).required())
        .irreversible();
    let mut blocks = vec![Block::Heading(language.admin_actions().to_owned()), wants_fresh(grant), wants_fresh(link)];
    if !record.sessions.is_empty() {
        let end = form("sessions", language.admin_end_sessions());
        blocks.push(Block::Form(
            end.headed(language.admin_end_sessions(), language.admin_end_lead()).with_reason(language),
        ));
    }
    if app.config.stripe.mode().is_some() {
        blocks.push(wants_fresh(customer));
    }
    let data = form("data.json", language.admin_data()).headed(language.admin_data(), language.admin_data_lead());
    blocks.push(wants_fresh(data));
    blocks.push(wants_fresh(erase));
    Ok(blocks)
}

/// `GET /admin/users/{id}/ledger`: every entry, newest first.
pub(crate) async fn ledger(
    State(state): State<AppState>,
    operator: Operator,
    PathSegment(id): PathSegment,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    Ok(state.run(Pool::Db, move |app| shown_ledger(app, &operator, &id, query.as_deref())?.answer()).await?)
}

fn shown_ledger(app: &App, operator: &Operator, id: &str, query: Option<&str>) -> Result<AdminPage> {
    let language = operator.language();
    let user = users::show(app, id)?.user;
    let found = people::entries_of(app, user.account, number_in(query, "before")?.unwrap_or(i64::MAX), PAGE)?;
    let at = address(id);
    let older = older(&found, PAGE, |last| last.entry.seq.to_string(), &format!("{at}/ledger"), None, language);
    let blocks = vec![
        Block::Table(entries(&found, app, language).with_more(older)),
        Block::Links(vec![Link::to(&at, language.admin_to_user())]),
    ];
    Ok(page(app, operator, Section::Users, language.admin_ledger(), blocks)?.led(id))
}
