//! `till status`: the appliance in ten lines.

use clap::Args;
use serde_json::json;

use super::CommandResult;
use super::output::{facts, print, print_json};
use super::revenue::{self, subscriptions_as_text};
use super::settings::{DatabaseArgs, IfMissing};
use crate::app::App;
use crate::clock::rfc3339;
use crate::config::{Mode, Need};
use crate::money::plain_amount;
use crate::store::Engine;
use crate::usecase::operator::check::{self, Finding, Verdict};
use crate::usecase::operator::status::{self, ApplianceStatus};

/// Show the appliance in ten lines
///
/// Reads the database and this machine, and asks nobody: till check asks Stripe as well. The last line says what falls short
/// or is a warning of what till check finds without asking anybody. Exits with 1 if anything falls short, else with 0, also
/// with warnings.
#[derive(Args)]
#[command(after_help = "Example:\n  till status")]
pub(super) struct Status {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Print one object, with the field severity (ok, unknown, warning or failed) and all findings as till check --json has them
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn run(&self) -> CommandResult {
        let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
        let found = status::look(&app)?;
        let findings = check::local(&app);
        if self.json {
            print_json(&as_json(&app, &found, &findings))?;
        } else {
            print(&as_text(&app, &found, &findings))?;
        }
        super::check::exit(&findings)
    }
}

fn mode_word(mode: Option<Mode>) -> Option<&'static str> {
    mode.map(|mode| match mode {
        Mode::Live => "live",
        Mode::Test => "test",
    })
}

fn as_text(app: &App, found: &ApplianceStatus, findings: &[Finding]) -> String {
    let events: Vec<String> = found.events.iter().map(|(status, count)| format!("{count} {status}")).collect();
    let events = if events.is_empty() { "none yet".to_owned() } else { events.join(", ") };
    let newest = found.newest_event.as_ref().map(|(at, kind)| format!("; the latest at {}, {kind}", rfc3339(*at)));
    let stripe = match mode_word(found.mode) {
        Some(mode) => format!("{mode} mode, {}", app.config.stripe.api_base),
        None => "no key is set".to_owned(),
    };
    let users = match found.overview.users {
        1 => "1 user".to_owned(),
        users => format!("{users} users"),
    };
    let on_sale = app.catalog.for_sale().count();
    let without = match found.without_price.as_slice() {
        [] => String::new(),
        keys => format!("; without a Stripe price: {}", keys.join(", ")),
    };
    let compared = found.compared_to.map_or_else(|| "nothing yet".to_owned(), |at| format!("up to {}", rfc3339(at)));
    let doubt = match (found.in_doubt, found.compared_to) {
        (0, None) => String::new(),
        (0, Some(_)) => "; every payment up to then is confirmed".to_owned(),
        (count, _) => format!("; payments in doubt: {count} (till payment list)"),
    };
    let polled = found.polled_at.map(|at| format!("; Stripe told its events at {}", rfc3339(at))).unwrap_or_default();
    let mail = match (&app.config.mail, found.mails) {
        (None, (0, 0)) => "no mail server".to_owned(),
        (None, (waiting, failed)) => format!("no mail server, {waiting} letters waiting, {failed} given up"),
        (Some(_), (waiting, failed)) => format!("letters: {waiting} waiting, {failed} given up in a week"),
    };
    facts(&[
        ("version", env!("TILL_VERSION").to_owned()),
        ("serving", format!("{}; {}, on {}", served_by(found), app.config.base_url, app.config.listen)),
        ("database", database(app, found)),
        ("Stripe", stripe),
        ("shop", format!("{users}, {on_sale} plans and packs on sale{without}{}", month_as_text(found))),
        ("events", format!("{events}{}", newest.unwrap_or_default())),
        ("compared", format!("{compared}{doubt}{polled}")),
        ("messages", format!("{} to deliver, {} parked; {mail}", found.messages_open, found.messages_parked)),
        ("clock", found.clock_fault.clone().unwrap_or_else(|| "plausible".to_owned())),
        ("findings", findings_as_text(findings)),
    ])
}

