//! Pages: what they say and how strict they are, which sites may send their forms, signing in, and a purchase in a real
//! browser.

mod account;
mod admin;
mod bad_input;
mod billing;
mod browser;
mod browser_accessible;
mod browser_passkeys;
mod browser_stories;
mod content;
mod csrf;
mod headers;
mod kept;
mod languages;
mod letters;
mod lots;
mod oidc;
mod passkeys;
mod password;
mod processes;
mod proxy;
mod second_factor;
mod sideways;
mod sign_in;
mod times;
mod ways_on;
