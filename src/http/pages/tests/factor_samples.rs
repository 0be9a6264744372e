//! The forms of the sign-in page, and the pages of passkeys and of codes in each state.

use super::samples::{self, HOSTILE};
use crate::http::pages::account::PasskeyRow;
use crate::http::pages::account::factors::CodesPage;
use crate::http::pages::login::SignInForms;
use crate::http::pages::second::{SecondPage, SecondState};
use crate::http::pages::words::Moment;
use crate::language::Language;
use crate::totp;

/// An attempt to sign in that failed.
pub fn forms() -> SignInForms {
    SignInForms {
        provider: Some(HOSTILE.to_owned()),
        csrf: "t".to_owned(),
        has_mail: true,
        has_password: true,
        has_sign_up: true,
        typed: HOSTILE.to_owned(),
        is_wrong: true,
        has_passkey: true,
        is_passkey_wrong: true,
        is_named: true,
    }
}

pub fn passkey() -> PasskeyRow {
    let at = Moment::of(samples::now(), Language::En);
    PasskeyRow { number: 1, name: HOSTILE.to_owned(), since: at.clone(), last_used: Some(at) }
}

/// Each state of the page that asks for a second factor, by a name.
pub fn second() -> Vec<(&'static str, SecondPage)> {
    let page = |state| SecondPage {
        shell: samples::shell("Confirm"),
        state,
        return_to: HOSTILE.to_owned(),
        form_csrf: "t".to_owned(),
        is_wrong: true,
    };
    vec![
        ("sign-in", page(SecondState::SignIn)),
        ("session", page(SecondState::Session { has_code: true, has_passkey: true })),
        ("none", page(SecondState::Session { has_code: false, has_passkey: false })),
    ]
}

pub fn codes() -> CodesPage {
    let secret = &[7; totp::SECRET_BYTES];
    let uri = totp::uri(secret, "Pictures", HOSTILE);
    let (squares, side) = totp::qr_path(&uri).unwrap();
    CodesPage { shell: samples::shell("Codes"), letters: totp::in_letters(secret), uri, squares, side, is_wrong: true }
}
