//! From flags to an open till: flags go over the environment, all faults come out at once, and a command that only
//! looks does not make a database where there is none.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::{Failure, complain};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{self, Config, Database, Loaded, Need, Sources};

/// The flags of every command that opens the books.
#[derive(Args)]
pub(super) struct Books {
    /// Path of the SQLite file, instead of SPRITE_DATABASE (else $STATE_DIRECTORY/till.db, else ./till.db)
    #[arg(long, value_name = "FILE", global = true, display_order = 100)]
    database: Option<String>,
    /// Path of a TOML catalogue of plans and packs, instead of SPRITE_CATALOG (else the built-in one)
    #[arg(long, value_name = "FILE", global = true, display_order = 100)]
    catalog: Option<String>,
}

/// What a command does when there is no database yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IfMissing {
    /// Makes one.
    Make,
    /// Says so: an empty answer would look like lost books.
    Refuse,
}

impl Books {
    /// Each flag that was given, by the variable that it stands for.
    pub(super) fn flags(&self) -> BTreeMap<String, String> {
        flags([("SPRITE_DATABASE", &self.database), ("SPRITE_CATALOG", &self.catalog)])
    }

    /// Opens the books, beside a running appliance or without one.
    pub(super) fn open(&self, need: Need, if_missing: IfMissing) -> Result<App, Failure> {
        let loaded = load(&Sources::from_process(self.flags()), need)?;
        complain("warning", &loaded.warnings);
        let path = database_path(&loaded.config)?;
        if if_missing == IfMissing::Refuse && !path.exists() {
            return Err(Failure::Failed(format!(
                "there is no database at {}: name the right one with --database or SPRITE_DATABASE \
                 (till serve, till user add and till token create make a new one)",
                path.display()
            )));
        }
        Ok(App::open(loaded.config, Clock::System)?)
    }
}

/// Flags that were given, by the variable that each stands for.
pub(super) fn flags<const N: usize>(given: [(&str, &Option<String>); N]) -> BTreeMap<String, String> {
    given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))).collect()
}

/// The configuration, or everything that is wrong with it.
pub(super) fn load(sources: &Sources, need: Need) -> Result<Loaded, Failure> {
    config::load(sources, need).map_err(|faults| Failure::Usage(faults.iter().map(ToString::to_string).collect()))
}

/// Where the books lie.
pub(super) fn database_path(config: &Config) -> Result<PathBuf, Failure> {
    match &config.database {
        Database::File(path) => Ok(path.clone()),
        Database::Postgres(_) => {
            Err(Failure::Usage(vec!["this till keeps its books in SQLite only: give a file path".to_owned()]))
        }
    }
}
