//! One row of the ledger, its kinds, and the documented form that is hashed. An entry never changes.

use super::form::Form;
use super::{EntryNote, Hash, Timestamp};

/// Why units moved (`docs/rules.md`, rule 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A pack was paid for.
    Topup,
    /// A plan's invoice was paid. If negative, a downgrade took units back.
    Subscription,
    Spend,
    /// An operator gave units or corrected a balance.
    Grant,
    /// A payment was refunded, or its refund failed later.
    Refund,
    /// A payment was disputed, or the dispute was won.
    Dispute,
    Expiry,
}

impl Kind {
    /// All kinds, for listings and checks.
    pub const ALL: [Kind; 7] =
        [Kind::Topup, Kind::Subscription, Kind::Spend, Kind::Grant, Kind::Refund, Kind::Dispute, Kind::Expiry];

    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Topup => "topup",
            Kind::Subscription => "subscription",
            Kind::Spend => "spend",
            Kind::Grant => "grant",
            Kind::Refund => "refund",
            Kind::Dispute => "dispute",
            Kind::Expiry => "expiry",
        }
    }

    /// Reads [`Kind::as_str`] back.
    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether a positive movement of this kind credits new units. Units that only come back are not credited again.
    pub fn is_credit(self) -> bool {
        matches!(self, Kind::Topup | Kind::Subscription | Kind::Grant)
    }
}

/// One movement of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub account: i64,
    /// 1 for the account's first entry, then without a gap.
    pub seq: i64,
    pub kind: Kind,
    /// Units; negative when they leave. Never zero.
    pub delta: i64,
    /// The sum of all deltas up to and including this one.
    pub balance_after: i64,
    /// Makes the entry happen once: unique for this account forever.
    pub reason: String,
    /// A sentence for people, whose text can be erased.
    pub note: Option<EntryNote>,
    /// The `seq` of the lot concerned: one that the reversed payment bought, or the one that expired.
    pub lot: Option<i64>,
    /// When the lot that this entry opened expires.
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// The hash of the account's previous entry; zeros before the first.
    pub previous: Hash,
}

impl Entry {
    /// SHA-256 over the canonical form: the form's name, then each field in the order of this type. A field is written
    /// as `<length in bytes>:<text>,` (a netstring), an absent one as `-,`. Numbers are decimal, times are milliseconds
    /// since 1970; of the note its digest is taken ([`EntryNote::digest`]), and digests are lower-case hexadecimal.
    pub fn hash(&self) -> Hash {
        let mut form = Form::named("till-entry-1");
        form.number(Some(self.account));
        form.number(Some(self.seq));
        form.text(Some(self.kind.as_str()));
        form.number(Some(self.delta));
        form.number(Some(self.balance_after));
        form.text(Some(&self.reason));
        form.bytes(self.note.as_ref().map(|note| note.digest().as_slice()));
        form.number(self.lot);
        form.number(self.expires_at.map(Timestamp::millis));
        form.number(Some(self.created_at.millis()));
        form.bytes(Some(&self.previous));
        form.digest()
    }

    /// What the note says; `None` where there is none, or it was erased.
    pub fn note_text(&self) -> Option<&str> {
        self.note.as_ref().and_then(EntryNote::text)
    }

    /// Whether the note is, or may have been before it was erased, this one.
    pub fn may_have_note(&self, text: Option<&str>) -> bool {
        match (&self.note, text) {
            (Some(note), Some(text)) => note.may_have_been(text),
            (note, text) => note.is_none() && text.is_none(),
        }
    }

    /// The entry's public id.
    pub fn id(&self) -> String {
        entry_id(self.account, self.seq)
    }
}

/// The public id of an entry, and of the lot that it opened. It needs no random part: the place in the books is unique.
pub fn entry_id(account: i64, seq: i64) -> String {
    format!("ent_{account}_{seq}")
}

/// Reads [`entry_id`] back: the account's number and the entry's `seq`.
pub fn parse_entry_id(text: &str) -> Option<(i64, i64)> {
    parse_place("ent_", text)
}

/// Reads an id that names a place in the books: `prefix`, the account's number, `_`, and the object's number there.
pub fn parse_place(prefix: &str, text: &str) -> Option<(i64, i64)> {
    let (account, number) = text.strip_prefix(prefix)?.split_once('_')?;
    let read = |digits: &str| digits.parse::<i64>().ok().filter(|n| *n > 0 && n.to_string() == digits);
    Some((read(account)?, read(number)?))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn entry() -> Entry {
        Entry {
            account: 7,
            seq: 1,
            kind: Kind::Topup,
            delta: 100,
            balance_after: 100,
            reason: "topup_pi_1".into(),
            note: None,
            lot: None,
            expires_at: None,
            created_at: Timestamp::from_millis(1_790_000_000_000),
            previous: [0; 32],
        }
    }

    #[test]
    fn the_canonical_form_is_the_documented_one() {
        let zeros = "0".repeat(64);
        let form =
            format!("12:till-entry-1,1:7,1:1,5:topup,3:100,3:100,10:topup_pi_1,-,-,-,13:1790000000000,64:{zeros},");
        assert_eq!(entry().hash(), <Hash>::from(Sha256::digest(form.as_bytes())));
        // Of a note its digest is hashed, so the hash is the same once the text is erased.
        let note = EntryNote::new("a gift".to_owned(), [1; 16]);
        let digest = data_encoding::HEXLOWER.encode(note.digest());
        let form = form.replacen("-,", &format!("64:{digest},"), 1);
        let erased = EntryNote::from_stored(*note.digest(), None, None);
        for note in [note, erased] {
            let entry = Entry { note: Some(note), ..entry() };
            assert_eq!(entry.hash(), <Hash>::from(Sha256::digest(form.as_bytes())));
        }
    }

    #[test]
    fn every_field_is_in_the_hash() {
        let base = entry().hash();
        let changes: [fn(&mut Entry); 11] = [
            |e| e.account = 8,
            |e| e.seq = 2,
            |e| e.kind = Kind::Grant,
            |e| e.delta = 101,
            |e| e.balance_after = 101,
            |e| e.reason.push('x'),
            |e| e.note = Some(EntryNote::new(String::new(), [0; 16])),
            |e| e.lot = Some(1),
            |e| e.expires_at = Some(Timestamp::from_millis(1)),
            |e| e.created_at = e.created_at.plus_millis(1),
            |e| e.previous[31] = 1,
        ];
        for (i, change) in changes.into_iter().enumerate() {
            let mut changed = entry();
            change(&mut changed);
            assert_ne!(changed.hash(), base, "field {i}");
        }
    }

    #[test]
    fn an_entry_id_reads_back_and_nothing_else_does() {
        assert_eq!(parse_entry_id(&entry().id()), Some((7, 1)));
        for bad in ["", "ent_7", "ent_7_1_2", "ent_07_1", "ent_-7_1", "ent_7_0", "lot_7_1", "ent_7_+1"] {
            assert_eq!(parse_entry_id(bad), None, "{bad}");
        }
    }
}
