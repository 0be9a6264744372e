//! Whether writes go on: for the readiness probe and the watchdog.

use super::{Scope, Store, db};
use crate::clock::Clock;
use crate::error::Result;

impl Store {
    /// Proves that the database takes writes and that its schema is this program's: for the readiness probe.
    pub fn check_writable(&self, clock: &Clock) -> Result<()> {
        let now = clock.now();
        self.write(move |tx| db::record_check(tx, now))
    }

    /// Returns once each thread that writes for single accounts has answered, whatever it says: one that stands still never does.
    pub fn await_account_writers(&self) {
        let (answer, answers) = std::sync::mpsc::channel();
        // All at once: where the database is away, each takes as long as that takes to be seen.
        for writer in &self.account_writers {
            let answer = answer.clone();
            writer.submit(
                Scope::Accounts(vec![]),
                |_| Ok(()),
                move |_: Result<()>| {
                    let _answered = answer.send(());
                },
            );
        }
        drop(answer);
        while answers.recv().is_ok() {}
    }
}