fn database(app: &App, found: &ApplianceStatus) -> String {
    let (database, engine) = (app.store.database(), app.store.engine());
    let (size, log) = (found.database_bytes.div_ceil(1024), found.log_bytes.div_ceil(1024));
    let backup = match &found.backup {
        None => "no backup yet".to_owned(),
        Some(last) => format!("the last backup at {}, to {}", rfc3339(last.made_at), last.place),
    };
    match engine {
        Engine::Sqlite => format!("{database} ({}), {size} KiB and {log} KiB in its log; {backup}", engine.name()),
        Engine::Postgres => format!("{database} ({}), {size} KiB; pg_dump makes its backup", engine.name()),
    }
}

fn served_by(found: &ApplianceStatus) -> &str {
    found.served_by.as_deref().unwrap_or("nobody serves on this database")
}

/// What falls short, then what is a warning, by name.
fn findings_as_text(findings: &[Finding]) -> String {
    let named = |verdict: Verdict, words: &str| {
        let names: Vec<&str> =
            findings.iter().filter(|finding| finding.verdict == verdict).map(|finding| finding.what.as_str()).collect();
        (!names.is_empty()).then(|| format!("{words}: {}", names.join(", ")))
    };
    let said: Vec<String> =
        [named(Verdict::Bad, "FAIL"), named(Verdict::Warning, "warn")].into_iter().flatten().collect();
    if said.is_empty() {
        "nothing falls short".to_owned()
    } else {
        format!("{}; till check says more", said.join("; "))
    }
}

/// What was received this month, and who subscribes.
fn month_as_text(found: &ApplianceStatus) -> String {
    let money = found.overview.months.iter().filter(|month| !month.currency.is_empty());
    let money = money
        .map(|month| format!("; {} {} net this month", plain_amount(month.net(), &month.currency), month.currency));
    let subscriptions = match found.overview.subscriptions.as_slice() {
        [] => String::new(),
        _ => format!("; subscriptions: {}", subscriptions_as_text(&found.overview)),
    };
    money.chain([subscriptions]).collect()
}

fn as_json(app: &App, found: &ApplianceStatus, findings: &[Finding]) -> serde_json::Value {
    let events: serde_json::Map<String, serde_json::Value> =
        found.events.iter().map(|(status, count)| ((*status).to_owned(), (*count).into())).collect();
    json!({
        "version": env!("TILL_VERSION"),
        "served_by": found.served_by,
        "base_url": app.config.base_url.as_str(),
        "listen": app.config.listen.to_string(),
        "database": app.store.database().to_string(),
        "engine": app.store.engine().name(),
        "database_bytes": found.database_bytes,
        "log_bytes": found.log_bytes,
        "last_backup_at": found.backup.as_ref().map(|last| rfc3339(last.made_at)),
        "last_backup": found.backup.as_ref().map(|last| &last.place),
        "stripe_mode": mode_word(found.mode),
        "stripe_api": app.config.stripe.api_base,
        "without_price": found.without_price,
        "users": found.overview.users,
        "shop": revenue::as_json(&found.overview),
        "events": events,
        "latest_event_at": found.newest_event.as_ref().map(|(at, _)| rfc3339(*at)),
        "compared_to": found.compared_to.map(rfc3339),
        "polled_at": found.polled_at.map(rfc3339),
        "payments_in_doubt": found.in_doubt,
        "messages_to_deliver": found.messages_open,
        "messages_parked": found.messages_parked,
        "mails_waiting": found.mails.0,
        "mails_given_up": found.mails.1,
        "clock_fault": found.clock_fault,
        "severity": Verdict::worst(findings).severity(),
        "findings": super::check::as_json(app, findings)["data"],
    })
}
