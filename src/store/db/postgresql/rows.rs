//! The rows of a server's database. They are added in bulk (PostgreSQL, "COPY", binary format), which fires the same triggers and
//! checks as single rows do.

use std::pin::pin;
use std::time::Duration;

use futures_core::Stream;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::session::{Connector, Purpose, Session, field};
use super::session_tx::SessionTx;
use super::statement::BoundValue;
use crate::error::Result;
use crate::store::db::fault::DbResult;
use crate::store::db::rows::{ColumnKind, OwnedRow, OwnedValue, PageInProgress, Rows, TablePart, quoted};
use crate::store::db::tx::Tx;
use crate::store::db::value::Param;

/// The keys say where a page begins and what a row refers to. While tables grow from nothing the server's statistics say
/// otherwise, and it would read them whole for each row.
const SET_UP: &str = "SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off; SET jit = off;
    SET idle_in_transaction_session_timeout = '1min'";
/// How long a page of rows, and what makes a table known, may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// The rows of a server's database.
pub(in crate::store) struct ServerRows {
    session: Session,
}

impl ServerRows {
    pub(super) fn open(connector: &Connector) -> DbResult<ServerRows> {
        let mut session = connector.connect(Purpose::Writing)?;
        session.simple(SET_UP)?;
        session.allow(PATIENCE)?;
        Ok(ServerRows { session })
    }
}

fn copy_in(session: &mut Session, part: &TablePart, rows: &[OwnedRow]) -> DbResult<()> {
    let sql = format!("COPY {} ({}) FROM STDIN (FORMAT binary)", quoted(&part.table), part.column_list());
    let kind = |kind: ColumnKind| match kind {
        ColumnKind::Int => Type::INT8,
        ColumnKind::Text => Type::TEXT,
        ColumnKind::Blob => Type::BYTEA,
    };
    let kinds: Vec<Type> = part.columns.iter().map(|(_, of)| kind(*of)).collect();
    let copied = session.client().wait(async |driver| {
        let mut copy = pin!(BinaryCopyInWriter::new(driver.copy_in(&sql).await?, &kinds));
        for row in rows {
            let values: Vec<BoundValue<'_>> = row.iter().map(|value| BoundValue(value.value())).collect();
            let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
            copy.as_mut().write(&values).await?;
        }
        copy.finish().await.map(drop)
    });
    copied.map_err(|cause| session.failed(&format!("rows of {} cannot be added", part.name()), cause))
}

impl Rows for ServerRows {
    fn page(&mut self, part: &TablePart, after: Option<&[OwnedValue]>) -> DbResult<Vec<OwnedRow>> {
        let what = format!("{} cannot be read", part.name());
        let sql = part.page(after.is_none(), |number| format!("${number}"));
        let values = after.unwrap_or_default().iter().map(|value| BoundValue(value.value()));
        let values: Vec<BoundValue<'_>> = values.collect();
        let mut page = PageInProgress::default();
        let filled = &mut page;
        let read = self.session.client().wait(async |driver| {
            let values = values.iter().map(|value| value as &(dyn ToSql + Sync));
            let mut found = pin!(driver.query_raw(&sql, values).await?);
            while let Some(row) = std::future::poll_fn(|context| found.as_mut().poll_next(context)).await {
                if let Err(fault) = filled.add(&row?, part.columns.len()) {
                    return Ok(Err(fault));
                }
                if filled.is_full() {
                    break;
                }
            }
            Ok(Ok(()))
        });
        read.map_err(|cause| self.session.failed(&what, cause))??;
        Ok(page.rows)
    }

    fn add(
        &mut self,
        part: &TablePart,
        rows: &[OwnedRow],
        then: &mut dyn FnMut(&mut dyn Tx) -> Result<()>,
    ) -> Result<()> {
        self.session.transaction("BEGIN", |session| {
            copy_in(session, part, rows)?;
            then(&mut SessionTx::writing(session))
        })
    }

    fn count(&mut self, part: &TablePart) -> DbResult<i64> {
        let rows = self.session.simple(&part.counted())?;
        Ok(field(&rows, "count").and_then(|count| count.parse().ok()).unwrap_or(0))
    }

    fn unfit(&mut self, _part: &TablePart) -> DbResult<Option<OwnedRow>> {
        // This engine keeps no text that SQLite does not.
        Ok(None)
    }

    fn settle(&mut self) -> DbResult<()> {
        // What is read next is read by statements that were planned for empty tables otherwise.
        self.session.simple("ANALYZE").map(drop)
    }
}
