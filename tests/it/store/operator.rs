//! What the operator's pages and commands read, and the tables that only they show. The statements run.

use till::clock::Timestamp;
use till::database::Database;
use till::store::audit::AuditFilter;
use till::store::comparisons::ComparisonProgress;
use till::store::inbox::Status;
use till::store::money_records::{self, ReturnKind};
use till::store::outbox::DeliveryPlace;
use till::store::relocation::{self, Direction, Relocation};
use till::store::{
    access, audit, comparisons, directory, figures, holds, inbox, operators, outbox, payment_records, proof, users,
};

use super::rows::payment;
use super::statements::{Row, each_runs};
use super::{Books, NOW, add_user};

const END: Timestamp = Timestamp::from_millis(i64::MAX);

fn place() -> DeliveryPlace {
    DeliveryPlace { parked_at: 1, message: 1, account: 1, endpoint: "hook_1".into() }
}

fn departure() -> Relocation {
    Relocation::begin("a", Direction::Out, &Database::File("b.db".into()), "", NOW)
}

fn progress() -> ComparisonProgress {
    ComparisonProgress { part: Some("events".into()), rows: 1, percent: None }
}

const EACH: &[Row] = &[
    ("users", |tx| add_user(tx, 0)),
    ("users::first_created", |tx| users::first_created(tx).map(drop)),
    ("proof::accounts_of_newest_payments", |tx| proof::accounts_of_newest_payments(tx, 10).map(drop)),
    ("proof::last_account", |tx| proof::last_account(tx).map(drop)),
    ("inbox::count_waiting_since", |tx| inbox::count_waiting_since(tx, END).map(drop)),
    ("inbox::newest_arrival", |tx| inbox::newest_arrival(tx).map(drop)),
    ("figures::units", |tx| figures::units(tx).map(drop)),
    ("holds::units_held", |tx| holds::units_held(tx).map(drop)),
    ("audit::newest", |tx| audit::newest(tx, &AuditFilter::All, 10, 10).map(drop)),
    ("audit::oldest", |tx| audit::oldest(tx).map(drop)),
    ("audit::remove_old", |tx| audit::remove_old(tx, NOW, 10).map(drop)),
    ("audit::newest by actor", |tx| audit::newest(tx, &AuditFilter::Actor("cli".into()), 10, 10).map(drop)),
    ("audit::newest by action", |tx| audit::newest(tx, &AuditFilter::Action("x".into()), 10, 10).map(drop)),
    ("audit::newest by target", |tx| audit::newest(tx, &AuditFilter::Target("x".into()), 10, 10).map(drop)),
    ("operators::add", |tx| operators::add(tx, 1, NOW).map(drop)),
    ("operators::is_one", |tx| operators::is_one(tx, 1).map(drop)),
    ("operators::ids", |tx| operators::ids(tx).map(drop)),
    ("operators::remove", |tx| operators::remove(tx, 1).map(drop)),
    ("comparisons::ask", |tx| comparisons::ask(tx, "cli", NOW).map(drop)),
    ("comparisons::asked", |tx| comparisons::asked(tx).map(drop)),
    ("comparisons::begin", |tx| comparisons::begin(tx, Some(1), "cli", NOW).map(drop)),
    ("comparisons::begin another", |tx| comparisons::begin(tx, None, "till", NOW).map(drop)),
    ("comparisons::advance", |tx| comparisons::advance(tx, 1, &progress(), NOW)),
    ("comparisons::end", |tx| comparisons::end(tx, 1, true, (Some("{}"), None), NOW)),
    ("comparisons::newest", |tx| comparisons::newest(tx, 10, 10).map(drop)),
    ("comparisons::find", |tx| comparisons::find(tx, 1).map(drop)),
    ("comparisons::last", |tx| comparisons::last(tx).map(drop)),
    ("comparisons::agreeing_since", |tx| comparisons::agreeing_since(tx).map(drop)),
    ("comparisons::remove_old", |tx| comparisons::remove_old(tx, NOW, 10).map(drop)),
    ("access::tokens_before", |tx| access::tokens_before(tx, "tok_z", 10).map(drop)),
    ("access::token_by_id", |tx| access::token_by_id(tx, "tok_1").map(drop)),
    ("directory::beginning_with", |tx| directory::beginning_with(tx, "u", 10).map(drop)),
    ("directory::of_stripe_id", |tx| directory::of_stripe_id(tx, "cus_1").map(drop)),
    ("directory::newest", |tx| directory::newest(tx, 10, 10).map(drop)),
    ("directory::actors_of", |tx| directory::actors_of(tx, 1, 10, 10).map(drop)),
    ("directory::mails_of", |tx| directory::mails_of(tx, 1, 10).map(drop)),
    ("directory::failed_mails", |tx| directory::failed_mails(tx, 10).map(drop)),
    ("outbox::count_parked", |tx| outbox::count_parked(tx).map(drop)),
    ("directory::notifications_of", |tx| directory::notifications_of(tx, 1, 10).map(drop)),
    ("payment_records::newest", |tx| payment_records::newest(tx, (END, ""), 10).map(drop)),
    ("payment_records::of_account", |tx| payment_records::of_account(tx, 1, (END, ""), 10).map(drop)),
    ("payment_records::in_doubt", |tx| payment_records::in_doubt(tx, "", 10).map(drop)),
    ("payment_records::disputed", |tx| payment_records::disputed(tx, "", 10).map(drop)),
    ("payment_records::dispute_of", |tx| payment_records::dispute_of(tx, "pi_1").map(drop)),
    ("payment_records::count_disputes", |tx| payment_records::count_disputes(tx).map(drop)),
    ("payment_records::paid_before", |tx| payment_records::paid_before(tx, (NOW, ""), END, 10).map(drop)),
    ("money_records::returns", |tx| {
        ReturnKind::ALL.iter().try_for_each(|kind| money_records::returns(tx, *kind, "", [NOW, END], 10).map(drop))
    }),
    ("payment_records::find", |tx| payment_records::find(tx, "pi_1").map(drop)),
    ("payment_records::returns_of", |tx| payment_records::returns_of(tx, "pi_1").map(drop)),
    ("payment_records::lots_of", |tx| payment_records::lots_of(tx, "pi_1").map(drop)),
    ("payment_records::events_of", |tx| payment_records::events_of(tx, &payment()).map(drop)),
    ("inbox::count_of", |tx| inbox::count_of(tx, Status::Failed).map(drop)),
    ("outbox::list after a place", |tx| outbox::list(tx, false, Some(&place()), 10).map(drop)),
    ("outbox::list of the parked after a place", |tx| outbox::list(tx, true, Some(&place()), 10).map(drop)),
    ("relocation::times", |tx| relocation::times(tx).map(drop)),
    ("relocation::put_times", |tx| relocation::put_times(tx, [None, Some(NOW), None])),
    ("relocation::add", |tx| relocation::add(tx, &departure())),
    ("relocation::end", |tx| relocation::end(tx, NOW)),
    ("relocation::find", |tx| relocation::find(tx).map(drop)),
    ("relocation::remove", relocation::remove),
];

