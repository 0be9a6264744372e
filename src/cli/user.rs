//! `till user`: the operator adds, lists and shows users, gives them units, and says which customers are theirs.

use clap::{Args, Subcommand};

use super::CommandResult;
use super::output::{detail_of, one_line, or_dash, print, print_json, table};
use super::person::{self, PersonCommand};
use super::settings::{DatabaseArgs, IfMissing};
use super::shapes::LinkShape;
use super::user_show::print_user;
use crate::app::App;
use crate::clock::{Timestamp, parse_rfc3339};
use crate::config::Need;
use crate::http::api::shapes::{EntryShape, ListShape, UserShape};
use crate::usecase::operator::users_file;
use crate::usecase::stripe_events::link::{self, LinkReport};
use crate::usecase::units::grant::{self, GrantRequest};
use crate::usecase::units::request::{IdempotencyKey, KEY_LIMIT};
use crate::usecase::users::{self, Listing, UserPatch, UserSnapshot, sign_in};

/// Add, list and show users; give them units; link their customers; set when a balance is low
#[derive(Args)]
pub(super) struct User {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Subcommand)]
enum UserCommand {
    /// Add a user, or change the e-mail address or name of one
    #[command(after_help = "Example:\n  till user add alice --email alice@example.org --name 'Alice Example'")]
    Add {
        /// Your own id for the user: 1 to 128 of A-Z a-z 0-9 . _ : @ - and not of dots alone
        #[arg(value_parser = user_id)]
        id: String,
        /// For people to read
        #[arg(long, value_parser = email)]
        email: Option<String>,
        /// For people to read
        #[arg(long, value_parser = name)]
        name: Option<String>,
    },
    /// List users with their units, in the order in which they were added
    #[command(after_help = "Example:\n  till user list --email alice@example.org --json")]
    List {
        /// Only those with this address; upper and lower case are the same
        #[arg(long)]
        email: Option<String>,
        /// At most so many, up to 1000
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
        /// Only those after the user with this id: the next page
        #[arg(long, value_name = "ID")]
        after: Option<String>,
        /// Print {"data":[…],"next":…}, users as in the API
        #[arg(long)]
        json: bool,
        /// Print all of them as CSV, in the columns that till import takes
        #[arg(long, conflicts_with_all = ["email", "limit", "after", "json"])]
        csv: bool,
    },
    /// Show everything about a user: units and where they are from, holds, subscriptions, payments, tokens, sessions, entries
    #[command(after_help = "Example:\n  till user show alice")]
    Show {
        /// The user's id
        id: String,
        /// Print the user as in the API, with everything else beside it
        #[arg(long)]
        json: bool,
    },
    /// Give units to a user, or take some back with a negative number
    ///
    /// Each key works once per user: the same command with the same key changes nothing more.
    #[command(after_help = "Examples:\n  till user grant alice 20 --note 'sorry for the outage'\n  \
        till user grant alice -5 --note 'counted twice on 2 May' --key correction-17")]
    Grant {
        /// The user's id
        id: String,
        /// How many; negative takes units back and may leave a debt
        #[arg(allow_negative_numbers = true, value_parser = units)]
        units: i64,
        /// Why, for people to read
        #[arg(long)]
        note: String,
        /// When what is left of them expires: RFC 3339, such as 2027-01-31T00:00:00Z
        #[arg(long, value_name = "TIME", value_parser = time)]
        expires_at: Option<Timestamp>,
        /// Makes the grant happen only once; random if left out
        #[arg(long, value_parser = key)]
        key: Option<IdempotencyKey>,
        /// Print the entry as in the API
        #[arg(long)]
        json: bool,
    },
    /// Print a link that signs a user in to the dashboard: once, within five minutes
    ///
    /// Opening it changes nothing: the page says whom it signs in and has a button. SPRITE_BASE_URL must be that of the
    /// service, because the link leads there.
    #[command(after_help = "Example:\n  till user sign-in alice")]
    SignIn {
        /// The user's id
        id: String,
        /// Where the button leads: a path of till, or a URL on one of SPRITE_RETURN_ORIGINS; the dashboard if left out
        #[arg(long, value_name = "URL")]
        return_to: Option<String>,
        /// Print {"url","expires_at"}
        #[arg(long)]
        json: bool,
    },
    #[command(flatten)]
    Person(PersonCommand),
    /// Make a customer of Stripe's a user's, with its subscriptions, and apply what waited for that
    ///
    /// Requires SPRITE_STRIPE_SECRET_KEY. Subscriptions are read at Stripe, and so are the payments of the last 30 days; what
    /// the inbox has is applied whatever its age. A customer that is another user's is refused.
    #[command(after_help = "Example:\n  till user link alice cus_Qabc… --dry-run")]
    Link {
        /// The user's id
        id: String,
        /// The customer's id at Stripe, cus_…
        customer: String,
        /// Print what would happen, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Print {"user_id","customer","dry_run","is_new","events":[{"id","type","status","detail"}]}
        #[arg(long)]
        json: bool,
    },
    /// Set below how many units a user's balance is low, which the log and outgoing webhooks report
    #[command(after_help = "Examples:\n  till user low-balance alice 25\n  till user low-balance alice default")]
    LowBalance {
        /// The user's id
        id: String,
        /// A whole number of units, or default for SPRITE_LOW_BALANCE or the catalogue's
        #[arg(value_name = "UNITS|default", value_parser = threshold)]
        units: Threshold,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Threshold {
    Own(i64),
    Default,
}

fn units(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "a whole number of units was expected, such as 50 or -50".to_owned())
}

impl User {
    pub(super) fn run(&self) -> CommandResult {
        match &self.command {
            UserCommand::Add { id, email, name } => {
                let app = self.database.open(Need::Nothing, IfMissing::Create)?;
                let (email, name) = (email.as_deref().map(Some), name.as_deref().map(Some));
                let patch = UserPatch { email, name, low_balance: None };
                let (member, is_new) = users::put(&app, id, patch)?;
                print(&format!("{} {}\n", if is_new { "added" } else { "known before, now" }, summary(&member)))
            }
            UserCommand::List { email, limit, after, json, csv } => {
                let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
                if *csv {
                    return Ok(users_file::write(&app, std::io::stdout().lock())?);
                }
                let listing = users::list(&app, email.as_deref(), after.as_deref(), *limit)?;
                if *json {
                    let data = listing.rows.into_iter().map(UserShape::of).collect();
                    return print_json(&ListShape { data, next: listing.next });
                }
                print(&list_as_text(&listing))
            }
            UserCommand::Show { id, json } => {
                let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
                let member = users::show(&app, id)?;
                let low = low_balance_as_text(&app, &member)?;
                print_user(&app, id, *json, &summary(&member), &low)
            }
            UserCommand::Grant { id, units, note, expires_at, key, json } => {
                let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
                let key = key.clone().map_or_else(|| IdempotencyKey::generate(app.clock.now()), Ok)?;
                let request = GrantRequest::new(*units, note.clone(), *expires_at, key.clone())?;
                let grant = grant::grant(&app, id, &request)?;
                if *json {
                    return print_json(&EntryShape::of(grant.entry, &grant.user.id));
                }
                let entry = &grant.entry;
                print(&format!(
                    "{} {:+} for {}, balance {} ({}, key {key})\n",
                    if grant.replayed { "done before:" } else { "granted" },
                    entry.delta,
                    grant.user.id,
                    entry.balance_after,
                    entry.id(),
                ))
            }
            UserCommand::SignIn { id, return_to, json } => {
                let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
                person::print_sign_in_link(id, &sign_in::make_link(&app, id, return_to.as_deref())?, *json)
            }
            UserCommand::Person(command) => command.run(&self.database),
            UserCommand::Link { id, customer, dry_run, json } => {
                let app = self.database.open(Need::StripeKey, IfMissing::Refuse)?;
                let report = link::link(&app, id, customer, *dry_run)?;
                if *json {
                    return print_json(&LinkShape::of(&report, *dry_run));
                }
                print(&link_as_text(&report, *dry_run))
            }
            UserCommand::LowBalance { id, units } => {
                let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
                match units {
                    Threshold::Own(units) => users::set_low_balance(&app, id, Some(*units))?,
                    Threshold::Default => users::set_low_balance(&app, id, None)?,
                }
                let member = users::show(&app, id)?;
                print(&format!("{}: {}\n", one_line(id), low_balance_as_text(&app, &member)?))
            }
        }
    }
}

fn link_as_text(report: &LinkReport, dry_run: bool) -> String {
    let LinkReport { user_id, customer, is_new, events } = report;
    let mut text = match (dry_run, is_new) {
        (true, true) => format!("{customer} would become a customer of {user_id}\n"),
        (false, true) => format!("{customer} is a customer of {user_id} now\n"),
        (_, false) => format!("{customer} is a customer of {user_id} already\n"),
    };
    for event in events {
        let (status, detail) = (event.outcome.status.as_str(), one_line(&event.outcome.detail));
        text.push_str(&format!("  {} {}: {status} ({detail})\n", event.id, event.kind));
    }
    text
}

fn low_balance_as_text(app: &App, member: &UserSnapshot) -> CommandResult<String> {
    let (units, is_own) = users::low_balance(app, member.user.account)?;
    let whose = if is_own { "set for this user" } else { "the default" };
    Ok(format!("low below {units} {} ({whose})", app.catalog.unit.plural))
}

/// The user's id, name and address.
fn summary(member: &UserSnapshot) -> String {
    let user = &member.user;
    let also = |text: &Option<String>| text.as_ref().map(|text| format!(", {}", one_line(text))).unwrap_or_default();
    format!("{}{}{}", user.id, also(&user.name), also(&user.email))
}

fn list_as_text(listing: &Listing<UserSnapshot>) -> String {
    let row = |member: &UserSnapshot| {
        [
            member.user.id.clone(),
            member.plan.clone(),
            member.balance.available().to_string(),
            member.balance.total.to_string(),
            or_dash(member.user.email.as_ref()),
            or_dash(member.user.name.as_ref()),
        ]
    };
    let rows: Vec<_> = listing.rows.iter().map(row).collect();
    let mut text = table(["USER", "PLAN", "AVAILABLE", "TOTAL", "EMAIL", "NAME"], &rows);
    if let Some(next) = &listing.next {
        text.push_str(&format!("There are more: till user list --after {next}\n"));
    }
    text
}

fn user_id(text: &str) -> Result<String, String> {
    users::user_id(text).map(|id| id.as_str().to_owned()).map_err(|error| detail_of(&error))
}

fn email(text: &str) -> Result<String, String> {
    let patch = UserPatch { email: Some(Some(text)), ..UserPatch::default() };
    patch.check().map(|()| text.to_owned()).map_err(|error| detail_of(&error))
}

fn name(text: &str) -> Result<String, String> {
    let patch = UserPatch { name: Some(Some(text)), ..UserPatch::default() };
    patch.check().map(|()| text.to_owned()).map_err(|error| detail_of(&error))
}

pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    parse_rfc3339(text).ok_or_else(|| "a time in RFC 3339 was expected, such as 2027-01-31T00:00:00Z".to_owned())
}

fn threshold(text: &str) -> Result<Threshold, String> {
    let expected = || "a whole number of units or the word default was expected".to_owned();
    if text == "default" {
        return Ok(Threshold::Default);
    }
    text.parse().map(Threshold::Own).map_err(|_| expected())
}

fn key(text: &str) -> Result<IdempotencyKey, String> {
    IdempotencyKey::parse(text).map_err(|_| format!("1 to {KEY_LIMIT} printable ASCII characters were expected"))
}
