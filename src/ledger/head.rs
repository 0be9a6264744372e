//! The anchor of the books: one digest over all accounts' heads. It is kept outside of the database, and whatever is written
//! in the database later, these entries must still lead to it.

use super::form::Form;
use super::{Chain, Hash};

/// A count of accounts and entries, and a digest over their heads (`docs/rules.md`, rule 10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BooksHead {
    /// Accounts with at least one entry.
    pub accounts: i64,
    pub entries: i64,
    pub digest: Hash,
}

impl BooksHead {
    /// Takes the next account in the order of their numbers: how many entries it has, and the hash of the last. One without
    /// entries changes nothing.
    ///
    /// The digest begins as zeros. With each account it becomes the SHA-256 over the canonical form of `till-head-1`, the
    /// digest so far, the account's number, its entries, and the last hash.
    pub fn add(&mut self, account: i64, entries: i64, head: &Hash) {
        if entries == 0 {
            return;
        }
        let mut form = Form::named("till-head-1");
        form.bytes(Some(&self.digest));
        form.number(Some(account));
        form.number(Some(entries));
        form.bytes(Some(head));
        self.digest = form.digest();
        self.accounts = self.accounts.saturating_add(1);
        self.entries = self.entries.saturating_add(entries);
    }

    /// Takes an account whose entries were followed.
    pub fn add_chain(&mut self, chain: &Chain) {
        self.add(chain.account, chain.entries, &chain.head);
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_digest_is_the_documented_one_and_every_head_is_in_it() {
        let mut head = BooksHead::default();
        head.add(3, 0, &[0; 32]);
        assert_eq!(head, BooksHead::default());
        head.add(7, 12, &[0xab; 32]);
        let form = format!("11:till-head-1,64:{},1:7,2:12,64:{},", "0".repeat(64), "ab".repeat(32));
        assert_eq!(head.digest, <Hash>::from(Sha256::digest(form.as_bytes())));
        let first = HEXLOWER.encode(&head.digest);
        head.add(8, 1, &[1; 32]);
        let form = format!("11:till-head-1,64:{first},1:8,1:1,64:{},", "01".repeat(32));
        assert_eq!(head.digest, <Hash>::from(Sha256::digest(form.as_bytes())));
        assert_eq!((head.accounts, head.entries), (2, 13));
    }
}
