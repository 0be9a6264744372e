//! Passwords: argon2id with the parameters that OWASP's Password Storage Cheat Sheet recommends. Hashing takes some 20 ms and
//! 19 MB, so callers run it on a pool of its own. An address without an account, or an account without a password, costs as
//! much as a wrong password.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::app::App;
use crate::email::Email;
use crate::error::{Fault, Result};
use crate::id;
use crate::language::Language;
use crate::language::refusal::PersonRefusal;
use crate::store::sessions::SignInMethod;
use crate::store::users::User;
use crate::store::{Tx, identities, second_factors, users};
use crate::usecase::audit;
use crate::usecase::users::guessing;
use crate::usecase::users::sessions::{self, Browser, Opening};
use crate::usecase::users::steps::{self, AwaitedCode};

/// The fewest characters of a password.
pub const PASSWORD_LEAST: usize = 8;
/// The most characters of a password.
pub const PASSWORD_MOST: usize = 128;

/// Memory in KiB, passes, lanes.
const COST: (u32, u32, u32) = (19_456, 2, 1);
/// How a hash with these parameters begins (PHC string format).
const CURRENT: &str = "$argon2id$v=19$m=19456,t=2,p=1$";
/// The hash of no password, which takes the place of one that is not there.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$dGlsbCBub2JvZHkgaGFz$Y2hvc2VuIHNvIHRoYXQgaXQgZml0cyBub3RoaW5nISE";

/// The hash of a password, which is slow.
pub fn hash(password: &str) -> Result<String> {
    let salt = id::random_bytes::<16>()?;
    let hash = hasher()?.hash_password_with_salt(password.as_bytes(), &salt);
    let hash = hash.map_err(|cause| Fault::bare(format!("a password could not be hashed: {cause}")))?;
    Ok(hash.to_string())
}

/// Whether it is the password of this hash, which is as slow where there is none.
fn is_password(password: &str, hash: Option<&str>) -> Result<bool> {
    let fits = hasher()?.verify_password(password.as_bytes(), hash.unwrap_or(NOBODYS)).is_ok();
    Ok(fits && hash.is_some())
}

