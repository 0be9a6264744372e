//! A database is set apart: copied whole into another file, emptied, and some tables carried over, so that a crash leaves
//! either the old contents or the new ones.

use std::path::Path;

use super::super::fault::DbResult;
use super::statement::fault;
use super::{Connection, make_private};
use crate::error::Fault;
use crate::store::db::rows::{TablePart, quoted};

/// The name under which the copy is attached.
const COPY: &str = "apart";

impl Connection {
    /// A number that changes when another connection has committed something.
    pub(in crate::store::db) fn others_version(&self) -> DbResult<i64> {
        let version = self.sqlite().pragma_query_value(None, "data_version", |row| row.get(0));
        version.map_err(|cause| fault("cannot ask whether it has changed", cause))
    }

    /// Copies everything into a new file that only its owner can read, and attaches that.
    pub(in crate::store::db) fn copy_apart(&self, path: &Path) -> DbResult<()> {
        if path.exists() {
            return Err(Fault::bare(format!("there is a file {} already: move it away first", path.display())));
        }
        make_private(path)?;
        self.copy_into(path).inspect_err(|_| drop(std::fs::remove_file(path)))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        for synced in [path, folder] {
            let done = std::fs::File::open(synced).and_then(|file| file.sync_all());
            done.map_err(|cause| Fault::new("the copy cannot be brought to the disk", cause))?;
        }
        self.sqlite().execute(&format!("ATTACH DATABASE ?1 AS {COPY}"), [name_of(path)?]).map_err(cannot)?;
        Ok(())
    }

    /// Copies everything, as it is at one moment, into an empty file. Others may write meanwhile ("VACUUM", section "VACUUM
    /// with an INTO clause").
    pub(in crate::store) fn copy_into(&self, path: &Path) -> DbResult<()> {
        self.sqlite().execute("VACUUM INTO ?1", [name_of(path)?]).map_err(cannot)?;
        Ok(())
    }

    /// Moves the whole log into the database, and ends the log. Fails while anybody else has the database open ("Write-Ahead
    /// Logging", section "Persistence of WAL mode"). Nobody can read or write it until the connection is dropped.
    pub(in crate::store) fn end_log(&self) -> DbResult<()> {
        let in_use = "another program has it open: stop till serve, and what else uses it";
        let mode = self.sqlite().pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0));
        let mode = mode.map_err(|cause| fault(in_use, cause))?;
        if !mode.eq_ignore_ascii_case("delete") {
            return Err(Fault::bare(in_use));
        }
        self.sqlite().execute_batch("BEGIN EXCLUSIVE").map_err(|cause| fault(in_use, cause))
    }

    /// Removes every table, view and trigger. Inside a transaction, and with references not enforced.
    pub(in crate::store::db) fn drop_everything(&self) -> DbResult<()> {
        const NAMES: &str = "SELECT type, name FROM main.sqlite_schema WHERE type IN ('trigger', 'view', 'table')
            AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_litestream\\_%' ESCAPE '\\'
            ORDER BY CASE type WHEN 'trigger' THEN 1 WHEN 'view' THEN 2 ELSE 3 END, name";
        let cannot = |cause| fault("the tables cannot be listed", cause);
        let mut drops = String::new();
        {
            let sqlite = self.sqlite();
            let mut names = sqlite.prepare(NAMES).map_err(cannot)?;
            let rows = names.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
            for row in rows.map_err(cannot)? {
                let (kind, name) = row.map_err(cannot)?;
                drops += &format!("DROP {kind} main.{};\n", quoted(&name));
            }
        }
        self.run_script(&drops)
    }

    /// Takes over all rows of a table from the copy.
    pub(in crate::store::db) fn carry(&self, part: &TablePart) -> DbResult<()> {
        self.run_script(&part.carried("main.", &format!("{COPY}.")))
    }

    /// Gives the space of what was removed back to the file system. Nothing depends on it.
    pub(in crate::store::db) fn shrink(&self) {
        if let Err(cause) = self.sqlite().execute_batch("DETACH DATABASE apart; VACUUM main;") {
            tracing::warn!(event = "not_shrunk", cause = %cause);
        }
    }
}

fn cannot(cause: rusqlite::Error) -> Fault {
    fault("it cannot be copied", cause)
}

fn name_of(path: &Path) -> DbResult<&str> {
    path.to_str().ok_or_else(|| Fault::bare("the path of the copy is not UTF-8"))
}
