//! `till user`: people, as the operator sees them.

use clap::{Args, Subcommand};

use super::output::{one_line, or_dash, print, print_json, table};
use super::settings::{Books, IfMissing};
use super::{Done, Failure};
use crate::app::App;
use crate::clock::{Timestamp, parse_rfc3339, rfc3339};
use crate::config::Need;
use crate::http::api::shapes::{EntryShape, ListShape, UserShape};
use crate::id;
use crate::usecase::units::grant::{self, Grant};
use crate::usecase::users::{self, UserSnapshot};

/// Entries that `user show` lists.
const RECENT: i64 = 10;
/// The most characters of a key, as of the API's `Idempotency-Key`.
const KEY_LIMIT: usize = 255;

/// Add, list and show users; give them units, set when their balance is low
#[derive(Args)]
pub(super) struct User {
    #[command(flatten)]
    books: Books,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Add a user, or change the e-mail address or name of one
    #[command(after_help = "Example:\n  till user add alice --email alice@example.org --name 'Alice Example'")]
    Add {
        /// Your own id for the user: 1 to 128 of A-Z a-z 0-9 . _ : @ -
        id: String,
        /// For people to read
        #[arg(long)]
        email: Option<String>,
        /// For people to read
        #[arg(long)]
        name: Option<String>,
    },
    /// List users with what they have, in the order in which they became known
    #[command(after_help = "Example:\n  till user list --email alice@example.org --json")]
    List {
        /// Only those with this address, upper and lower case alike
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
    },
    /// Show a user, what they have, and their last entries
    #[command(after_help = "Example:\n  till user show alice")]
    Show {
        /// The user's id
        id: String,
        /// Print the user as in the API
        #[arg(long)]
        json: bool,
    },
    /// Give units to a user, or take some with a negative number
    ///
    /// Each key works once for each user: the same command with the same key changes nothing more.
    #[command(after_help = "Examples:\n  till user grant alice 20 --note 'sorry for the outage'\n  \
        till user grant alice -5 --note 'counted twice on 2 May' --key correction-17")]
    Grant {
        /// The user's id
        id: String,
        /// How many; negative takes units back and may leave a debt
        #[arg(allow_negative_numbers = true)]
        units: i64,
        /// Why, for people to read
        #[arg(long)]
        note: String,
        /// When what is left of them expires: RFC 3339, such as 2027-01-31T00:00:00Z
        #[arg(long, value_name = "TIME", value_parser = time)]
        expires_at: Option<Timestamp>,
        /// What makes it happen once; a random one when left out
        #[arg(long, value_parser = key)]
        key: Option<String>,
        /// Print the entry as in the API
        #[arg(long)]
        json: bool,
    },
    /// Set below how many units a user's balance is low: the log and outgoing webhooks tell of it
    #[command(after_help = "Examples:\n  till user low-balance alice 25\n  till user low-balance alice default")]
    LowBalance {
        /// The user's id
        id: String,
        /// A whole number of units, or default for SPRITE_LOW_BALANCE or the catalogue's
        #[arg(value_name = "UNITS|default", value_parser = threshold)]
        units: Threshold,
    },
}

/// A threshold as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Threshold {
    Own(i64),
    Default,
}

impl User {
    pub(super) fn run(&self) -> Done {
        match &self.verb {
            Verb::Add { id, email, name } => {
                let app = self.books.open(Need::Nothing, IfMissing::Make)?;
                let (member, is_new) = users::put(&app, id, email.as_deref(), name.as_deref())?;
                print(&format!("{} {}\n", if is_new { "added" } else { "known before, now" }, in_words(&member)))
            }
            Verb::List { email, limit, after, json } => {
                let app = self.books.open(Need::Nothing, IfMissing::Refuse)?;
                let (found, next) = users::list(&app, email.as_deref(), after.as_deref(), *limit)?;
                if *json {
                    let data = found.into_iter().map(UserShape::of).collect();
                    return print_json(&ListShape { data, next });
                }
                print(&list_as_text(&found, next.as_deref()))
            }
            Verb::Show { id, json } => {
                let app = self.books.open(Need::Nothing, IfMissing::Refuse)?;
                let member = users::show(&app, id)?;
                if *json {
                    return print_json(&UserShape::of(member));
                }
                print(&shown_as_text(&app, &member)?)
            }
            Verb::Grant { id, units, note, expires_at, key, json } => {
                let app = self.books.open(Need::Nothing, IfMissing::Refuse)?;
                let key = key.clone().map_or_else(|| id::ordered_id("cli", app.clock.now()), Ok)?;
                let wanted = Grant { units: *units, note: note.clone(), expires_at: *expires_at, key };
                let receipt = grant::grant(&app, id, &wanted)?;
                if *json {
                    return print_json(&EntryShape::of(receipt.entry, &receipt.user.id));
                }
                let (entry, key) = (&receipt.entry, &wanted.key);
                print(&format!(
                    "{} {:+} for {}, balance {} ({}, key {key})\n",
                    if receipt.replayed { "done before:" } else { "granted" },
                    entry.delta,
                    receipt.user.id,
                    entry.balance_after,
                    entry.id(),
                ))
            }
            Verb::LowBalance { id, units } => {
                let app = self.books.open(Need::Nothing, IfMissing::Refuse)?;
                match units {
                    Threshold::Own(units) => users::set_low_balance(&app, id, Some(*units))?,
                    Threshold::Default => users::set_low_balance(&app, id, None)?,
                }
                let member = users::show(&app, id)?;
                print(&format!("{}: {}\n", one_line(id), low_in_words(&app, &member)?))
            }
        }
    }
}

