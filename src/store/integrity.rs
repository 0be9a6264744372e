//! Whether the database is the one that this program makes: its schema, the checks of its tables, and the references between
//! rows. Part of the proof of the books: a planted trigger, or a table without its checks, could change what is written.

use std::collections::BTreeMap;

use super::Store;
use super::db::{self, SchemaObject, unavailable};
use crate::error::Result;

/// Tables that Litestream keeps in the databases that it copies.
const LITESTREAM: [&str; 2] = ["_litestream_seq", "_litestream_lock"];

impl Store {
    /// Everything that is wrong with the schema and the references between rows, in sentences; of a file also what SQLite finds
    /// wrong in it. (A server checks its pages itself when it reads them, where it was made with checksums.)
    pub fn integrity_faults(&self) -> Result<Vec<String>> {
        let mut found = self.schema_faults()?;
        let dangling = match &self.server {
            Some(server) => server.dangling().map_err(unavailable)?,
            None => {
                let damage = self.read(db::damage)?;
                found.extend(damage.into_iter().map(|fault| format!("the file is not sound: {fault}")));
                self.read(db::dangling)?
            }
        };
        for (child, parent, count) in dangling {
            found.push(format!("rows of {child} that refer to a row of {parent} which does not exist: {count}"));
        }
        Ok(found)
    }

    /// What is wrong with the schema alone, which is known at once however large the database is.
    pub fn schema_faults(&self) -> Result<Vec<String>> {
        let (found, made) = match &self.server {
            Some(server) => server.objects().map_err(unavailable)?,
            None => (self.read(db::objects)?, db::objects_made()?),
        };
        Ok(schema_faults(&found, &made))
    }
}

/// What no two objects of our schema have in common.
type FullName<'a> = (&'a str, &'a str, &'a str);

fn full_name(object: &SchemaObject) -> FullName<'_> {
    (&object.kind, &object.table, &object.name)
}

fn by_name(objects: &[SchemaObject]) -> BTreeMap<FullName<'_>, Vec<&SchemaObject>> {
    let mut named: BTreeMap<_, Vec<_>> = BTreeMap::new();
    objects.iter().for_each(|object| named.entry(full_name(object)).or_default().push(object));
    named
}

fn schema_faults(found: &[SchemaObject], made: &[SchemaObject]) -> Vec<String> {
    let (found_by_name, made_by_name) = (by_name(found), by_name(made));
    let mut faults = vec![];
    for object in made {
        let SchemaObject { kind, name, .. } = object;
        match found_by_name.get(&full_name(object)) {
            None => faults.push(format!("the schema lacks the {kind} {name}")),
            // More than one: a function may be there once more with other parameters.
            Some(others) if *others != [object] => {
                faults.push(format!("the schema's {kind} {name} is not the one that this program makes"));
            }
            Some(_) => {}
        }
    }
    for object in found.iter().filter(|object| !made_by_name.contains_key(&full_name(object))) {
        let SchemaObject { kind, name, table, .. } = object;
        if kind == "table" && LITESTREAM.contains(&name.as_str()) {
            continue;
        }
        let of = if table == name { String::new() } else { format!(" of {table}") };
        faults.push(format!("the schema has a {kind} {name}{of} that this program does not make"));
    }
    faults
}
