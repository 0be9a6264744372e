//! Letters to people: what is written when, how a mail server takes them, and how people refuse them.

mod events;
mod refusal;
mod sending;
mod server;

use std::sync::Arc;

use till::app::App;
use till::mail::letter::Letter;
use till::usecase::mail::{Queueing, Recipient, deliver, queue};

use crate::harness::life::Life;
use crate::harness::mail_server::MailServer;

const FROM: &str = "Pictures <billing@example.com>";

/// An appliance in this process that hands letters to this server. Nothing sends them but the test.
fn life(server: &MailServer) -> Life {
    Life::begin_mailing("http://127.0.0.1:1", &format!("smtp://127.0.0.1:{}", server.port), FROM, None)
}

/// Writes a letter to an address; what became of it.
fn write(app: &Arc<App>, address: &str, reason: &str, letter: &Letter) -> Queueing {
    let (now, recipient) = (app.clock.now(), Recipient::at(None, address));
    let (reason, letter) = (reason.to_owned(), letter.clone());
    app.store.write(move |tx| queue(tx, now, &recipient, &reason, &letter)).unwrap()
}

/// Hands everything over that is due now. Returns how many were tried.
fn send_due(app: &Arc<App>) -> usize {
    let sender = deliver::sender(app).unwrap().unwrap();
    let due = deliver::due(app).unwrap();
    for mail in &due {
        deliver::record(app, mail, &mail.send(&sender)).unwrap();
    }
    due.len()
}

fn sign_in(url: &str) -> Letter {
    Letter::SignIn { url: url.to_owned(), minutes: 10 }
}
