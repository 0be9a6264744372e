//! What a user has left, as a number, a meter and sentences.

use crate::catalog::UnitWords;
use crate::http::pages::words::capitalised;
use crate::language::Language;
use crate::store::lots::ExpiringUnits;
use crate::usecase::users::UserSnapshot;
use crate::usecase::users::lots_by_origin::{LotsByOrigin, LotsSum};

/// The length of the meter in the units of its drawing.
const METER: i64 = 1000;

#[derive(Clone, Debug)]
pub(crate) struct UnitsView {
    pub words: UnitWords,
    pub language: Language,
    /// The sum of the ledger. Negative when a reversal took back units that were spent.
    pub remaining: i64,
    /// Of these, set aside by open holds.
    pub held: i64,
    /// All units ever credited.
    pub total: i64,
    /// What the lots that are open were when they were credited. The meter is full at this number.
    pub full: i64,
    /// Under the meter: `80 of 100 this month · 40 from packs until 3 Dec 2026`. `None` where nothing is left.
    pub lots: Option<String>,
    /// `40 pictures expire on 3 Dec 2026.`
    pub expiring: Vec<String>,
}

/// Times of expiry that are listed one by one.
const EXPIRING_SHOWN: usize = 3;

impl UnitsView {
    pub(super) fn of(member: &UserSnapshot, lots: &LotsByOrigin, words: &UnitWords, language: Language) -> UnitsView {
        let balance = member.balance;
        let this_month = lots.this_month.unwrap_or_default();
        let sums = [this_month, lots.earlier_months, lots.packs, lots.gifts];
        UnitsView {
            words: words.clone(),
            language,
            remaining: balance.remaining,
            held: balance.held,
            total: balance.total,
            full: sums.iter().fold(0, |full: i64, sum| full.saturating_add(sum.of)),
            lots: lots_sentence(lots, language),
            expiring: expiring_sentences(&member.expiring, words, language),
        }
    }

    /// `Pictures`.
    pub(crate) fn heading(&self) -> String {
        capitalised(self.words.many(self.language))
    }

    pub(crate) fn number(&self) -> String {
        self.language.number(self.remaining)
    }

    /// `pictures left`, for one and for many; what the script shows when the number changes.
    pub(crate) fn label_of(&self, count: i64) -> String {
        self.language.units_left(self.words.noun(count, self.language))
    }

    /// `picture` or `pictures`.
    pub(crate) fn noun_of(&self, count: i64) -> &str {
        self.words.noun(count, self.language)
    }

    /// A long number is written smaller.
    pub(crate) fn number_class(&self) -> Option<&'static str> {
        match self.number().len() {
            0..=7 => None,
            8..=11 => Some("long"),
            _ => Some("longer"),
        }
    }

    /// The words after the number: `pictures left`, or `pictures` for a debt.
    pub(crate) fn label(&self) -> String {
        let noun = self.words.noun(self.remaining, self.language);
        if self.is_in_debt() { noun.to_owned() } else { self.language.units_left(noun) }
    }

    pub(crate) fn is_in_debt(&self) -> bool {
        self.remaining < 0
    }

    pub(crate) fn debt_sentence(&self) -> String {
        self.language.units_debt(self.number(), self.words.many(self.language))
    }

    /// The meter in words, for screen readers.
    pub(crate) fn meter_text(&self) -> String {
        let full = self.words.count(self.full.max(self.meter_now()), self.language);
        self.language.units_of_left(self.language.number(self.remaining.max(0)), full)
    }

    /// What is held and what can be used. `None` when nothing is held.
    pub(crate) fn held_sentence(&self) -> Option<String> {
        let free = self.words.count(self.remaining.saturating_sub(self.held).max(0), self.language);
        let held = self.words.count(self.held, self.language);
        (self.held > 0).then(|| self.language.units_held(self.held, held, free))
    }

    /// The meter's value, never negative.
    pub(crate) fn meter_now(&self) -> i64 {
        self.remaining.clamp(0, self.meter_full())
    }

    /// The meter's end: what the open lots were, but at least the balance and at least 1.
    pub(crate) fn meter_full(&self) -> i64 {
        self.full.max(self.remaining).max(1)
    }

    pub(crate) fn free_length(&self) -> i64 {
        self.length(self.remaining.saturating_sub(self.held))
    }

    pub(crate) fn held_length(&self) -> i64 {
        self.length(self.remaining).saturating_sub(self.free_length()).max(0)
    }

    pub(crate) fn meter_length(&self) -> i64 {
        METER
    }

    /// The length of a part of the meter. Even a few units get a visible length.
    fn length(&self, units: i64) -> i64 {
        if units <= 0 {
            return 0;
        }
        let share = i128::from(units) * i128::from(METER) / i128::from(self.meter_full());
        i64::try_from(share).unwrap_or(METER).clamp(12, METER)
    }
}

/// What the lots are, and what is left of them.
fn lots_sentence(lots: &LotsByOrigin, language: Language) -> Option<String> {
    let part = |sum: &LotsSum, words: &dyn Fn(String) -> String| {
        let part = words(language.number(sum.left));
        let part = match sum.until {
            Some(at) => language.units_until(part, language.date(at)),
            None => part,
        };
        (sum.left > 0).then_some(part)
    };
    let this_month = lots.this_month;
    let this_month =
        this_month.map(|sum| language.units_this_month(language.number(sum.left), language.number(sum.of)));
    let parts = [
        this_month,
        part(&lots.earlier_months, &|left| language.units_from_earlier(left)),
        part(&lots.packs, &|left| language.units_from_packs(left)),
        part(&lots.gifts, &|left| language.units_as_gift(left)),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

fn expiring_sentences(expiring: &[ExpiringUnits], words: &UnitWords, language: Language) -> Vec<String> {
    let sentence = |part: &ExpiringUnits| {
        language.units_expire(part.units, words.count(part.units, language), language.date(part.at))
    };
    let mut sentences: Vec<String> = expiring.iter().take(EXPIRING_SHOWN).map(sentence).collect();
    let later = expiring.iter().skip(EXPIRING_SHOWN).fold(0, |sum: i64, part| sum.saturating_add(part.units));
    if later > 0 {
        sentences.push(language.units_more_later(language.number(later)));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::clock::Timestamp;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_seconds(1_796_256_000 + day * 86_400)
    }

    #[test]
    fn what_expires_is_said_the_soonest_first() {
        let words = Catalog::built_in().unit;
        let parts = |units: &[i64]| -> Vec<ExpiringUnits> {
            units.iter().zip(0..).map(|(units, day)| ExpiringUnits { units: *units, at: at(day) }).collect()
        };
        for (units, expected) in [
            (&[][..], &[][..]),
            (&[40], &["40 pictures expire on 3 Dec 2026."]),
            (&[1, 2000], &["1 picture expires on 3 Dec 2026.", "2,000 pictures expire on 4 Dec 2026."]),
            (
                &[1, 2, 3, 4, 5],
                &[
                    "1 picture expires on 3 Dec 2026.",
                    "2 pictures expire on 4 Dec 2026.",
                    "3 pictures expire on 5 Dec 2026.",
                    "9 more later.",
                ],
            ),
        ] {
            assert_eq!(expiring_sentences(&parts(units), &words, Language::En), expected);
        }
    }
}
