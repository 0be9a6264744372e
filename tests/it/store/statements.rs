//! Statements and their parameters, and that every statement of the store is one.

use till::actor::Actor;
use till::clock::Timestamp;
use till::error::{Error, Result};
use till::language::Language;
use till::ledger::Part;
use till::secret::Secret;
use till::store::customers::{ChangeOutcome, LinkSource};
use till::store::inbox::Status;
use till::store::lots::EndingLot;
use till::store::mails::MailOutcome;
use till::store::orders::Fact;
use till::store::payments::RefundState;
use till::store::subscriptions::{Source, Subscription};
use till::store::{
    Param, Tx, access, allotments, anchors, audit, backups, confirmations, cursors, customers, entries, figures, holds,
    inbox, lot_records, lots, mails, open_invoices, orders, outbox, payments, prices, proof, receipts,
    scheduled_changes, stripe_account, subscriptions, users, webhook_endpoints,
};

use super::rows::*;
use super::{Books, NOW, add_user, count_users, words};
use crate::harness::postgres;

#[test]
fn a_parameter_is_bound_by_the_number_in_its_name() {
    let books = Books::open();
    let check = |sql: &'static str, given: &[&dyn Param], expected: &str| {
        let found = books.store.read(|tx| Ok(tx.one(sql, given, |row| row.text("said"))?.unwrap()));
        match expected.strip_prefix("refused: ") {
            Some(expected) => {
                let words = words(found);
                let is_said = postgres::is_chosen() && ABOUT_SQL.split('|').any(|said| words.contains(said));
                assert!(is_said || words.contains(expected), "{sql}: {words}");
            }
            None => assert_eq!(found.unwrap(), expected, "{sql}"),
        }
    };
    const ONE: &dyn Param = &"one";
    const TWO: &dyn Param = &"two";
    check("SELECT $2 || ' ' || $1 AS said", &[ONE, TWO], "two one");
    check("SELECT $2 || ' ' || $1 || ' ' || $2 AS said", &[ONE, TWO], "two one two");
    check("SELECT $1 || '$2' AS said", &[ONE], "one$2");
    check("SELECT $1 AS said", &[ONE, TWO], "refused: 2 values for 1 parameters");
    check("SELECT 'x' AS said", &[ONE], "refused: 1 values for 0 parameters");
    check("SELECT $1 || $3 AS said", &[ONE, TWO], "refused: parameter 2 has no value");
    check("SELECT $1 || $2 AS said", &[ONE], "refused: parameter 2 has no value");
    check("SELECT $0 AS said", &[ONE], "refused: parameter 1 has no value");
    check("SELECT $one AS said", &[ONE], "refused: parameter 1 has no value");
    check("SELECT ?1 AS said", &[ONE], "refused: parameter 1 has no value");
    check("SELECT ? AS said", &[ONE], "refused: parameter 1 has no value");

    // The trap: bound by position, these two are swapped without an error.
    let taken = books.store.write(|tx| {
        let version = tx.one("SELECT MAX(version) AS newest FROM schema_version", &[], |row| row.int("newest"))?;
        let take = "UPDATE schema_version SET checked_at = checked_at - $2 WHERE version = $1";
        let changed = tx.execute(take, &[&version, &1000])?;
        let left = tx.one("SELECT checked_at FROM schema_version", &[], |row| row.int("checked_at"))?;
        Ok((changed, left))
    });
    assert_eq!(taken.unwrap(), (1, Some(NOW.millis() - 1000)));
}

#[test]
fn a_reader_writes_nothing_whatever_it_is_asked() {
    let books = Books::open();
    let add = "INSERT INTO users (account, id, created_at) VALUES (1, 'a', 0) RETURNING account";
    assert!(words(books.store.read(|tx| Ok(tx.execute(add, &[])?))).contains("read-only connection"));
    // A server that takes no writes is one that has lost its place to another.
    let says = if postgres::is_chosen() { "unavailable" } else { "readonly" };
    assert!(words(books.store.read(|tx| tx.all(add, &[], |row| row.int("account")))).contains(says));
    assert_eq!(count_users(&books.store), 0);
}

