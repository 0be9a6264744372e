//! Pages: what they say and how strict they are, which sites may send their forms, signing in, and a purchase in a real
//! browser.

mod browser;
mod content;
mod csrf;
mod sign_in;