#[test]
fn every_statement_of_the_operator_is_one_and_runs() {
    each_runs(EACH);
}

#[test]
fn one_comparison_waits_at_a_time_and_agreement_lasts_until_a_difference() {
    let books = Books::open();
    let at = |seconds: i64| NOW.plus_seconds(seconds);
    let run = |seconds: i64, agrees: bool| {
        books
            .store
            .write(move |tx| {
                let number = comparisons::begin(tx, None, "till", at(seconds))?;
                comparisons::end(tx, number, agrees, (Some("{}"), None), at(seconds + 1))
            })
            .unwrap();
    };
    let since = || books.store.read(comparisons::agreeing_since).unwrap();
    assert_eq!(since(), None);
    for (seconds, agrees, expected) in
        [(0, true, Some(0)), (10, true, Some(0)), (20, false, None), (30, true, Some(30)), (40, true, Some(30))]
    {
        run(seconds, agrees);
        assert_eq!(since(), expected.map(at), "{seconds}");
    }
    // What ended early says nothing of the books.
    books
        .store
        .write(move |tx| {
            let number = comparisons::begin(tx, None, "till", at(50))?;
            comparisons::end(tx, number, false, (None, Some("Stripe was away")), at(51))
        })
        .unwrap();
    assert_eq!(since(), Some(at(30)));
    let ask = || books.store.write(move |tx| comparisons::ask(tx, "cli", at(60))).unwrap();
    assert!(ask() && !ask());
    let waiting = books.store.read(comparisons::asked).unwrap().unwrap();
    let begun = books.store.write(move |tx| comparisons::begin(tx, Some(waiting), "till", at(61))).unwrap();
    assert_eq!(begun, waiting);
    assert_eq!(books.store.read(|tx| comparisons::find(tx, waiting)).unwrap().unwrap().actor, "cli");
    assert!(ask(), "the next may wait");
}

#[test]
fn two_accounts_may_have_the_same_number_of_a_message_and_the_list_skips_neither() {
    const ENDPOINT: &str = "INSERT INTO webhook_endpoints (id, url, kinds, secret, created_at)
        VALUES ('hook_1', 'https://app.example.com/', '*', 'x', 0)";
    const MESSAGES: &str = "INSERT INTO messages (account, number, id, kind, body, created_at)
        VALUES (1, 7, 'msg_1', 'x', '{}', 0), (2, 7, 'msg_2', 'x', '{}', 0)";
    const DELIVERIES: &str = "INSERT INTO deliveries (account, message, endpoint, give_up_at, parked_at)
        VALUES (1, 7, 'hook_1', 0, 5), (2, 7, 'hook_1', 0, 5)";
    let books = Books::open();
    let written = books.store.write(|tx| {
        (0..2).try_for_each(|number| add_user(tx, number))?;
        [ENDPOINT, MESSAGES, DELIVERIES].into_iter().try_for_each(|sql| tx.execute(sql, &[]).map(drop))?;
        Ok(())
    });
    written.unwrap();
    for only_parked in [false, true] {
        let (mut found, mut place) = (vec![], None);
        while let Some(next) = books.store.read(|tx| outbox::list(tx, only_parked, place.as_ref(), 1)).unwrap().pop() {
            place = Some(next.place());
            found.push(next.message);
        }
        assert_eq!(found, ["msg_2", "msg_1"], "only parked: {only_parked}");
    }
}
