//! `till migrate`: the books go into another kind of database.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use serde_json::json;

use super::output::{or_dash, print, print_json};
use super::screen::Screen;
use super::settings::{DatabaseArgs, load};
use super::{CommandError, CommandResult, eprint_lines};
use crate::config::{Need, Sources, parse_database};
use crate::database::Database;
use crate::usecase::operator::relocation::{RelocationReport, Step, relocate, reopen};

/// Move the books from a file to PostgreSQL, or back
///
/// Stop till serve before. The books of SPRITE_DATABASE are proved and copied into an empty database, compared there row by row,
/// and proved again. From the first row on the old database refuses everything, and the new one does until it is proved, so
/// that there are never two. An interrupted run goes on when the same command is given again.
#[derive(Args)]
#[command(group(ArgGroup::new("what").required(true).args(["to", "to_file", "reopen"])))]
#[command(after_help = "Examples:\n  till migrate --to-file /etc/till/postgres-url --dry-run\n  \
    till --database postgres://till@db/till migrate --to /var/lib/till/till.db")]
pub(super) struct MigrateCommand {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Where to: postgres://USER@HOST/DATABASE, which is empty, or the path of a file that does not exist yet
    #[arg(long, value_name = "DATABASE")]
    to: Option<String>,
    /// The same, read from a file: other users see what a command is given
    #[arg(long, value_name = "FILE")]
    to_file: Option<PathBuf>,
    /// Take the database into use again whose books were moved away: what was done in the other one is not in it
    #[arg(long, conflicts_with = "dry_run")]
    reopen: bool,
    /// Prove the books and look at the target, and change nothing; till serve may run meanwhile
    #[arg(long)]
    dry_run: bool,
    /// Print {"dry_run","from","to","rows","accounts","entries","anchor","was_begun"}; with --reopen {"reopened","other"}
    #[arg(long)]
    json: bool,
}

impl MigrateCommand {
    pub(super) fn run(&self) -> CommandResult {
        let loaded = load(&Sources::from_process(self.database.flags()), Need::Nothing)?;
        eprint_lines("warning", &loaded.warnings);
        if self.reopen {
            let (database, other) = (&loaded.config.database, reopen(&loaded.config)?);
            if self.json {
                return print_json(&json!({ "reopened": database.to_string(), "other": other }));
            }
            return print(&format!("{database} is in use again. Nobody may use {other} from now on: remove it.\n"));
        }
        let to = self.target()?;
        let mut screen = Screen::open(false);
        let done = relocate(&loaded.config, &to, self.dry_run, |step| screen.show(&words(step)));
        drop(screen);
        let done = done?;
        if self.json {
            return print_json(&json!({
                "dry_run": self.dry_run,
                "from": done.from.to_string(),
                "to": done.to.to_string(),
                "rows": done.rows,
                "accounts": done.accounts,
                "entries": done.entries,
                "anchor": done.anchor,
                "was_begun": done.was_begun,
            }));
        }
        print(&as_text(&done, self.dry_run))
    }

    fn target(&self) -> CommandResult<Database> {
        let given = match (&self.to, &self.to_file) {
            (Some(given), _) => given.clone(),
            (None, Some(file)) => std::fs::read_to_string(file)
                .map_err(|cause| CommandError::Failed(format!("{} cannot be read: {cause}", file.display())))?,
            (None, None) => String::new(),
        };
        let refused = |problem| CommandError::Usage(vec![format!("--to names no database: {problem}")]);
        match given.trim() {
            "" => Err(refused("nothing was given".to_owned())),
            given => parse_database(given).map_err(refused),
        }
    }
}

fn words(step: &Step) -> String {
    match step {
        Step::Proving(proof) => format!("proving: accounts {}, entries {}", proof.accounts, proof.entries),
        Step::Copying(at) => format!("copying {}: rows {}", at.table, at.rows),
        Step::Comparing(at) => format!("comparing {}: rows {}", at.table, at.rows),
    }
}

fn as_text(done: &RelocationReport, dry_run: bool) -> String {
    let RelocationReport { from, to, rows, accounts, entries, anchor, was_begun } = done;
    if dry_run {
        let lead = match was_begun {
            true => "An earlier run has begun, and this would go on with it.".to_owned(),
            false => format!("The books hold: accounts {accounts}, entries {entries}."),
        };
        return format!("{lead}\n{rows} rows would go from {from} to {to}. Nothing was changed.\n");
    }
    format!(
        "from      {from}\nto        {to}\nrows      {rows}, equal in both\nproved    accounts {accounts}, entries {entries}\n\
         anchor    {}\nNext: name the new database in SPRITE_DATABASE, start till serve, and run till check. The old one \
         refuses everything from now on: keep it until the new one has a backup.\n",
        or_dash(anchor.as_ref())
    )
}
