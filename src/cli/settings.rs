//! From flags to an open [`App`]: flags override the environment, all faults are reported at once, and a command that only
//! reads does not create a database.

use std::collections::BTreeMap;

use clap::Args;

use super::folder::Folder;
use super::{CommandError, CommandResult, eprint_lines};
use crate::actor::Actor;
use crate::app::App;
use crate::clock::Clock;
use crate::config::{self, Config, LoadedConfig, Need, Sources};
use crate::database::Database;
use crate::store::Store;
use crate::usecase::operator::clock;
use crate::usecase::operator::stripe_account::{self, Standing};

/// The flags of every command that opens the database.
#[derive(Args)]
pub(super) struct DatabaseArgs {
    /// Path of the SQLite file or postgres://…, instead of SPRITE_DATABASE (else $STATE_DIRECTORY/till.db, else ./till.db)
    #[arg(long, value_name = "DATABASE", global = true, display_order = 100)]
    database: Option<String>,
    /// Path of a TOML catalogue of plans and packs, instead of SPRITE_CATALOG (else the built-in one)
    #[arg(long, value_name = "FILE", global = true, display_order = 100)]
    catalog: Option<String>,
}

/// What a command does when there is no database yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IfMissing {
    Create,
    /// Fails: an empty answer would look like lost data.
    Refuse,
}

impl DatabaseArgs {
    /// The flags that were given, by the variable that each stands for.
    pub(super) fn flags(&self) -> BTreeMap<String, String> {
        flags([("SPRITE_DATABASE", &self.database), ("SPRITE_CATALOG", &self.catalog)])
    }

    /// Opens the database. `till serve` may run on it at the same time. For a command that talks to Stripe, the key must
    /// be of the account and mode that the database belongs to.
    pub(super) fn open(&self, need: Need, if_missing: IfMissing) -> CommandResult<App> {
        let app = self.open_unconfirmed(need, if_missing)?;
        if need != Need::Nothing {
            confirm_account(&app)?;
        }
        Ok(app)
    }

    /// The database for a command that only says what it would do. Where there is none, an empty one in a folder that is removed
    /// when it is dropped.
    pub(super) fn open_to_try(&self, need: Need) -> CommandResult<(App, Option<Folder>)> {
        let loaded = load(&Sources::from_process(self.flags()), need)?;
        eprint_lines("warning", &loaded.warnings);
        if !Store::is_missing(&loaded.config.database)? {
            return Ok((open_loaded(loaded)?, None));
        }
        let folder = Folder::create(None, "till-try")?;
        let database = Database::File(folder.path.join("till.db"));
        let loaded = LoadedConfig { config: Config { database, ..loaded.config }, ..loaded };
        Ok((open_loaded(loaded)?, Some(folder)))
    }

    /// The same without the look at the key's account, for a command that looks itself.
    pub(super) fn open_unconfirmed(&self, need: Need, if_missing: IfMissing) -> CommandResult<App> {
        let loaded = load(&Sources::from_process(self.flags()), need)?;
        eprint_lines("warning", &loaded.warnings);
        let database = &loaded.config.database;
        if if_missing == IfMissing::Refuse && Store::is_missing(database)? {
            return Err(CommandError::Failed(format!(
                "there is no database at {database}: name the right one with --database or SPRITE_DATABASE \
                 (till serve, till user add and till token create create a new one)"
            )));
        }
        open_loaded(loaded)
    }
}

fn open_loaded(loaded: LoadedConfig) -> CommandResult<App> {
    let app = App::open(loaded.config, Clock::System)?.acting_for(Actor::command_line());
    clock::settle(&app);
    eprint_lines("warning", &clock::fault(&app).into_iter().collect::<Vec<_>>());
    Ok(app)
}

/// Refuses a key of another account or mode than the database's. Without an answer of Stripe's, only the mode is compared.
pub(super) fn confirm_account(app: &App) -> CommandResult {
    match stripe_account::confirm(app)? {
        Standing::Refused(reason) => Err(CommandError::Usage(vec![reason])),
        Standing::Confirmed(_) | Standing::Unasked(_) => Ok(()),
    }
}

/// Flags that were given, by the variable that each stands for.
pub(super) fn flags<const N: usize>(given: [(&str, &Option<String>); N]) -> BTreeMap<String, String> {
    given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))).collect()
}

/// The configuration, or everything that is wrong with it; the warnings are printed before that.
pub(super) fn load(sources: &Sources, need: Need) -> CommandResult<LoadedConfig> {
    config::load(sources, need).map_err(|faulty| {
        eprint_lines("warning", &faulty.warnings);
        CommandError::Usage(faulty.faults.iter().map(ToString::to_string).collect())
    })
}
