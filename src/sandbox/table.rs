//! A table in memory: rows by id, in the order they were made. Above a limit the oldest rows are dropped.

use std::collections::{BTreeMap, HashMap};

use crate::sandbox::api_error::ApiError;

#[derive(Debug)]
pub struct Table<T> {
    rows: BTreeMap<u64, (String, T)>,
    places: HashMap<String, u64>,
    next: u64,
    limit: usize,
}

impl<T> Table<T> {
    pub fn new(limit: usize) -> Table<T> {
        Table { rows: BTreeMap::new(), places: HashMap::new(), next: 0, limit }
    }

    /// Adds a row, or replaces the row with this id in its place.
    pub fn put(&mut self, id: &str, row: T) {
        if let Some(place) = self.places.get(id) {
            self.rows.insert(*place, (id.to_owned(), row));
            return;
        }
        self.rows.insert(self.next, (id.to_owned(), row));
        self.places.insert(id.to_owned(), self.next);
        self.next += 1;
        while self.rows.len() > self.limit {
            if let Some((_, (oldest, _))) = self.rows.pop_first() {
                self.places.remove(&oldest);
            }
        }
    }

    pub fn get(&self, id: &str) -> Option<&T> {
        self.places.get(id).and_then(|place| self.rows.get(place)).map(|(_, row)| row)
    }

    /// The row with this id, or Stripe's `404`, which names the kind of object and the parameter.
    pub fn required(&self, noun: &str, id: &str, param: &str) -> Result<&T, ApiError> {
        self.get(id).ok_or_else(|| ApiError::not_found(noun, id, param))
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.places.get(id).and_then(|place| self.rows.get_mut(place)).map(|(_, row)| row)
    }

    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.rows.values_mut().map(|(_, row)| row)
    }

    pub fn remove(&mut self, id: &str) -> Option<T> {
        self.places.remove(id).and_then(|place| self.rows.remove(&place)).map(|(_, row)| row)
    }

    pub fn clear(&mut self) {
        self.places.clear();
        self.rows.clear();
    }

    /// The newest first, as in Stripe's lists.
    pub fn newest(&self) -> impl Iterator<Item = &T> {
        self.rows.values().rev().map(|(_, row)| row)
    }

    pub fn oldest(&self) -> impl Iterator<Item = &T> {
        self.rows.values().map(|(_, row)| row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_rows_are_forgotten_past_the_limit() {
        let mut table = Table::new(2);
        for (id, row) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            table.put(id, row);
        }
        assert_eq!(
            (table.get("a"), table.get("b"), table.newest().copied().collect::<Vec<_>>()),
            (None, Some(&2), vec![4, 2])
        );
        assert_eq!((table.remove("b"), table.remove("b"), table.oldest().count()), (Some(2), None, 1));
    }
}
