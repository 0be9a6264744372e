//! What is read of a row: by the column's name, and as the type that it must have.

use super::{Books, words};
use crate::harness::postgres;

#[test]
fn a_row_of_another_type_is_a_fault_and_not_a_guess() {
    let books = Books::open();
    let is_server = postgres::is_chosen();
    for (sql, reads) in [
        ("SELECT 'a' AS a", "not a number"),
        ("SELECT NULL AS a", "not a number"),
        ("SELECT 1.5 AS a", "not whole"),
        ("SELECT 9223372036854775807 + 1 AS a", if is_server { "out of range" } else { "not whole" }),
        ("SELECT absent AS a", if is_server { "column \"absent\" does not exist" } else { "no such column" }),
        ("SELECT 1 AS b", "no column a"),
    ] {
        let fault = words(books.store.read(|tx| tx.one(sql, &[], |row| row.int("a"))));
        assert!(fault.contains(reads), "{sql}: {fault}");
    }
    if !is_server {
        let fault = words(books.store.read(|tx| tx.one("SELECT CAST(x'ff' AS TEXT) AS a", &[], |row| row.int("a"))));
        assert!(fault.contains("not UTF-8"), "{fault}");
    }
    let word = |text: &str| (text == "yes").then_some(());
    let fault = words(books.store.read(|tx| tx.one("SELECT 'no' AS a", &[], |row| row.word("a", word))));
    assert!(fault.contains("did not write: no"), "{fault}");
    let none = books.store.read(|tx| tx.one("SELECT 1 AS a WHERE 1 = 0", &[], |row| row.int("a"))).unwrap();
    assert_eq!(none, None);
}

#[test]
fn columns_are_read_by_name_in_any_order() {
    let books = Books::open();
    let sql = "SELECT 1 AS a, 2 AS b, 'x' AS c UNION ALL SELECT 3, 4, 'y' ORDER BY 1";
    let rows = |read: fn(&till::store::Row<'_>) -> till::store::DbResult<(i64, i64, String)>| {
        books.store.read(|tx| tx.all(sql, &[], read)).unwrap()
    };
    let expected = [(1, 2, "x".to_owned()), (3, 4, "y".to_owned())];
    assert_eq!(rows(|row| Ok((row.int("a")?, row.int("b")?, row.text("c")?))), expected);
    let backwards = rows(|row| {
        let (c, b, a) = (row.text("c")?, row.int("b")?, row.int("a")?);
        Ok((a, b, c))
    });
    assert_eq!(backwards, expected);
}
