//! The activity in plain words, grouped by day.

use crate::catalog::UnitWords;
use crate::clock::Timestamp;
use crate::http::pages::dashboard::billing::ReceiptView;
use crate::http::pages::words::Moment;
use crate::language::Language;
use crate::ledger::{Entry, Kind};
use crate::store::holds::UnusedHold;
use crate::store::receipts::Receipt;
use crate::usecase::users::activity::Movement;

/// What happened on one day.
#[derive(Clone, Debug)]
pub(crate) struct DayView {
    /// Any time of the day. The script groups again by the reader's own days.
    pub at: Moment,
    /// Newest first.
    pub entries: Vec<EntryView>,
}

#[derive(Clone, Debug)]
pub(crate) struct EntryView {
    /// What happened: `Top-up: 100 pictures`.
    pub words: String,
    pub note: Option<String>,
    /// `60 from Starter of 3 Nov 2026, 20 from the pack of 3 Mar 2026`; where it is worked out.
    pub from: Option<String>,
    /// `Nothing charged`.
    pub remark: Option<&'static str>,
    /// `$9.00 paid`, or of a refund the receipt's name, and where the receipt is.
    pub paid: Option<(String, Option<String>)>,
    /// `+100`, `-3`.
    pub delta: String,
    /// For the colour, which says nothing that the sign does not say.
    pub is_credit: bool,
    /// Empty for what changed no balance.
    pub balance_after: String,
    pub at: Moment,
    /// `05:23 UTC`.
    pub clock: String,
}

impl DayView {
    /// Movements, newest first, by days in UTC.
    pub(crate) fn all(movements: &[Movement], words: &UnitWords, language: Language) -> Vec<DayView> {
        let mut days: Vec<DayView> = vec![];
        for movement in movements {
            let view = EntryView::of_movement(movement, words, language);
            match days.last_mut().filter(|day| day.at.date == view.at.date) {
                Some(day) => day.entries.push(view),
                None => days.push(DayView { at: view.at.clone(), entries: vec![view] }),
            }
        }
        days
    }
}

impl EntryView {
    fn of_movement(movement: &Movement, words: &UnitWords, language: Language) -> EntryView {
        match movement {
            Movement::Entry(entry, receipt) => EntryView::of_entry(entry, receipt.as_deref(), words, language),
            Movement::Unused(hold) => EntryView::of_hold(hold, words, language),
        }
    }

    /// An entry with the payment that it is of.
    pub(crate) fn of_entry(
        entry: &Entry,
        receipt: Option<&Receipt>,
        words: &UnitWords,
        language: Language,
    ) -> EntryView {
        let of_kind = (entry.kind.as_str(), entry.delta, entry.note_text());
        let view = EntryView::of(of_kind, entry.balance_after, entry.created_at, (words, language));
        let paid = receipt.and_then(|receipt| {
            let receipt = ReceiptView::of(receipt, None, language)?;
            match entry.kind {
                // The receipt says what was paid, and not what came back.
                Kind::Refund | Kind::Dispute => receipt.href.map(|href| (receipt.label, Some(href))),
                _ => Some((language.entries_paid(&receipt.amount), receipt.href)),
            }
        });
        EntryView { paid, ..view }
    }

    /// A hold that ended without a charge.
    fn of_hold(hold: &UnusedHold, words: &UnitWords, language: Language) -> EntryView {
        let units = words.count(hold.units, language);
        EntryView {
            words: match hold.is_expired {
                true => language.entries_hold_expired(units),
                false => language.entries_released(units),
            },
            remark: Some(language.entries_nothing_charged()),
            delta: language.number(0),
            is_credit: false,
            balance_after: String::new(),
            ..EntryView::of(("", 0, hold.note.as_deref()), 0, hold.ended_at, (words, language))
        }
    }

    /// `kind` is the word that the API writes, such as `topup` or `spend`.
    pub(crate) fn of(
        (kind, delta, note): (&str, i64, Option<&str>),
        balance_after: i64,
        at: Timestamp,
        (words, language): (&UnitWords, Language),
    ) -> Self {
        EntryView {
            words: sentence(kind, delta, words.count(delta.saturating_abs(), language), language),
            note: note.map(str::trim).filter(|note| !note.is_empty()).map(str::to_owned),
            from: None,
            remark: None,
            paid: None,
            delta: if delta > 0 { format!("+{}", language.number(delta)) } else { language.number(delta) },
            is_credit: delta > 0,
            balance_after: language.number(balance_after),
            at: Moment::of(at, language),
            clock: language.entries_clock(language.clock(at)),
        }
    }
}

/// What an entry of this kind means.
pub(crate) fn sentence(kind: &str, delta: i64, units: String, language: Language) -> String {
    match (kind, delta >= 0) {
        ("topup", true) => language.entries_topup(units),
        ("topup", false) => language.entries_topup_corrected(units),
        ("subscription", true) => language.entries_subscription(units),
        ("subscription", false) => language.entries_plan_changed(units),
        ("spend", false) => language.entries_used(units),
        ("spend", true) => language.entries_returned(units),
        ("grant", true) => language.entries_gift(units),
        ("grant", false) => language.entries_correction(units),
        ("refund", false) => language.entries_refund(units),
        ("refund", true) => language.entries_refund_failed(units),
        ("dispute", false) => language.entries_dispute(units),
        ("dispute", true) => language.entries_dispute_won(units),
        ("expiry", _) => language.entries_expired(units),
        (_, true) => language.entries_added(units),
        (_, false) => language.entries_taken_back(units),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn each_kind_of_row_has_its_words() {
        let words = Catalog::built_in().unit;
        for (kind, delta, expected) in [
            ("topup", 100, "Top-up: 100 pictures"),
            ("subscription", 500, "Subscription: 500 pictures"),
            ("subscription", -40, "Plan changed: 40 pictures taken back"),
            ("spend", -1, "Used 1 picture"),
            ("spend", -3, "Used 3 pictures"),
            ("grant", 1000, "Gift from the operator: 1,000 pictures"),
            ("grant", -5, "Correction by the operator: 5 pictures taken back"),
            ("refund", -100, "Refund: 100 pictures taken back"),
            ("refund", 100, "Refund did not go through: 100 pictures returned"),
            ("dispute", -100, "Payment disputed: 100 pictures taken back"),
            ("dispute", 100, "Dispute settled: 100 pictures returned"),
            ("expiry", -20, "Expired: 20 pictures"),
            ("gift", 1, "Added: 1 picture"),
            ("loss", i64::MIN, "Taken back: 9,223,372,036,854,775,807 pictures"),
        ] {
            let at = Timestamp::from_seconds(1_795_497_780);
            let entry = EntryView::of((kind, delta, Some(" ")), 7, at, (&words, Language::En));
            assert_eq!(entry.words, expected);
            assert_eq!((entry.note, entry.at.date.as_str(), entry.clock.as_str()), (None, "24 Nov 2026", "05:23 UTC"));
        }
    }
}
