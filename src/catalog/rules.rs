//! What every catalogue must satisfy, wherever its parts came from. Checked when the file is read, and again after the
//! environment changed prices and units. Nothing here changes a catalogue or knows of files and variables.

use std::collections::HashMap;

use super::{Catalog, Expiry, Offer};
use crate::ledger::UNITS_LIMIT;
use crate::money::Currency;

/// Plans and packs together.
const ENTRIES_LIMIT: usize = 100;
/// The largest price in minor units: Stripe takes eight digits ("Create a Price", `unit_amount`).
const AMOUNT_LIMIT: i64 = 99_999_999;
/// The longest expiry, about a hundred years.
pub(super) const DAYS_LIMIT: u32 = 36_500;

/// The highest threshold below which a balance is low, in units.
pub const LOW_BALANCE_LIMIT: i64 = UNITS_LIMIT;
const WORDS_LIMIT: usize = 20;
const NAME_LIMIT: usize = 100;
const UNIT_WORD_LIMIT: usize = 40;
/// Stripe: "IDs can be up to 255 characters".
const PRICE_ID_LIMIT: usize = 255;

/// Where in the catalogue something is: the number counts from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Plan(usize),
    Pack(usize),
    /// The catalogue itself.
    Whole,
}

/// Which part of an entry is at fault. The environment may set units and prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Units,
    PriceId,
    Other,
}

/// A rule that a catalogue breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    pub place: Place,
    /// The other entry, where two of them collide.
    pub other: Option<Place>,
    pub field: Field,
    /// What was found and what was expected.
    pub text: String,
}

/// Every rule that the catalogue breaks; none when it is sound.
pub fn breaches(catalog: &Catalog) -> Vec<Breach> {
    let mut found = Vec::new();
    whole(catalog, &mut found);
    for (place, offer) in placed(catalog) {
        entry(place, offer, &mut found);
    }
    steps(catalog, &mut found);
    unique_keys(catalog, &mut found);
    unique_prices(catalog, &mut found);
    found
}

pub(super) fn placed(catalog: &Catalog) -> impl Iterator<Item = (Place, Offer<'_>)> {
    let plans = catalog.plans.iter().enumerate().map(|(index, plan)| (Place::Plan(index), Offer::Plan(plan)));
    plans.chain(catalog.packs.iter().enumerate().map(|(index, pack)| (Place::Pack(index), Offer::Pack(pack))))
}

/// The fewest and the most units that this entry may have.
fn units_limits(offer: Offer<'_>) -> (i64, i64) {
    match offer {
        Offer::Plan(plan) if plan.amount == 0 => (0, 0),
        Offer::Plan(_) => (0, UNITS_LIMIT),
        Offer::Pack(_) => (1, UNITS_LIMIT),
    }
}

/// What is wrong with a Stripe price id, or `None`. Prices made from old plans may have any id, so only what cannot be
/// one is refused. The message does not repeat the text: it may be a secret key in the wrong place.
pub fn price_id_fault(text: &str) -> Option<String> {
    if text.starts_with("prod_") {
        return Some("expected a price id such as price_1ABC; prod_… is a product, which has its prices".to_owned());
    }
    let foreign = ["sk_", "rk_", "pk_", "whsec_"].iter().any(|prefix| text.starts_with(prefix));
    let well_formed = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    if foreign || text.is_empty() || text.len() > PRICE_ID_LIMIT || !well_formed {
        return Some("expected one price id from Stripe, such as price_1ABC".to_owned());
    }
    None
}

fn whole(catalog: &Catalog, found: &mut Vec<Breach>) {
    let mut breach = |text: String| found.push(Breach { place: Place::Whole, other: None, field: Field::Other, text });
    let entries = catalog.plans.len() + catalog.packs.len();
    if entries == 0 {
        breach("it holds no plan and no pack; expected at least one [[plan]] or [[pack]]".to_owned());
    }
    if entries > ENTRIES_LIMIT {
        breach(format!("it holds {entries} plans and packs; expected at most {ENTRIES_LIMIT}"));
    }
    let currency = &catalog.currency;
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
        breach(format!("currency is {currency:?}; expected three letters such as \"usd\""));
    }
    if !(0..=LOW_BALANCE_LIMIT).contains(&catalog.low_balance) {
        breach(format!("low_balance is {}; expected 0 to {LOW_BALANCE_LIMIT} units", catalog.low_balance));
    }
    catalog.shop.faults().into_iter().for_each(&mut breach);
    for (field, word) in [("singular", &catalog.unit.singular), ("plural", &catalog.unit.plural)] {
        for (tag, word) in word.all().filter(|(_, word)| !is_line(word, UNIT_WORD_LIMIT)) {
            let field = if tag.is_empty() { field.to_owned() } else { format!("{field}.{tag}") };
            breach(format!("unit.{field} is {word:?}; expected one line of 1 to {UNIT_WORD_LIMIT} characters"));
        }
    }
}

