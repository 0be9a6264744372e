//! The sign-in page. There is no form: links come from the program that sells the units.

use askama::Template;

use super::Shell;

/// `GET /login`.
#[derive(Clone, Debug, Template)]
#[template(path = "login.html")]
pub struct LoginPage {
    /// Title; a visitor's page.
    pub shell: Shell,
    /// Why the visitor is here.
    pub state: LoginState,
}

/// Why somebody sees the sign-in page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginState {
    /// They are not signed in.
    Ask,
    /// The link they followed is expired, used, or not one of ours.
    LinkSpent,
    /// They have just signed out.
    SignedOut,
}
