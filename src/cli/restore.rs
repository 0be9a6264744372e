//! `till restore`: a backup in the place of the database.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::ledger::anchor;
use super::output::{or_dash, print, print_json};
use super::screen::Screen;
use super::settings::{DatabaseArgs, load};
use super::{CommandResult, eprint_lines};
use crate::config::{Need, Sources};
use crate::usecase::operator::head::Anchor;
use crate::usecase::operator::restore::{self, RestoreReport};

/// Put a backup in the place of the database, after proving it
///
/// Stop till serve before. The backup is copied beside the database, brought up to this version, and proved as till ledger
/// verify does; only then it takes the database's place. The former database is kept beside it under another name. A backup
/// that does not hold, or that is of another Stripe account or mode, is refused, and nothing is changed. Afterwards start
/// till serve, and run till reconcile: it brings what was paid since.
#[derive(Args)]
#[command(after_help = "Examples:\n  till restore /var/backups/till.db --dry-run\n  \
    till restore /var/backups/till.db --anchor \"$(tail -n 1 anchors)\"")]
pub(super) struct RestoreCommand {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The file that till backup wrote
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Also prove that what this anchor covers is as it was: a line of till backup, till ledger head, or the log (books_head)
    #[arg(long, value_name = "LINE", value_parser = anchor)]
    anchor: Option<Anchor>,
    /// Prove the backup, and change nothing; till serve may run meanwhile
    #[arg(long)]
    dry_run: bool,
    /// Print {"dry_run","database","accounts","entries","kept"}
    #[arg(long)]
    json: bool,
}

impl RestoreCommand {
    pub(super) fn run(&self) -> CommandResult {
        let loaded = load(&Sources::from_process(self.database.flags()), Need::Nothing)?;
        eprint_lines("warning", &loaded.warnings);
        let mut screen = Screen::open(false);
        let done = restore::restore(&loaded.config, &self.path, self.anchor.as_ref(), self.dry_run, |proof| {
            if proof.accounts % 1000 == 0 {
                screen.show(&format!("proving the backup: accounts {}, entries {}", proof.accounts, proof.entries));
            }
        });
        drop(screen);
        let done = done?;
        if self.json {
            return print_json(&json!({
                "dry_run": self.dry_run,
                "database": done.path.display().to_string(),
                "accounts": done.accounts,
                "entries": done.entries,
                "kept": done.kept.as_ref().map(|path| path.display().to_string()),
            }));
        }
        print(&as_text(&done, self.dry_run))
    }
}

fn as_text(done: &RestoreReport, dry_run: bool) -> String {
    let RestoreReport { path, accounts, entries, kept } = done;
    let (path, kept) = (path.display(), or_dash(kept.as_ref().map(|path| path.display())));
    let holds = format!("The backup holds: accounts {accounts}, entries {entries}.\n");
    if dry_run {
        return format!("{holds}It would take the place of {path}. Nothing was changed.\n");
    }
    format!(
        "{holds}database  {path}\nformer    {kept}\nNext: start till serve, and run till reconcile, which brings what was \
         paid since. What was spent, granted or changed by hand since the backup is not in it.\n"
    )
}