fn entry(place: Place, offer: Offer<'_>, found: &mut Vec<Breach>) {
    let mut breach = |field, text: String| {
        found.push(Breach { place, other: None, field, text: format!("{}: {text}", title(offer)) });
    };
    for key in std::iter::once(offer.key()).chain(offer.aliases().iter().map(String::as_str)) {
        if !is_key(key) {
            breach(Field::Other, format!("the key or alias is {key:?}; expected 1 to 40 of a–z, 0–9 and _"));
        }
    }
    if let Some((_, name)) = offer.names().all().find(|(_, name)| !is_line(name, NAME_LIMIT)) {
        breach(Field::Other, format!("name is {name:?}; expected one line of 1 to {NAME_LIMIT} characters"));
    }
    let least = if matches!(offer, Offer::Pack(_)) { 1 } else { 0 };
    if !(least..=AMOUNT_LIMIT).contains(&offer.amount()) {
        breach(Field::Other, format!("amount is {}; expected {least} to {AMOUNT_LIMIT} minor units", offer.amount()));
    }
    units(offer, &mut breach);
    for word in offer.features() {
        if !is_key(word) {
            breach(Field::Other, format!("the feature {word:?} is not a word; expected 1 to 40 of a–z, 0–9 and _"));
        }
    }
    if offer.price_ids().count() > WORDS_LIMIT || offer.features().len().max(offer.aliases().len()) > WORDS_LIMIT {
        breach(Field::Other, format!("expected at most {WORDS_LIMIT} price ids, features and aliases each"));
    }
    for problem in offer.price_ids().filter_map(price_id_fault) {
        breach(Field::PriceId, format!("price id: {problem}"));
    }
    match offer.expiry() {
        Expiry::PeriodEnd if matches!(offer, Offer::Pack(_)) => {
            breach(
                Field::Other,
                "expiry is \"period_end\", but a pack has no period; expected \"never\" or days".into(),
            );
        }
        Expiry::Days(days) if !(1..=DAYS_LIMIT).contains(&days) => {
            breach(Field::Other, format!("expiry is {days} days; expected 1 to {DAYS_LIMIT}"));
        }
        _ => {}
    }
}

/// Amounts that Stripe refuses, because its currency knows no such small part.
fn steps(catalog: &Catalog, found: &mut Vec<Breach>) {
    let Some(currency) = Currency::new(&catalog.currency) else { return };
    let step = currency.step();
    for (place, offer) in placed(catalog).filter(|(_, offer)| offer.amount().checked_rem(step) != Some(0)) {
        let (code, amount) = (currency.as_str(), offer.amount());
        let text = format!(
            "{}: amount is {amount}; expected a multiple of {step}: Stripe takes no other in {code}",
            title(offer)
        );
        found.push(Breach { place, other: None, field: Field::Other, text });
    }
}

fn units(offer: Offer<'_>, breach: &mut impl FnMut(Field, String)) {
    let (least, most) = units_limits(offer);
    if (least..=most).contains(&offer.units()) {
        return;
    }
    let expected = if most == 0 {
        // A plan's units follow its paid invoices (`docs/rules.md`, rule 6). A plan that costs nothing has none.
        "0, because units follow what is paid and this plan costs nothing; give units away with a grant".to_owned()
    } else {
        format!("{least} to {most}")
    };
    breach(Field::Units, format!("units is {}; expected {expected}", offer.units()));
}

fn unique_keys(catalog: &Catalog, found: &mut Vec<Breach>) {
    let mut owners: HashMap<&str, (Place, String)> = HashMap::new();
    for (place, offer) in placed(catalog) {
        for key in std::iter::once(offer.key()).chain(offer.aliases().iter().map(String::as_str)) {
            if let Some((other, owner)) = owners.insert(key, (place, title(offer))) {
                let text = format!("{}: the key or alias {key:?} already belongs to {owner}", title(offer));
                found.push(Breach { place, other: Some(other), field: Field::Other, text });
            }
        }
    }
    let mut free = placed(catalog).filter(|(_, offer)| matches!(offer, Offer::Plan(plan) if plan.amount == 0));
    free.next();
    for (place, offer) in free {
        let text = format!("{}: amount is 0 for a second plan; expected one free plan at most", title(offer));
        found.push(Breach { place, other: None, field: Field::Other, text });
    }
}

fn unique_prices(catalog: &Catalog, found: &mut Vec<Breach>) {
    let mut owners: HashMap<&str, (Place, String)> = HashMap::new();
    for (place, offer) in placed(catalog) {
        // A text that is no price id was reported above, and is not repeated here: it may be a secret key.
        for price_id in offer.price_ids().filter(|id| price_id_fault(id).is_none()) {
            if let Some((other, owner)) = owners.insert(price_id, (place, title(offer))) {
                let text = format!("{}: the price id {price_id:?} already belongs to {owner}", title(offer));
                found.push(Breach { place, other: Some(other), field: Field::PriceId, text });
            }
        }
    }
}

fn title(offer: Offer<'_>) -> String {
    match offer {
        Offer::Plan(plan) => format!("plan {:?}", plan.key),
        Offer::Pack(pack) => format!("pack {:?}", pack.key),
    }
}

fn is_key(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn is_line(text: &str, limit: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= limit && !text.chars().any(char::is_control)
}