#[test]
fn a_reader_sees_one_moment_and_gives_its_connection_back_however_it_ends() {
    let books = Books::open();
    let add = |number| books.store.write(move |tx| add_user(tx, number)).unwrap();
    // More often than there are connections.
    for number in 0..10 {
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            books.store.read(|tx| -> Result<()> {
                let count =
                    |tx: &mut dyn Tx| tx.one("SELECT COUNT(*) AS users FROM users", &[], |row| row.int("users"));
                let before = count(tx).unwrap();
                add(number);
                assert_eq!(count(tx).unwrap(), before, "the snapshot moved");
                // Not a panic, which would be printed ten times; it unwinds all the same.
                std::panic::resume_unwind(Box::new("ended"))
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(count_users(&books.store), i64::try_from(number).unwrap() + 1, "an old snapshot was kept");
    }
}

/// A function of the store by its name.
pub type Row = (&'static str, fn(&mut dyn Tx) -> Result<()>);

fn backup() -> backups::Backup {
    backups::Backup { made_at: NOW, place: "-".to_owned(), bytes: 1 }
}

/// Each function of the store, with arguments that need not mean anything.
const EACH: &[Row] = &[
    ("users::put", |tx| add_user(tx, 1)),
    ("users::put again", |tx| add_user(tx, 1)),
    ("users::by_id", |tx| users::by_id(tx, "user_1").map(drop)),
    ("users::find", |tx| users::find(tx, "user_1").map(drop)),
    ("users::by_account", |tx| users::by_account(tx, 1).map(drop)),
    ("users::list", |tx| users::list(tx, None, 0, 10).map(drop)),
    ("users::list by e-mail", |tx| users::list(tx, Some("a@example.com"), 0, 10).map(drop)),
    ("users::balance_of", |tx| users::balance_of(tx, 1).map(drop)),
    ("customers::current", |tx| customers::current(tx, 1, "cust_1", "", NOW).map(drop)),
    ("customers::link", |tx| customers::link(tx, &customer(), "cus_1", NOW).map(drop)),
    ("customers::add_change", |tx| customers::add_change(tx, 1, "change_1", "", NOW)),
    ("customers::due_changes", |tx| customers::due_changes(tx, NOW, 10).map(drop)),
    ("customers::first_change", |tx| customers::first_change(tx, 1).map(drop)),
    ("customers::decide_change taken", |tx| customers::decide_change(tx, &change(), &ChangeOutcome::Taken, NOW)),
    ("customers::decide_change refused", |tx| customers::decide_change(tx, &change(), &ChangeOutcome::Refused, NOW)),
    ("customers::decide_change postponed", |tx| customers::decide_change(tx, &change(), &postponed(), NOW)),
    ("customers::refused", |tx| customers::refused(tx, &customer(), NOW)),
    ("customers::linked", |tx| customers::linked(tx, 1).map(drop)),
    ("customers::tie", |tx| customers::tie(tx, 1, "cus_2", LinkSource::Checkout, NOW).map(drop)),
    ("customers::tie again", |tx| customers::tie(tx, 1, "cus_2", LinkSource::Operator, NOW).map(drop)),
    ("customers::of_account", |tx| customers::of_account(tx, 1).map(drop)),
    ("customers::account_of", |tx| customers::account_of(tx, "cus_1").map(drop)),
    ("customers::gone", |tx| customers::gone(tx, "cus_1", NOW).map(drop)),
    ("stripe_account::bind", |tx| stripe_account::bind(tx, &account()).map(drop)),
    ("stripe_account::find", |tx| stripe_account::find(tx).map(drop)),
    ("stripe_account::newest_customers", |tx| stripe_account::newest_customers(tx, 3).map(drop)),
    ("stripe_account::contents", |tx| stripe_account::contents(tx).map(drop)),
    ("inbox::remove_probe", |tx| inbox::remove_probe(tx, "evt_till_1", "till.probe").map(drop)),
    ("orders::add", |tx| orders::add(tx, &order()).map(drop)),
    ("orders::open_plan", |tx| orders::open_plan(tx, 1).map(drop)),
    ("orders::plan_without_subscription", |tx| orders::plan_without_subscription(tx, 1, NOW).map(drop)),
    ("orders::subscribed", |tx| orders::subscribed(tx, "ord_1", "sub_1")),
    ("orders::opened", |tx| orders::opened(tx, "ord_1", "cs_1", None, None, NOW).map(drop)),
    ("orders::refused", |tx| orders::refused(tx, "ord_1", NOW)),
    ("orders::set pending", |tx| orders::set(tx, "ord_1", Fact::Pending, NOW).map(drop)),
    ("orders::set paid", |tx| orders::set(tx, "ord_1", Fact::Paid, NOW).map(drop)),
    ("orders::set failed", |tx| orders::set(tx, "ord_1", Fact::Failed, NOW).map(drop)),
    ("orders::set expired", |tx| orders::set(tx, "ord_1", Fact::Expired, NOW).map(drop)),
    ("orders::by_session", |tx| orders::by_session(tx, "cs_1").map(drop)),
    ("orders::by_id", |tx| orders::by_id(tx, "ord_1").map(drop)),
    ("orders::failed", |tx| orders::failed(tx, 1, NOW).map(drop)),
    ("orders::pending", |tx| orders::pending(tx, 1, NOW).map(drop)),
    ("payments::add", |tx| payments::add(tx, &payment()).map(drop)),
    ("entries::post", post),
    ("payments::find", |tx| payments::find(tx, "cs_1").map(drop)),
    ("payments::add_stripe_ids", |tx| payments::add_stripe_ids(tx, "pi_1", charge())),
    ("payments::add_linked_ids", |tx| payments::add_linked_ids(tx, "pi_1")),
    ("payments::plan_of_lot", |tx| payments::plan_of_lot(tx, 1, 1).map(drop)),
    ("payments::has_later_lot", |tx| payments::has_later_lot(tx, 1, ["starter", "pro"], 1, NOW).map(drop)),
    ("payments::lots_of", |tx| payments::lots_of(tx, "pi_1").map(drop)),
    ("payments::link_invoice", |tx| payments::link_invoice(tx, "pi_1", "in_1")),
    ("payments::invoice_of", |tx| payments::invoice_of(tx, "pi_1").map(drop)),
    ("payments::raise_refunded_total", |tx| payments::raise_refunded_total(tx, "pi_1", 1, NOW)),
    ("payments::put_refund", |tx| payments::put_refund(tx, "pi_1", &refund(RefundState::Succeeded))),
    ("payments::put_refund again", |tx| payments::put_refund(tx, "pi_1", &refund(RefundState::Failed))),
    ("payments::refunded", |tx| payments::refunded(tx, &payment()).map(drop)),
    ("payments::put_credit_note", |tx| payments::put_credit_note(tx, "pi_1", &credit_note(None))),
    ("payments::put_credit_note again", |tx| payments::put_credit_note(tx, "pi_1", &credit_note(Some(NOW)))),
    ("payments::credited_back", |tx| payments::credited_back(tx, "pi_1").map(drop)),
    ("payments::put_dispute", |tx| payments::put_dispute(tx, "pi_1", &dispute(), NOW).map(drop)),
    ("payments::withheld", |tx| payments::withheld(tx, "pi_1").map(drop)),
    ("payments::set_totals", |tx| payments::set_totals(tx, "pi_1", 100, 1, 1)),
    ("allotments::plan", |tx| allotments::plan(tx, &part()).map(drop)),
    ("allotments::due", |tx| allotments::due(tx, NOW, 10).map(drop)),
    ("allotments::resume", |tx| allotments::resume(tx, "pi_1")),
    ("payments::has_untold_refunds", |tx| payments::has_untold_refunds(tx, "pi_1").map(drop)),
    ("allotments::postpone", |tx| allotments::postpone(tx, "pi_1", 1, NOW)),
    ("allotments::mark_posted", |tx| allotments::mark_posted(tx, "pi_1", 1, NOW).map(drop)),
    ("allotments::add_period", |tx| allotments::add_period(tx, &plan_period())),
    ("allotments::period_of_line", |tx| allotments::period_of_line(tx, "in_1", "il_1").map(drop)),
    ("allotments::periods_around", |tx| allotments::periods_around(tx, 1, NOW, NOW).map(drop)),
    ("allotments::has_period", |tx| allotments::has_period(tx, "sub_1", NOW).map(drop)),
    ("prices::put", |tx| prices::put(tx, "price_1", "usd", 900)),
    ("prices::amount", |tx| prices::amount(tx, "price_1", "usd").map(drop)),
    ("subscriptions::put", |tx| subscriptions::put(tx, &subscription(), Source::Creation, NOW).map(drop)),
    ("subscriptions::put again", |tx| subscriptions::put(tx, &subscription(), Source::Answer, NOW).map(drop)),
    ("subscriptions::put of the same second", |tx| put_paused(tx, NOW)),
    ("subscriptions::put once more", |tx| put_paused(tx, NOW)),
    ("subscriptions::put of a later second", |tx| put_paused(tx, NOW.plus_seconds(1))),
    ("subscriptions::put again, later", |tx| put_paused(tx, NOW.plus_seconds(2))),
    ("subscriptions::unsure_at", |tx| subscriptions::unsure_at(tx, "sub_1").map(drop)),
    ("subscriptions::find", |tx| subscriptions::find(tx, "sub_1").map(drop)),
    ("subscriptions::account_of_customer", |tx| subscriptions::account_of_customer(tx, "cus_1").map(drop)),
    ("subscriptions::has_any", |tx| subscriptions::has_any(tx, 1).map(drop)),
    ("subscriptions::live_of", |tx| subscriptions::live_of(tx, 1).map(drop)),
    ("subscriptions::ask_no_more", |tx| subscriptions::ask_no_more(tx, "sub_1", NOW)),
    ("subscriptions::mark_unsure", |tx| subscriptions::mark_unsure(tx, "sub_1", NOW)),
    ("scheduled_changes::put", |tx| scheduled_changes::put(tx, &scheduled_change())),
    ("scheduled_changes::of", |tx| scheduled_changes::of(tx, "sub_1").map(drop)),
    ("scheduled_changes::clear", |tx| scheduled_changes::clear(tx, "sub_1")),
    ("subscriptions::unsure", |tx| subscriptions::unsure(tx, 10).map(drop)),
    ("open_invoices::put", |tx| open_invoices::put(tx, "sub_1", Some(&open_invoice()))),
    ("open_invoices::find", |tx| open_invoices::find(tx, "sub_1").map(drop)),
    ("open_invoices::put none", |tx| open_invoices::put(tx, "sub_1", None)),
    ("receipts::put_next_payment", |tx| receipts::put_next_payment(tx, "sub_1", Some((900, "usd")))),
    ("receipts::next_payment", |tx| receipts::next_payment(tx, "sub_1").map(drop)),
    ("receipts::put_next_payment none", |tx| receipts::put_next_payment(tx, "sub_1", None)),
    ("receipts::put_charge", |tx| receipts::put_charge(tx, &charge_record())),
    ("receipts::put_document", |tx| receipts::put_document(tx, "in_1", Some("A-1"), None)),
    ("receipts::last_means", |tx| receipts::last_means(tx, 1).map(drop)),
    ("receipts::newest", |tx| receipts::newest(tx, 1, 10).map(drop)),
    ("receipts::within", |tx| receipts::within(tx, 1, NOW, NOW, 10).map(drop)),
    ("receipts::find", |tx| receipts::find(tx, 1, "pi_1").map(drop)),
    ("receipts::erase", |tx| receipts::erase(tx, 1)),
    ("receipts::of_lots", |tx| receipts::of_lots(tx, 1, 1..=9).map(drop)),
    ("lot_records::lots", |tx| lot_records::lots(tx, 1, 10).map(drop)),
    ("lot_records::holds", |tx| lot_records::holds(tx, 1, 10).map(drop)),
    ("lot_records::parts_from", |tx| lot_records::parts_from(tx, 1, 1, 10).map(drop)),
    ("holds::unused", |tx| holds::unused(tx, 1, [NOW, NOW], 10).map(drop)),
    ("users::set_locale", |tx| users::set_locale(tx, 1, Language::De)),
    ("cursors::find", |tx| cursors::find(tx, "a").map(drop)),
    ("cursors::advance", |tx| cursors::advance(tx, "a", NOW, NOW)),
    ("cursors::put", |tx| cursors::put(tx, "a", NOW, NOW)),
    ("cursors::forget", |tx| cursors::forget(tx, "a")),
    ("entries::by_reason", |tx| entries::by_reason(tx, 1, "grant_1").map(drop)),
    ("entries::newest", |tx| entries::newest(tx, 1, 10, 10).map(drop)),
    ("proof::entries_after", |tx| proof::entries_after(tx, 0, 0, 10).map(drop)),
    ("proof::entries_of_account_after", |tx| proof::entries_of_account_after(tx, 1, 0, 10).map(drop)),
    ("proof::misplaced_rows", |tx| proof::misplaced_rows(tx, 1).map(drop)),
    ("proof::lots_digest", |tx| proof::lots_digest(tx, 1).map(drop)),
    ("anchors::take", |tx| anchors::take(tx, NOW).map(drop)),
    ("backups::record", |tx| backups::record(tx, &backup()).map(drop)),
    ("backups::last", |tx| backups::last(tx).map(drop)),
    ("anchors::taken", |tx| anchors::taken(tx).map(drop)),
    ("anchors::heads_after", |tx| anchors::heads_after(tx, 1, 0, 10).map(drop)),
    ("anchors::covered", |tx| anchors::covered(tx, 1, 1).map(drop)),
    ("users::set_imported", |tx| users::set_imported(tx, 1, NOW)),
    ("users::imported_at", |tx| users::imported_at(tx, 1).map(drop)),
    ("audit::is_recorded", |tx| audit::is_recorded(tx, "user_added", "user_1").map(drop)),
    ("audit::add", |tx| audit::add(tx, (&Actor::till(), NOW), "user_added", Some("user_1"), None)),
    ("proof::displaced_holds", |tx| proof::displaced_holds(tx, 1).map(drop)),
    ("entries::erase_notes", |tx| entries::erase_notes(tx, 1, 0, 10).map(drop)),
    ("entries::of_account_after", |tx| entries::of_account_after(tx, 1, 0, 10).map(drop)),
    ("entries::spent_by_day", |tx| entries::spent_by_day(tx, 1, 0, NOW).map(drop)),
    ("entries::accounts_due", |tx| entries::accounts_due(tx, NOW, 10).map(drop)),
    ("entries::load", |tx| entries::load(tx, 1, None).map(drop)),
    ("entries::load of a payment", |tx| entries::load(tx, 1, Some("pi_1")).map(drop)),
    ("lots::expiring", |tx| lots::expiring(tx, 1).map(drop)),
    ("lots::open", |tx| lots::open(tx, 1).map(drop)),
    ("lots::newest_of_plans", |tx| lots::newest_of_plans(tx, 1).map(drop)),
    ("lots::to_notify", |tx| lots::to_notify(tx, NOW, NOW, 10).map(drop)),
    ("lots::mark_notified", |tx| lots::mark_notified(tx, EndingLot { account: 1, expires_at: NOW }, false, NOW)),
    ("lots::mark_notified of the empty", |tx| {
        lots::mark_notified(tx, EndingLot { account: 1, expires_at: NOW }, true, NOW)
    }),
    ("entries::find_of_user", |tx| entries::find_of_user(tx, "user_1").map(drop)),
    ("AccountRow::with_lots", |tx| with_lots(tx, None)),
    ("AccountRow::with_lots of a payment", |tx| with_lots(tx, Some("pi_1"))),
    ("entries::post from the front lot", post_from_front),
    ("users::with_all", |tx| users::with_all(tx, "user_1").map(drop)),
    ("users::with_all_by_account", |tx| users::with_all_by_account(tx, 1).map(drop)),
    ("holds::add", |tx| holds::add(tx, 1, "k", &[Part { lot: 1, units: 5 }], None, TIMES).map(drop)),
    ("holds::find", |tx| holds::find(tx, 1, 1).map(drop)),
    ("holds::by_key", |tx| holds::by_key(tx, 1, "k").map(drop)),
    ("proof::holds_after", |tx| proof::holds_after(tx, 1, 0, 10).map(drop)),
    ("holds::erase_notes", |tx| holds::erase_notes(tx, 1, [0, 10], NOW).map(drop)),
    ("holds::parts", |tx| holds::parts(tx, 1, 1).map(drop)),
    ("proof::held_by_lot", |tx| proof::held_by_lot(tx, 1).map(drop)),
    ("proof::holds_made", |tx| proof::holds_made(tx, 1).map(drop)),
    ("proof::hold_mismatches", |tx| proof::hold_mismatches(tx, 1).map(drop)),
    ("holds::next_end", |tx| holds::next_end(tx, 1).map(drop)),
    ("holds::claim_over", |tx| holds::claim_over(tx, 1, NOW).map(drop)),
    ("holds::claim_capture", |tx| holds::claim_capture(tx, &hold(), 1, NOW).map(drop)),
    ("holds::claim_release", |tx| holds::claim_release(tx, &hold(), NOW).map(drop)),
    ("confirmations::find", |tx| confirmations::find(tx, "pi_1").map(drop)),
    ("confirmations::page", |tx| confirmations::page(tx, (NOW, ""), NOW, 10).map(drop)),
    ("confirmations::confirm", |tx| confirmations::confirm(tx, "pi_1", NOW)),
    ("confirmations::put_in_doubt", |tx| confirmations::put_in_doubt(tx, "pi_1", "Stripe does not know it")),
    ("confirmations::in_doubt", |tx| confirmations::in_doubt(tx, "", 10).map(drop)),
    ("confirmations::count_in_doubt", |tx| confirmations::count_in_doubt(tx).map(drop)),
    ("confirmations::is_assigned", is_assigned),
    ("confirmations::mark_reversed", |tx| confirmations::mark_reversed(tx, "pi_1", NOW).map(drop)),
    ("confirmations::is_reversed", |tx| confirmations::is_reversed(tx, "pi_1").map(drop)),
    ("proof::accounts_after", |tx| proof::accounts_after(tx, 0, 10).map(drop)),
    ("proof::users_without_account", |tx| proof::users_without_account(tx, 10).map(drop)),
    ("proof::lots_after", |tx| proof::lots_after(tx, 1, 0, 10).map(drop)),
    ("proof::payment_mismatches", |tx| proof::payment_mismatches(tx).map(drop)),
    ("proof::reason_mismatches", |tx| proof::reason_mismatches(tx, 1).map(drop)),
    ("entries::find", |tx| entries::find(tx, 1).map(drop)),
    ("proof::is_owned", |tx| proof::is_owned(tx, 1).map(drop)),
    ("inbox::add", |tx| inbox::add(tx, &event(), &waiting()).map(drop)),
    ("inbox::decide", |tx| inbox::decide(tx, "evt_1", &waiting(), NOW)),
    ("inbox::assign", |tx| inbox::assign(tx, "evt_1", 1, Some("starter"))),
    ("inbox::by_id", |tx| inbox::by_id(tx, "evt_1").map(drop)),
    ("inbox::waiting_for", |tx| inbox::waiting_for(tx, "cs_1", 10).map(drop)),
    ("inbox::dismiss", |tx| inbox::dismiss(tx, "evt_1", "not ours", NOW).map(drop)),
    ("inbox::dismissal", |tx| inbox::dismissal(tx, "cs_1").map(drop)),
    ("inbox::reopen", |tx| inbox::reopen(tx, "cs_1")),
    ("inbox::unapplied_of_customer", |tx| inbox::unapplied_of_customer(tx, "cus_1", 10).map(drop)),
    ("inbox::to_retry", |tx| inbox::to_retry(tx, NOW, 10).map(drop)),
    ("inbox::newest", |tx| inbox::newest(tx, None, (NOW, "z"), 10).map(drop)),
    ("inbox::newest by status", |tx| inbox::newest(tx, Some(Status::Waiting), (NOW, "z"), 10).map(drop)),
    ("inbox::count", |tx| inbox::count(tx).map(drop)),
    ("inbox::remove_bodies", |tx| inbox::remove_bodies(tx, NOW, 10).map(drop)),
    ("inbox::bodies_to_reduce", |tx| inbox::bodies_to_reduce(tx, NOW, 10).map(drop)),
    ("inbox::reduce_body", |tx| inbox::reduce_body(tx, "evt_1", Some("{}"), NOW)),
    ("prices::all_of", |tx| prices::all_of(tx, "price_1").map(drop)),
    ("proof::lot_costs_after", |tx| proof::lot_costs_after(tx, 1, 0, 10).map(drop)),
    ("proof::hold_times_after", |tx| proof::hold_times_after(tx, 1, 0, 10).map(drop)),
    ("payments::refundable", |tx| payments::refundable(tx, &payment()).map(drop)),
    ("subscriptions::of_account", |tx| subscriptions::of_account(tx, 1, 10).map(drop)),
    ("holds::open_of", |tx| holds::open_of(tx, 1, 10).map(drop)),
    ("proof::cost_mismatches", |tx| proof::cost_mismatches(tx).map(drop)),
    ("figures::page", |tx| figures::page(tx, (0, ""), i64::MAX, 10).map(drop)),
    ("figures::outstanding", |tx| figures::outstanding(tx).map(drop)),
    ("figures::payments_after", |tx| figures::payments_after(tx, "", 10).map(drop)),
    ("figures::add_money", |tx| figures::add_money(tx, ["", "z"], &mut Default::default())),
    ("figures::add_users", |tx| figures::add_users(tx, 0, 10, &mut Default::default()).map(drop)),
    ("figures::subscriptions", |tx| figures::subscriptions(tx).map(drop)),
    ("figures::counted_subscriptions", |tx| figures::counted_subscriptions(tx).map(drop)),
    ("figures::users", |tx| figures::users(tx).map(drop)),
    ("outbox::count", |tx| outbox::count(tx).map(drop)),
    ("users::low_balance_of", |tx| users::low_balance_of(tx, 1).map(drop)),
    ("users::set_low_balance", |tx| users::set_low_balance(tx, 1, Some(5))),
    ("webhook_endpoints::add", |tx| webhook_endpoints::add(tx, &endpoint()).map(drop)),
    ("webhook_endpoints::all", |tx| webhook_endpoints::all(tx).map(drop)),
    ("webhook_endpoints::find", |tx| webhook_endpoints::find(tx, "hook_1").map(drop)),
    ("webhook_endpoints::wanting", |tx| webhook_endpoints::wanting(tx, "user.reversed").map(drop)),
    ("webhook_endpoints::roll", |tx| webhook_endpoints::roll(tx, "hook_1", &Secret::new("whsec_2"), NOW).map(drop)),
    ("outbox::write", |tx| outbox::write(tx, &message(), &["hook_1".to_owned()])),
    ("outbox::due", |tx| outbox::due(tx, "hook_1", NOW, 10).map(drop)),
    ("outbox::endpoints_due", |tx| outbox::endpoints_due(tx, NOW).map(drop)),
    ("outbox::record_attempt", record_attempt),
    ("outbox::list", |tx| outbox::list(tx, false, None, 10).map(drop)),
    ("outbox::list of the parked", |tx| outbox::list(tx, true, None, 10).map(drop)),
    ("outbox::parked", |tx| outbox::parked(tx, 10).map(drop)),
    ("outbox::not_delivered", |tx| outbox::not_delivered(tx, "msg_1").map(drop)),
    ("outbox::reopen", reopen),
    ("outbox::remove_old", |tx| outbox::remove_old(tx, NOW, NOW, 10).map(drop)),
    ("webhook_endpoints::set_disabled", |tx| webhook_endpoints::set_disabled(tx, "hook_1", Some(NOW)).map(drop)),
    ("webhook_endpoints::set_disabled off", |tx| webhook_endpoints::set_disabled(tx, "hook_1", None).map(drop)),
    ("webhook_endpoints::remove", |tx| webhook_endpoints::remove(tx, "hook_1", 10).map(drop)),
    ("mails::add", |tx| mails::add(tx, &mail()).map(drop)),
    ("mails::add again", |tx| mails::add(tx, &mail()).map(drop)),
    ("mails::count_to", |tx| mails::count_to(tx, "a@b.example", "welcome", NOW).map(drop)),
    ("mails::due", |tx| mails::due(tx, NOW, 10).map(drop)),
    ("mails::is_due", |tx| mails::is_due(tx, NOW).map(drop)),
    ("mails::record_attempt again", |tx| record_mail(tx, Some("no"), MailOutcome::Again(NOW))),
    ("mails::record_attempt", |tx| record_mail(tx, None, MailOutcome::Sent)),
    ("mails::count", |tx| mails::count(tx, NOW).map(drop)),
    ("mails::remove_old", |tx| mails::remove_old(tx, NOW, 10).map(drop)),
    ("mails::erase", |tx| mails::erase(tx, 1, NOW)),
    ("mails::choose", |tx| mails::choose(tx, 1, "welcome", false, NOW).map(drop)),
    ("mails::choose again", |tx| mails::choose(tx, 1, "welcome", true, NOW).map(drop)),
    ("mails::refused_kinds", |tx| mails::refused_kinds(tx, 1).map(drop)),
    ("mails::is_refused", |tx| mails::is_refused(tx, 1, "welcome").map(drop)),
    ("mails::keep_key", |tx| mails::keep_key(tx, &[1; 32], NOW).map(drop)),
    ("access::add_token", |tx| access::add_token(tx, &token(), &[1; 32])),
    ("access::token_by_hash", |tx| access::token_by_hash(tx, &[1; 32]).map(drop)),
    ("access::tokens", |tx| access::tokens(tx).map(drop)),
    ("access::token_used", |tx| access::token_used(tx, "tok_1", NOW)),
    ("access::revoke_token", |tx| access::revoke_token(tx, "tok_1", NOW).map(drop)),
    ("access::add_login_link", |tx| access::add_login_link(tx, &[2; 32], 1, None, NOW, NOW.plus_seconds(1))),
    ("access::login_link_account", |tx| access::login_link_account(tx, &[2; 32], NOW).map(drop)),
    ("access::use_login_link", |tx| access::use_login_link(tx, &[2; 32], NOW).map(drop)),
    ("access::remove_ended_links", |tx| access::remove_ended_links(tx, NOW).map(drop)),
    ("access::remove_links_of", |tx| access::remove_links_of(tx, 1).map(drop)),
    ("access::tokens_of", |tx| access::tokens_of(tx, 1).map(drop)),
    ("payments::of_account", |tx| payments::of_account(tx, 1, 10).map(drop)),
];

/// What is said of a statement that cannot be run, whatever the tables hold: by the store and SQLite, and by PostgreSQL.
const ABOUT_SQL: &str = "syntax error|no such|values for|has no value|does not exist|could not determine|ambiguous|must \
    appear in the GROUP BY|cannot be matched|of type|violates not-null|there is no parameter";

/// Runs each statement, on nothing and after those before it.
pub fn each_runs(each: &[Row]) {
    let (empty, books) = (Books::open(), Books::open_in_relocation());
    for (name, run) in each {
        // On nothing, then for good: the later ones find what the earlier ones made.
        let alone: Result<()> = empty.store.dry_run(*run);
        if let Err(Error::Fault(fault)) = alone {
            let fault = fault.to_string();
            assert!(!ABOUT_SQL.split('|').any(|words| fault.contains(words)), "{name}, on an empty database: {fault}");
        }
        books.store.write(*run).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

fn is_assigned(tx: &mut dyn Tx) -> Result<()> {
    let payment = confirmations::find(tx, "pi_1")?;
    payment.map_or(Ok(()), |payment| confirmations::is_assigned(tx, &payment).map(drop))
}

fn put_paused(tx: &mut dyn Tx, as_of: Timestamp) -> Result<()> {
    let paused = Subscription { status: "paused".into(), as_of, ..subscription() };
    subscriptions::put(tx, &paused, Source::Change { before: None }, NOW).map(drop)
}

#[test]
fn every_statement_is_one_and_runs() {
    each_runs(EACH);
}
