//! Entries of the ledger in plain words.

use crate::catalog::UnitWords;
use crate::clock::Timestamp;
use crate::http::pages::words::Moment;
use crate::language::Language;

#[derive(Clone, Debug)]
pub(crate) struct EntryView {
    /// What happened: `Top-up: 100 pictures`.
    pub words: String,
    pub note: Option<String>,
    /// `+100`, `-3`.
    pub delta: String,
    /// For the colour, which says nothing that the sign does not say.
    pub is_credit: bool,
    /// With commas.
    pub balance_after: String,
    pub at: Moment,
}

impl EntryView {
    /// `kind` is the word that the API writes, such as `topup` or `spend`.
    pub(crate) fn of(
        kind: &str,
        delta: i64,
        note: Option<&str>,
        balance_after: i64,
        at: Timestamp,
        (words, language): (&UnitWords, Language),
    ) -> Self {
        EntryView {
            words: sentence(kind, delta, words.count(delta.saturating_abs(), language), language),
            note: note.map(str::trim).filter(|note| !note.is_empty()).map(str::to_owned),
            delta: if delta > 0 { format!("+{}", language.number(delta)) } else { language.number(delta) },
            is_credit: delta > 0,
            balance_after: language.number(balance_after),
            at: Moment::of(at, language),
        }
    }
}

fn sentence(kind: &str, delta: i64, units: String, language: Language) -> String {
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
            let entry = EntryView::of(
                kind,
                delta,
                Some(" "),
                7,
                Timestamp::from_seconds(1_795_497_780),
                (&words, Language::En),
            );
            assert_eq!(entry.words, expected);
            assert_eq!((entry.note, entry.at.words.as_str()), (None, "24 Nov 2026, 05:23 UTC"));
        }
    }
}
