//! What browsers have begun and not finished, such as a passkey's ceremony: each lasts some minutes, is found by the hash of a
//! secret that its browser alone has, and is taken once, by whichever process gets the next request. What a step says is
//! sealed before it comes here.

use super::db::Tx;
use crate::clock::Timestamp;
use crate::error::Result;

/// What a browser is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepPurpose {
    /// A passkey is made.
    Registration,
    /// A passkey is used.
    Assertion,
    /// A password was right, and a code is asked for.
    Code,
    /// A provider has vouched for an identity that may be connected.
    Offer,
    /// An authenticator app has a secret that no code has confirmed yet.
    Enrolment,
}

impl StepPurpose {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            StepPurpose::Registration => "registration",
            StepPurpose::Assertion => "assertion",
            StepPurpose::Code => "code",
            StepPurpose::Offer => "offer",
            StepPurpose::Enrolment => "enrolment",
        }
    }
}

/// Keeps a step. One that this browser had begun before for the same purpose is forgotten.
pub fn keep(tx: &mut dyn Tx, hash: &[u8; 32], purpose: StepPurpose, body: &[u8], expires_at: Timestamp) -> Result<()> {
    const KEEP: &str = "INSERT INTO steps (hash, purpose, body, expires_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (hash, purpose) DO UPDATE SET body = excluded.body, expires_at = excluded.expires_at";
    tx.execute(KEEP, &[hash, &purpose.as_str(), &body, &expires_at])?;
    Ok(())
}

/// The step, which goes on; `None` when there is none or its time is over.
pub fn find(tx: &mut dyn Tx, hash: &[u8; 32], purpose: StepPurpose, now: Timestamp) -> Result<Option<Vec<u8>>> {
    const FIND: &str = "SELECT body FROM steps WHERE hash = $1 AND purpose = $2 AND expires_at > $3";
    tx.one(FIND, &[hash, &purpose.as_str(), &now], |row| row.blob("body"))
}

/// The step, which is over with that; `None` when there is none, its time is over, or another request has taken it.
pub fn take(tx: &mut dyn Tx, hash: &[u8; 32], purpose: StepPurpose, now: Timestamp) -> Result<Option<Vec<u8>>> {
    const TAKE: &str = "DELETE FROM steps WHERE hash = $1 AND purpose = $2 AND expires_at > $3 RETURNING body";
    tx.one(TAKE, &[hash, &purpose.as_str(), &now], |row| row.blob("body"))
}

/// Removes steps that ended before `before`; returns how many.
pub fn remove_ended(tx: &mut dyn Tx, before: Timestamp) -> Result<usize> {
    const REMOVE: &str = "DELETE FROM steps WHERE expires_at < $1";
    Ok(tx.execute(REMOVE, &[&before])?)
}
