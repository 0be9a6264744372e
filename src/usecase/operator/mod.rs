//! What the operator asks for: the proof of the books and its anchor, their export, a check of the installation, its status,
//! the people whom the books know, backups and their return, the move to another engine, the set-up at Stripe, what Stripe charges, the figures of the
//! shop, a month's bookkeeping, the account that the database belongs to, the installation as a service.

pub mod attention;
pub mod backup;
pub mod bookkeeping;
pub mod bookkeeping_file;
pub mod check;
pub mod clock;
pub mod compaction;
pub mod export;
pub mod figures;
pub mod gauges;
pub mod go_live;
pub mod head;
pub mod import;
pub mod install;
pub mod kept_prices;
pub mod output_file;
pub mod paid;
pub mod people;
pub mod relocation;
pub mod restore;
pub mod status;
pub mod stripe_account;
pub mod stripe_setup;
pub mod users_file;
pub mod verify;