fn hasher() -> Result<Argon2<'static>> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None)
        .map_err(|cause| Fault::bare(format!("argon2 refuses its parameters: {cause}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Refuses a password that is too short or too long, that many people have, or that says only the shop's name or words, or
/// one of `own`, such as the person's address.
pub fn check(app: &App, password: &str, own: &[&str]) -> Result<()> {
    let length = password.chars().count();
    if !(PASSWORD_LEAST..=PASSWORD_MOST).contains(&length) {
        let (least, most) = (PASSWORD_LEAST, PASSWORD_MOST);
        return Err(PersonRefusal::PasswordLength { characters: length, least, most }.into());
    }
    let words = own_words(app, own);
    if guessing::is_one_character(password) || guessing::is_common(password) || guessing::is_made_of(password, &words) {
        return Err(PersonRefusal::PasswordGuessable.into());
    }
    Ok(())
}

/// What anybody would try first here: the shop's words, in all languages, and the person's own.
fn own_words(app: &App, own: &[&str]) -> Vec<String> {
    let catalog = &app.catalog;
    let host = app.config.base_url.host();
    let units =
        Language::ALL.into_iter().flat_map(|language| [catalog.unit.one(language), catalog.unit.many(language)]);
    let offers = catalog.offers().flat_map(|offer| {
        let names = Language::ALL.map(|language| offer.names().in_language(language));
        names.into_iter().chain([offer.key()])
    });
    let shop = ["till", catalog.shop.name.as_deref().unwrap_or_default(), host.as_str()];
    let texts = units.chain(offers).chain(shop).chain(own.iter().flat_map(|text| [*text, before_at(text)]));
    guessing::words_of(texts)
}

/// The same for a user, whose own names are among the first guesses.
pub(super) fn check_of(app: &App, password: &str, user: &User, address: Option<&str>) -> Result<()> {
    let own = [Some(user.id.as_str()), user.email.as_deref(), user.name.as_deref(), address];
    check(app, password, &own.into_iter().flatten().collect::<Vec<_>>())
}

fn before_at(text: &str) -> &str {
    text.split('@').next().unwrap_or(text)
}

/// What a right password leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordEnd {
    /// The cookie of the session that began.
    SignedIn(String),
    /// A code of the second factor is awaited from the browser.
    CodeAwaited,
}

/// Signs in by a verified address, or by the user's id, and a password. `None` where they do not belong together: whether the
/// address has an account is not said, and takes no other time. `form` is the cookie of the form.
pub fn sign_in(
    app: &App,
    (name, password): (&str, &str),
    form: &str,
    browser: &Browser,
) -> Result<Option<PasswordEnd>> {
    let found = app.store.read(|tx| {
        let Some(user) = named(tx, name)? else { return Ok(None) };
        Ok(identities::password_of(tx, user.account)?.map(|stored| (user, stored.hash)))
    })?;
    let stored = found.as_ref().map(|(_, hash)| hash.as_str());
    if !is_password(password, stored)? {
        return Ok(None);
    }
    let Some((user, stored)) = found else { return Ok(None) };
    let better = if stored.starts_with(CURRENT) { None } else { Some(hash(password)?) };
    let opening = Opening::prepare(app, browser, SignInMethod::Password)?;
    let session = opening.clone();
    let (user_id, account) = (user.id.clone(), user.account);
    let end = audit::write(app, move |tx, trail| {
        // The password may have been changed while this one was checked.
        if identities::password_of(tx, user.account)?.is_none_or(|now| now.hash != stored) {
            return Ok(None);
        }
        if let Some(better) = &better {
            identities::rehash_password(tx, user.account, &stored, better)?;
        }
        if second_factors::find(tx, user.account)?.is_some() {
            return Ok(Some(Some(better.clone().unwrap_or_else(|| stored.clone()))));
        }
        session.begin(tx, trail, &user)?;
        Ok(Some(None))
    })?;
    end.map(|awaited| match awaited {
        None => Ok(PasswordEnd::SignedIn(opening.cookie(&user_id))),
        Some(password) => {
            steps::begin(app, form, &AwaitedCode { account, password })?;
            Ok(PasswordEnd::CodeAwaited)
        }
    })
    .transpose()
}

/// The account that this name means at a sign-in by a password; `None` where there is none. All spellings of an address and the
/// user's id are one account, whose tries are counted together.
pub fn account_named(app: &App, name: &str) -> Result<Option<i64>> {
    Ok(app.store.read(|tx| named(tx, name))?.map(|user| user.account))
}

fn named(tx: &mut dyn Tx, name: &str) -> Result<Option<User>> {
    if let Some(email) = Email::parse(name)
        && let Some(owner) = identities::by_address(tx, email.canonical())?
    {
        return users::by_account(tx, owner.account).map(Some);
    }
    users::find(tx, name.trim())
}

/// Whether anybody can sign in by a password.
pub fn is_in_use(app: &App) -> Result<bool> {
    app.store.read(identities::has_passwords)
}

/// The verified address by which a user may sign in as well as by their id.
pub fn address_of(app: &App, user_id: &str) -> Result<Option<String>> {
    app.store.read(|tx| {
        let user = users::by_id(tx, user_id)?;
        Ok(identities::address_of(tx, user.account)?.map(|address| address.written))
    })
}

/// Whether this is the account's password.
pub fn is_current(app: &App, account: i64, password: &str) -> Result<bool> {
    let stored = app.store.read(|tx| identities::password_of(tx, account))?;
    is_password(password, stored.map(|stored| stored.hash).as_deref())
}

/// Whether the account has a password.
pub fn is_set(app: &App, account: i64) -> Result<bool> {
    Ok(app.store.read(|tx| identities::password_of(tx, account))?.is_some())
}

/// Gives a user a new password, and ends their sessions but the one with the number `but`.
pub fn set(app: &App, user_id: &str, password: &str, but: Option<i64>) -> Result<()> {
    let user = app.store.read(|tx| users::by_id(tx, user_id))?;
    check_of(app, password, &user, None)?;
    let hash = hash(password)?;
    let now = app.clock.now();
    audit::write(app, move |tx, trail| {
        trail.add(tx, "password_set", &user.id, None)?;
        identities::set_password(tx, user.account, &hash, now)?;
        sessions::end_all(tx, user.account, but, now)
    })
}

/// A password that is made for somebody: 100 random bits.
pub fn made() -> Result<String> {
    let letters: String = id::secret("")?.chars().take(20).collect();
    let groups: Vec<&str> = [0, 5, 10, 15].iter().filter_map(|from| letters.get(*from..from + 5)).collect();
    Ok(groups.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_own_hash_alone_and_nobodys_fits_none() {
        let stored = hash("correct horse battery staple").unwrap();
        assert!(stored.starts_with(CURRENT), "{stored}");
        assert!(is_password("correct horse battery staple", Some(&stored)).unwrap());
        assert!(!is_password("correct horse battery stapl", Some(&stored)).unwrap());
        assert!(!is_password("correct horse battery staple", None).unwrap());
        assert_ne!(stored, hash("correct horse battery staple").unwrap(), "each has a salt of its own");
        // It must be read like any other, else it would take no time.
        assert!(argon2::password_hash::phc::PasswordHash::new(NOBODYS).is_ok());
        // An older, cheaper one is still known.
        let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let cheap = cheap.hash_password_with_salt(b"an older one", b"saltsaltsaltsalt").unwrap().to_string();
        assert!(is_password("an older one", Some(&cheap)).unwrap() && !cheap.starts_with(CURRENT));
    }
}
