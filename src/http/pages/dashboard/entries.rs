//! Entries of the ledger in plain words.

use crate::catalog::UnitWords;
use crate::clock::Timestamp;
use crate::http::pages::words::Moment;
use crate::money::grouped;

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
        words: &UnitWords,
    ) -> Self {
        EntryView {
            words: sentence(kind, delta, words),
            note: note.map(str::trim).filter(|note| !note.is_empty()).map(str::to_owned),
            delta: if delta > 0 { format!("+{}", grouped(delta)) } else { grouped(delta) },
            is_credit: delta > 0,
            balance_after: grouped(balance_after),
            at: Moment::of(at),
        }
    }
}

fn sentence(kind: &str, delta: i64, words: &UnitWords) -> String {
    let units = words.count(delta.saturating_abs());
    match (kind, delta >= 0) {
        ("topup", true) => format!("Top-up: {units}"),
        ("topup", false) => format!("Top-up corrected: {units} taken back"),
        ("subscription", true) => format!("Subscription: {units}"),
        ("subscription", false) => format!("Plan changed: {units} taken back"),
        ("spend", false) => format!("Used {units}"),
        ("spend", true) => format!("Returned unused: {units}"),
        ("grant", true) => format!("Gift from the operator: {units}"),
        ("grant", false) => format!("Correction by the operator: {units} taken back"),
        ("refund", false) => format!("Refund: {units} taken back"),
        ("refund", true) => format!("Refund did not go through: {units} returned"),
        ("dispute", false) => format!("Payment disputed: {units} taken back"),
        ("dispute", true) => format!("Dispute settled: {units} returned"),
        ("expiry", _) => format!("Expired: {units}"),
        (_, true) => format!("Added: {units}"),
        (_, false) => format!("Taken back: {units}"),
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
            let entry = EntryView::of(kind, delta, Some(" "), 7, Timestamp::from_seconds(1_795_497_780), &words);
            assert_eq!(entry.words, expected);
            assert_eq!((entry.note, entry.at.words.as_str()), (None, "24 Nov 2026, 05:23 UTC"));
        }
    }
}
