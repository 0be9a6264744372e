//! Pages that are kept as they were written, until something that they show changes: by a write, which the store knows, or by
//! time alone. The form token is of each answer its own, so only its places are kept.

use std::sync::Arc;

use super::cache::Cache;
use crate::clock::Timestamp;
use crate::language::Language;
use crate::store::{CacheKey, ReadVersion, Store};
use crate::usecase::users::usage::DailyUse;

/// Of pages of users who have paid: some 250 usual ones.
const BUYERS_BYTES: usize = 4 * 1024 * 1024;
/// Of pages of all others, who cost nothing to make: they can take no place from those who have paid.
const OTHERS_BYTES: usize = 2 * 1024 * 1024;
/// A longer page is not kept: so a user has at most this for each language.
const PAGE_LIMIT: usize = 64 * 1024;
/// What a page takes besides its text and its places, about.
const ENTRY_BYTES: usize = 1024;

/// Whose page it is, in the language that the browser asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PageKey {
    pub account: i64,
    pub language: Language,
}

/// The pages of all users who looked at them lately, as far as there is room.
pub(super) struct KeptPages {
    of_buyers: Cache<PageKey, Arc<KeptPage>>,
    of_others: Cache<PageKey, Arc<KeptPage>>,
}

/// Between which times a page is as time makes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageTime {
    /// When it was read. A clock may step back.
    pub at: Timestamp,
    /// The first moment at which time alone changes it.
    pub until: Timestamp,
}

/// A page as it was written.
pub(super) struct KeptPage {
    text: Box<[u8]>,
    /// Where the form token begins.
    token_places: Box<[usize]>,
    token_length: usize,
    read_at: ReadVersion,
    time: PageTime,
    /// What is used again when the page has to be written again.
    pub daily_use: DailyUse,
}

impl KeptPages {
    pub(super) fn new() -> KeptPages {
        let of_bytes = |bytes| Cache::for_large_entries(bytes, |_, page: &Arc<KeptPage>| page.weight());
        KeptPages { of_buyers: of_bytes(BUYERS_BYTES), of_others: of_bytes(OTHERS_BYTES) }
    }

    /// The page as it was kept, still true or not: see [`KeptPage::is_current`].
    pub(super) fn find(&self, key: PageKey) -> Option<Arc<KeptPage>> {
        self.of_buyers.get(&key, |_| true).or_else(|| self.of_others.get(&key, |_| true))
    }

    pub(super) fn keep(&self, key: PageKey, page: KeptPage, is_of_buyer: bool) {
        if page.text.len() <= PAGE_LIMIT {
            let pages = if is_of_buyer { &self.of_buyers } else { &self.of_others };
            pages.put(key, Arc::new(page));
        }
    }
}

impl KeptPage {
    /// The page whose text has this form token, which is not kept. Nothing else in it is equal to the token: it is random.
    pub(super) fn of(text: &str, token: &str, read_at: ReadVersion, time: PageTime, daily_use: DailyUse) -> KeptPage {
        let token_places = text.match_indices(token).map(|(place, _)| place).collect();
        let blank = text.replace(token, &" ".repeat(token.len()));
        let text = blank.into_bytes().into_boxed_slice();
        KeptPage { text, token_places, token_length: token.len(), read_at, time, daily_use }
    }

    /// Whether it says what a page that is written now would say.
    pub(super) fn is_current(&self, key: PageKey, store: &Store, now: Timestamp) -> bool {
        let is_its_time = self.time.at <= now && now < self.time.until;
        is_its_time && store.is_current(CacheKey::Page(key.account), self.read_at)
    }

    /// The text for one answer. `None` for a token of another length.
    pub(super) fn with_token(&self, token: &str) -> Option<Vec<u8>> {
        if token.len() != self.token_length {
            return None;
        }
        let mut text = self.text.to_vec();
        for place in &self.token_places {
            text.get_mut(*place..*place + token.len())?.copy_from_slice(token.as_bytes());
        }
        Some(text)
    }

    fn weight(&self) -> usize {
        ENTRY_BYTES + self.text.len() + self.token_places.len() * size_of::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str, token: &str) -> KeptPage {
        let at = Timestamp::from_seconds(1_790_000_000);
        let read_at = ReadVersion::default();
        KeptPage::of(text, token, read_at, PageTime { at, until: at.plus_seconds(1) }, DailyUse::default())
    }

    #[test]
    fn each_answer_has_its_own_token_and_none_is_kept() {
        let kept = page("a é t0k3n b t0k3n", "t0k3n");
        assert!(!kept.text.windows(5).any(|part| part == b"t0k3n"));
        assert_eq!(kept.with_token("other").unwrap(), "a é other b other".as_bytes());
        assert_eq!(kept.with_token("longer"), None);
    }

    #[test]
    fn users_who_paid_nothing_take_no_place_from_those_who_paid_and_nobody_more_than_there_is() {
        let pages = KeptPages::new();
        let key = |account| PageKey { account, language: Language::default() };
        pages.keep(key(1), page("bought", "t"), true);
        let text = "x".repeat(20_000);
        let count = 3 * i64::try_from(OTHERS_BYTES / text.len()).unwrap();
        for account in 2..count {
            pages.keep(key(account), page(&text, "t"), false);
        }
        assert!(pages.find(key(1)).is_some());
        let kept: Vec<_> = (2..count).filter_map(|account| pages.find(key(account))).collect();
        let bytes: usize = kept.iter().map(|page| page.weight()).sum();
        assert!(!kept.is_empty() && bytes <= OTHERS_BYTES, "{bytes}");
        pages.keep(key(count), page(&"x".repeat(PAGE_LIMIT + 1), "t"), true);
        assert!(pages.find(key(count)).is_none());
    }
}
