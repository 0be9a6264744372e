//! What is kept for a stated time and then goes, and that the file becomes smaller by it: the audit, which the database itself
//! gives away by age alone, and the pages on which nothing lies any more.

use serde_json::json;
use till::clock::{DAY_SECONDS, Timestamp};
use till::usecase::operator::compaction::Compaction;
use till::usecase::stripe_events::bodies;
use till::usecase::{audit, users};

use super::Books;
use crate::harness::life::{Life, event};
use crate::harness::{Hand, is_about_a_file};

const DAY_MILLIS: i64 = DAY_SECONDS * 1000;
const TWO_YEARS: i64 = 730 * DAY_MILLIS;

fn add_rows(outside: &Hand, number: usize, at: i64) {
    let row = format!(
        "INSERT INTO audit (number, at, actor, action)
            SELECT COALESCE(MAX(number), 0) + 1, {at}, 'cli', 'user_added' FROM audit;"
    );
    outside.run(&row.repeat(number));
}

#[test]
fn the_database_gives_away_audit_rows_by_age_alone_and_the_oldest_first() {
    let books = Books::open();
    let outside = books.outside();
    let now = super::NOW.millis();
    let refused = |sql: &str| {
        let said = outside.attempt(sql).unwrap_err();
        assert!(said.contains("audit rows are never removed before they are two years old"), "{sql}: {said}");
    };
    add_rows(&outside, 1, now - TWO_YEARS - 3);
    refused("DELETE FROM audit");
    add_rows(&outside, 1, now - TWO_YEARS - 2);
    add_rows(&outside, 1, now - TWO_YEARS + 1);
    add_rows(&outside, 1, now - TWO_YEARS - 1);
    add_rows(&outside, 1, now);
    for sql in [
        "DELETE FROM audit",
        "DELETE FROM audit WHERE number = 2",
        "DELETE FROM audit WHERE number <= 3",
        "DELETE FROM audit WHERE number = 5",
        "DELETE FROM audit WHERE number IN (1, 2, 4)",
    ] {
        refused(sql);
    }
    assert_eq!(outside.number("SELECT COUNT(*) FROM audit"), 5);
    outside.run("DELETE FROM audit WHERE number <= 2");
    // An old row behind a younger one stays with it.
    refused("DELETE FROM audit WHERE number = 4");
    assert_eq!(outside.number("SELECT MIN(number) FROM audit"), 3);
}

#[test]
fn audit_rows_go_after_two_years_and_a_row_says_so() {
    let life = Life::begin("http://127.0.0.1:1");
    let outside = life.hand();
    let now = life.clock.now().millis();
    let before = outside.number("SELECT COUNT(*) FROM audit");
    assert_eq!(audit::remove_old(&life.app).unwrap(), 0, "nothing is old");
    assert_eq!(outside.number("SELECT COUNT(*) FROM audit"), before, "and nothing is said");
    add_rows(&outside, 2_500, now);
    life.clock.set(Timestamp::from_millis(now + TWO_YEARS + DAY_MILLIS));
    users::put(&life.app, "bob", users::UserPatch::default()).unwrap();
    let young = outside.number(&format!("SELECT COUNT(*) FROM audit WHERE at > {now}"));
    let removed = i64::try_from(audit::remove_old(&life.app).unwrap()).unwrap();
    assert_eq!(removed, before + 2_500);
    let said = "SELECT COUNT(*) FROM audit WHERE action = 'audit_removed' AND actor = 'till' AND detail LIKE 'rows of before 2026-%'";
    assert_eq!(outside.number(said), 3, "one row for each transaction");
    assert_eq!(outside.number("SELECT COUNT(*) FROM audit"), young + 3);
    assert_eq!(audit::remove_old(&life.app).unwrap(), 0);
    life.prove();
}

#[test]
fn a_file_gives_back_the_room_of_what_went_in_short_steps_and_keeps_a_little() {
    if is_about_a_file() {
        return;
    }
    let life = Life::begin("http://127.0.0.1:1");
    let outside = life.hand();
    assert_eq!(outside.number("PRAGMA auto_vacuum"), 2, "incremental");
    let words = "what Stripe said ".repeat(500);
    for number in 0..600 {
        life.hear(&event(
            &number.to_string(),
            "product.created",
            0,
            json!({"id": "prod_1", "object": "product", "words": words}),
        ));
    }
    let pages = || outside.number("PRAGMA page_count");
    let (full, mut compaction) = (pages(), Compaction::default());
    assert_eq!(compaction.look(&life.app).unwrap(), 0, "all of it is needed");
    life.clock.set(life.clock.now().plus_seconds(91 * DAY_SECONDS));
    assert_eq!(bodies::remove_old(&life.app).unwrap(), 600);
    let free = life.app.store.free_pages().unwrap();
    assert!(free > 1000, "{free} of {full} pages");
    // Much was written since the last look.
    for number in 0..25 {
        users::put(&life.app, &format!("user_{number}"), users::UserPatch::default()).unwrap();
    }
    assert_eq!(compaction.look(&life.app).unwrap(), 0, "others write");
    let once = compaction.look(&life.app).unwrap();
    assert!((1..=1024).contains(&once), "{once}");
    assert!((1..=64).contains(&life.app.store.give_back_pages().unwrap()));
    while compaction.look(&life.app).unwrap() > 0 {}
    let left = life.app.store.free_pages().unwrap();
    assert!((128..=256).contains(&left), "{left} are kept for what comes next");
    assert!(pages() < full / 2, "{} of {full}", pages());
    life.prove();
    drop(outside);
    let folder = life.close();
    let bytes = std::fs::metadata(folder.path("till.db")).unwrap().len();
    assert!(bytes < u64::try_from(full).unwrap() * 4096 / 2, "{bytes} bytes");
    assert_eq!(Hand::open(&folder.database("till.db")).text("PRAGMA integrity_check"), "ok");
}
