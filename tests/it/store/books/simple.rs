//! A spend of an account with its front lot alone is the spend that the whole account would have made.

use proptest::prelude::*;
use till::clock::Timestamp;
use till::ledger::{Account, Cost, Currency, Lot, LotChange, Posting, Spend, Units, spend, value_changes};
use till::store::entries::{AccountRow, FrontLot, Lots};

const NOW: Timestamp = Timestamp::from_millis(1000);

fn any_lot() -> impl Strategy<Value = (i64, i64, Option<i64>)> {
    (0i64..50, 0i64..20, proptest::option::of(1001i64..1020))
}

fn account(lots: Vec<(i64, i64, Option<i64>)>) -> Account {
    let cost = |code: &str| Currency::new(code).map(|currency| Cost { amount: 1001, currency });
    let costs = [None, cost("usd"), cost("eur")];
    let mut account = Account { entries: 99, credited: 5000, ..Account::open(7) };
    for (seq, (free, held, expires_at)) in (1..).zip(lots) {
        let (remaining, expires_at) = (free + held, expires_at.map(Timestamp::from_millis));
        account.lots.push(Lot {
            seq,
            units: 100,
            remaining,
            held,
            expired: 0,
            expires_at,
            grace_until: None,
            cost: costs[usize::try_from(seq % 3).unwrap()],
        });
        account.remaining += remaining;
        account.held += held;
    }
    account
}

proptest! {
    #[test]
    fn a_spend_from_the_front_lot_alone_is_the_same_spend(lots in proptest::collection::vec(any_lot(), 0..6), units in 1i64..60) {
        let whole = account(lots);
        let front = whole.front().map(FrontLot::of);
        let account = Account { lots: vec![], ..whole.clone() };
        let row = AccountRow { account, next_due: whole.next_expiry(), low_balance: None, front };
        prop_assume!(row.front_covers(units, NOW));
        let loaded = row.with_front_only();
        prop_assert_eq!(loaded.lots, Lots::FrontOnly);

        let wanted = || Spend { units: Units::new(units).unwrap(), reason: "spend_k".into(), note: None };
        let [from_front, full] = [&loaded.account, &whole].map(|account| spend(account, wanted(), NOW).unwrap());
        prop_assert_eq!(&from_front.entry, &full.entry);
        // What it earns is the same, although no lot but the front one was loaded.
        let earned = |before: &Account, posting: &Posting| value_changes(&before.lots, &posting.after.lots, LotChange::Entry(&posting.entry));
        prop_assert_eq!(earned(&loaded.account, &from_front), earned(&whole, &full));
        let (from_front, full) = (from_front.after, full.after);
        let sums = |account: &Account| (account.remaining, account.held, account.credited, account.entries, account.head);
        prop_assert_eq!(sums(&from_front), sums(&full));
        prop_assert_eq!(full.front().map(|lot| (lot.seq, lot.free())), Some((from_front.lots[0].seq, from_front.lots[0].free())));
        // No other lot is touched.
        for lot in whole.lots.iter().filter(|lot| Some(lot.seq) != front.map(|front| front.seq)) {
            prop_assert!(full.lots.contains(lot));
        }
    }
}
