//! The one connection of a file that writes for everybody in this process, with what goes with it: the way of the log back
//! into the file, and the count of what is read from the disk.

use std::sync::Arc;

use super::{Connection, OpenedFiles, log_pages};
use crate::error::Result;
use crate::store::db::checkpoint::Checkpoints;
use crate::store::db::fault::{DbResult, lost};
use crate::store::db::figures::{FigureChange, FigureJournal};
use crate::store::db::read_ahead::{DiskReads, ReadsOfThread};
use crate::store::db::time_record::TimeRecord;
use crate::store::db::tx::Tx;
use crate::store::db::value::{Param, Row};
use crate::store::db::writer::{Scope, WriteConnection};

/// The connection that writes.
pub(in crate::store) struct FileWriter {
    connection: Connection,
    files: Arc<OpenedFiles>,
    /// Ends before the log is emptied.
    checkpoints: Option<Checkpoints>,
    reads: Arc<DiskReads>,
    watch: Option<ReadsOfThread>,
}

impl FileWriter {
    pub(in crate::store) fn new(
        connection: Connection,
        files: Arc<OpenedFiles>,
        checkpoints: Checkpoints,
        reads: Arc<DiskReads>,
    ) -> FileWriter {
        FileWriter { connection, files, checkpoints: Some(checkpoints), reads, watch: None }
    }

    /// The connection, while its transaction is under way.
    fn open(&mut self) -> DbResult<&mut Connection> {
        if self.connection.is_open() { Ok(&mut self.connection) } else { Err(lost()) }
    }
}

impl WriteConnection for FileWriter {
    fn start(&mut self) {
        self.watch = Some(ReadsOfThread::watch(Arc::clone(&self.reads)));
    }

    fn begin(&mut self, _scope: &Scope, _jobs: usize) -> DbResult<()> {
        self.files.check()?;
        self.connection.begin()
    }

    fn commit(&mut self) -> Result<()> {
        self.connection.commit()?;
        Ok(self.files.check_committed()?)
    }

    fn rollback(&mut self) {
        self.connection.rollback();
    }

    fn is_open(&self) -> bool {
        self.connection.is_open()
    }

    fn savepoint(&mut self) -> DbResult<()> {
        self.connection.savepoint()
    }

    fn keep(&mut self) -> DbResult<()> {
        self.connection.keep()
    }

    fn undo(&mut self) -> DbResult<()> {
        self.connection.undo()
    }

    fn rows_changed(&self) -> u64 {
        self.connection.rows_changed()
    }

    fn figures(&mut self) -> &mut FigureJournal {
        self.connection.figures()
    }

    fn time(&mut self) -> &mut TimeRecord {
        self.connection.time()
    }

    fn answered(&mut self, jobs: usize) {
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.after(log_pages());
        }
        if let Some(watch) = &mut self.watch {
            watch.look(jobs);
        }
    }

    fn end(&mut self) {
        drop(self.checkpoints.take());
        self.connection.truncate_wal();
    }
}

impl Tx for FileWriter {
    fn execute(&mut self, sql: &'static str, params: &[&dyn Param]) -> DbResult<usize> {
        self.open()?.execute(sql, params)
    }

    fn query(
        &mut self,
        sql: &'static str,
        params: &[&dyn Param],
        visit: &mut dyn FnMut(&Row<'_>) -> DbResult<()>,
    ) -> DbResult<()> {
        self.open()?.query(sql, params, visit)
    }

    fn mark_changed(&mut self, account: i64) {
        self.connection.mark_changed(account);
    }

    fn add_to_figure(&mut self, change: FigureChange) {
        self.connection.add_to_figure(change);
    }

    fn is_time_plausible(&self) -> bool {
        self.connection.is_time_plausible()
    }
}
