//! Which of several processes on one database does what runs by itself.

use super::Store;
use super::db::unavailable;
use crate::error::Result;

impl Store {
    /// Whether this process does this work for all that share the database. One that does keeps it until it ends, or until its
    /// connection does. Of a file there is one process that serves.
    pub fn has_lease(&self, work: Lease) -> Result<bool> {
        match &self.server {
            Some(server) => server.lease(work as i32).map_err(unavailable),
            None => Ok(true),
        }
    }
}

/// Work that one process does for all that share a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Lease {
    /// What ends with time, and what goes by its age.
    Time = 1,
    /// Events of Stripe's that wait, and what Stripe is asked or told.
    Inbox = 2,
    /// The comparison with Stripe.
    Comparison = 3,
    /// Asking Stripe for its events.
    Poll = 4,
    /// Notifications to the app's endpoints, and letters.
    Delivery = 5,
}