fn low_in_words(app: &App, member: &UserSnapshot) -> Result<String, Failure> {
    let (units, is_own) = users::low_balance(app, member.user.account)?;
    let whose = if is_own { "set for this user" } else { "the default" };
    Ok(format!("low below {units} {} ({whose})", app.catalog.unit.plural))
}

fn in_words(member: &UserSnapshot) -> String {
    let user = &member.user;
    let also = |text: &Option<String>| text.as_ref().map(|text| format!(", {}", one_line(text))).unwrap_or_default();
    format!("{}{}{}", user.id, also(&user.name), also(&user.email))
}

fn list_as_text(found: &[UserSnapshot], next: Option<&str>) -> String {
    let rows: Vec<_> = found
        .iter()
        .map(|member| {
            let (user, balance) = (&member.user, &member.balance);
            let (email, name) = (or_dash(user.email.as_ref()), or_dash(user.name.as_ref()));
            let available = balance.available().to_string();
            [user.id.clone(), member.plan.clone(), available, balance.total.to_string(), email, name]
        })
        .collect();
    let mut text = table(["USER", "PLAN", "AVAILABLE", "TOTAL", "EMAIL", "NAME"], &rows);
    if let Some(next) = next {
        text.push_str(&format!("There are more: till user list --after {next}\n"));
    }
    text
}

fn shown_as_text(app: &App, member: &UserSnapshot) -> Result<String, Failure> {
    let (balance, words) = (&member.balance, &app.catalog.unit);
    let mut text = format!("{}, since {}\n", in_words(member), rfc3339(member.user.created_at));
    text.push_str(&format!("plan {}\n", member.plan));
    text.push_str(&format!(
        "{} {} available, {} held, {} ever credited\n",
        balance.available(),
        if balance.available() == 1 { &words.singular } else { &words.plural },
        balance.held,
        balance.total
    ));
    text.push_str(&low_in_words(app, member)?);
    text.push('\n');
    let (_, entries, more) = users::ledger_page(app, &member.user.id, None, RECENT)?;
    if entries.is_empty() {
        return Ok(text);
    }
    let row = |entry: &crate::ledger::Entry| {
        let (delta, balance) = (format!("{:+}", entry.delta), entry.balance_after.to_string());
        let note = or_dash(entry.note.as_ref());
        [rfc3339(entry.created_at), entry.kind.as_str().to_owned(), delta, balance, entry.reason.clone(), note]
    };
    text.push('\n');
    let rows: Vec<_> = entries.iter().map(row).collect();
    text.push_str(&table(["TIME", "KIND", "DELTA", "BALANCE", "REASON", "NOTE"], &rows));
    if more.is_some() {
        text.push_str(&format!("There are older ones: till ledger export --user {}\n", member.user.id));
    }
    Ok(text)
}

fn time(text: &str) -> Result<Timestamp, String> {
    parse_rfc3339(text).ok_or_else(|| "a time in RFC 3339 was expected, such as 2027-01-31T00:00:00Z".to_owned())
}

fn threshold(text: &str) -> Result<Threshold, String> {
    let expected = || "a whole number of units or the word default was expected".to_owned();
    if text == "default" {
        return Ok(Threshold::Default);
    }
    text.parse().map(Threshold::Own).map_err(|_| expected())
}

fn key(text: &str) -> Result<String, String> {
    let sound = (1..=KEY_LIMIT).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if sound { Ok(text.to_owned()) } else { Err(format!("1 to {KEY_LIMIT} printable ASCII characters were expected")) }
}
