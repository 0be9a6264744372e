//! The sockets that a service manager passes (sd_listen_fds(3)). It keeps them while till restarts, so no connection is refused,
//! and no other program can take the address.

use listenfd::ListenFd;

use crate::error::Fault;
use crate::http::server::Listener;

/// The sockets that were passed; none if till is to bind its own. Removes the variables that say so from the environment, so
/// there may be no second thread yet.
pub(super) fn passed_sockets() -> Result<Vec<Listener>, Fault> {
    let mut sockets = ListenFd::from_env();
    (0..sockets.len()).filter_map(|index| passed(&mut sockets, index).transpose()).collect()
}

fn passed(sockets: &mut ListenFd, index: usize) -> Result<Option<Listener>, Fault> {
    if let Ok(listener) = sockets.take_tcp_listener(index) {
        return Ok(listener.map(Listener::Network));
    }
    match sockets.take_unix_listener(index) {
        Ok(listener) => Ok(listener.map(Listener::Local)),
        Err(cause) => {
            let what = "systemd passed something other than a listening socket: expected ListenStream= in the socket unit, with \
                        an address or a path";
            Err(Fault::new(what, cause))
        }
    }
}
