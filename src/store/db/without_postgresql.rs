//! What stands for PostgreSQL in a program that was built without it: nothing of this can be made, so nothing of it can run.

use super::fault::DbResult;
use super::rows::{Rows, TablePart};
use super::server_report::ServerReport;
use super::sqlite::SchemaObject;
use super::tx::Tx;
use super::writer::WriteConnection;
use crate::clock::{Clock, Timestamp};
use crate::database::ServerAddress;
use crate::error::{Fault, Result};

pub(in crate::store) enum Server {}
pub(in crate::store) enum ServerReaders {}

impl Server {
    pub(in crate::store) fn open(address: &ServerAddress, _now: Timestamp) -> DbResult<Server> {
        Server::at(address)
    }

    pub(in crate::store) fn at(address: &ServerAddress) -> DbResult<Server> {
        Err(Fault::bare(format!("{address} cannot be used: this till was built without PostgreSQL")))
    }

    pub(in crate::store) fn is_empty(&self) -> DbResult<bool> {
        match *self {}
    }

    pub(in crate::store) fn objects(&self) -> DbResult<(Vec<SchemaObject>, Vec<SchemaObject>)> {
        match *self {}
    }

    pub(in crate::store) fn dangling(&self) -> DbResult<Vec<(String, String, i64)>> {
        match *self {}
    }

    pub(in crate::store) fn readers(&self) -> ServerReaders {
        match *self {}
    }

    pub(in crate::store) fn writer(&self, _clock: &Clock, _in_relocation: bool) -> Box<dyn WriteConnection> {
        match *self {}
    }

    pub(in crate::store) fn begin_again(
        &self,
        _name: &str,
        _now: Timestamp,
        _carried: &[TablePart],
        _fill: &mut dyn FnMut(&mut dyn Tx) -> Result<()>,
    ) -> Result<()> {
        match *self {}
    }

    pub(in crate::store) fn report(&self) -> DbResult<ServerReport> {
        match *self {}
    }

    pub(in crate::store) fn rows(&self) -> DbResult<Box<dyn Rows>> {
        match *self {}
    }

    pub(in crate::store) fn lease(&self, _number: i32) -> DbResult<bool> {
        match *self {}
    }

    pub(in crate::store) fn serve(&self, _command: &str, _alone: bool) -> DbResult<bool> {
        match *self {}
    }

    pub(in crate::store) fn served_by(&self) -> DbResult<Vec<String>> {
        match *self {}
    }
}

impl ServerReaders {
    pub(in crate::store) fn connection(&self) -> DbResult<ServerReader> {
        match *self {}
    }
}

pub(in crate::store) enum ServerReader {}

impl ServerReader {
    pub(in crate::store) fn read_one<T>(&mut self, _work: impl FnOnce(&mut dyn Tx) -> Result<T>) -> Result<T> {
        match *self {}
    }

    pub(in crate::store) fn snapshot<T>(&mut self, _work: impl FnOnce(&mut dyn Tx) -> Result<T>) -> Result<T> {
        match *self {}
    }
}
