//! `till go-live`: sets the test data apart and takes the live key.

use clap::Args;
use serde_json::json;

use super::CommandResult;
use super::output::{or_dash, print, print_json};
use super::settings::{DatabaseArgs, IfMissing};
use crate::clock::Clock;
use crate::config::Need;
use crate::store::Lock;
use crate::usecase::operator::go_live::{self, GoLive};

/// Go from test mode to live mode: set the test data apart, and take the live key
///
/// Set the live key first. Everything that was bought, spent and received in test mode is copied into a file beside the
/// database (on a server: moved into a schema of its own) and is not counted any more. Users, tokens and endpoints of outgoing webhooks stay, with balances of zero;
/// everybody signs in again. Stop till serve before. On a database that is live already nothing changes.
#[derive(Args)]
#[command(after_help = "Example:\n  till go-live --dry-run")]
pub(super) struct GoLiveCommand {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Print what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print {"dry_run","was_live","account","set_apart","users","tokens","entries","payments","units"}
    #[arg(long)]
    json: bool,
}

impl GoLiveCommand {
    pub(super) fn run(&self) -> CommandResult {
        let app = self.database.open_unconfirmed(Need::StripeKey, IfMissing::Refuse)?;
        let _lock =
            (!self.dry_run).then(|| Lock::take(app.store.database(), "till go-live", &Clock::System)).transpose()?;
        let done = go_live::go_live(&app, self.dry_run)?;
        if self.json {
            return print_json(&json!({
                "dry_run": self.dry_run,
                "was_live": done.was_live,
                "account": done.account,
                "set_apart": done.set_apart.as_ref().map(ToString::to_string),
                "users": done.before.users,
                "tokens": done.before.tokens,
                "entries": done.before.entries,
                "payments": done.before.payments,
                "units": done.before.units,
            }));
        }
        print(&as_text(&done, self.dry_run))
    }
}

fn as_text(done: &GoLive, dry_run: bool) -> String {
    let account = or_dash(done.account.as_ref());
    let Some(aside) = &done.set_apart else {
        return match done.was_live {
            true => format!("The database is live already (account {account}). Nothing changed.\n"),
            false => format!("There was no test data. The database belongs to live mode (account {account}).\n"),
        };
    };
    let GoLive { before, .. } = done;
    let (users, tokens, endpoints) = (before.users, before.tokens, before.endpoints);
    let (entries, payments, units) = (before.entries, before.payments, before.units);
    let (lead, next) = match dry_run {
        true => ("This would be done:", "Nothing was changed."),
        false => (
            "Done:",
            "Next: till stripe setup with the live key, its lines into the configuration, till serve, and till check.",
        ),
    };
    format!(
        "{lead}\n\
         set apart  {entries} entries, {payments} payments and {units} units, in {}\n\
         kept       {users} users with a balance of zero, {tokens} tokens and {endpoints} endpoints of webhooks\n\
         live       the account {account}\n{next}\n",
        aside
    )
}
