//! What the operator asks for: the proof of the books and its anchor, their export, a check of the installation, its status,
//! the set-up at Stripe, what Stripe charges, the figures of the shop, the account that the database belongs to.

pub mod check;
pub mod clock;
pub mod export;
pub mod figures;
pub mod go_live;
pub mod head;
pub mod kept_prices;
pub mod status;
pub mod stripe_account;
pub mod stripe_setup;
pub mod verify;
