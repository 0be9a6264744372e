//! What is between a process and its database: a network that can be cut like a cable, where what either side sends is neither
//! delivered nor acknowledged, and nobody is told; or a machine whose kernel acknowledges everything while its programs stand still.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use socket2::{SockFilter, SockRef};

/// How soon a thread notices that the network is cut, mended or gone.
const STEP: Duration = Duration::from_millis(10);
/// A filter of one instruction: keep no byte of any packet (Linux, "Linux Socket Filtering": BPF_RET and BPF_K).
const NOTHING: u16 = 0x06;

/// The network, until dropped.
pub struct Link {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    flow: Flow,
    is_gone: bool,
    /// Both ends of each connection.
    ends: Vec<TcpStream>,
    listener: Option<TcpListener>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Flow {
    #[default]
    Open,
    Cut,
    Still,
}

impl Link {
    /// To the server at this port of the machine.
    pub fn to(server: u16) -> Link {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let own = listener.try_clone().unwrap();
        let state = Arc::new(Mutex::new(State { listener: Some(listener), ..State::default() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || accept(&own, server, &shared));
        Link { port, state }
    }

    /// The port at which the server seems to be.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on nothing gets through.
    pub fn cut(&self) {
        let mut state = lock(&self.state);
        state.flow = Flow::Cut;
        state.ends.iter().for_each(drop_packets);
        state.listener.iter().for_each(drop_packets);
    }

    /// From now on connections are made, what is sent is acknowledged, and nothing is answered.
    pub fn stand_still(&self) {
        lock(&self.state).flow = Flow::Still;
    }

    /// Connections that nobody has given up go on, and new ones can be made.
    pub fn mend(&self) {
        let mut state = lock(&self.state);
        let ends = state.ends.iter().map(SockRef::from);
        let has_filters = state.flow == Flow::Cut;
        for end in ends.chain(state.listener.iter().map(SockRef::from)).filter(|_| has_filters) {
            end.detach_filter().unwrap();
        }
        state.flow = Flow::Open;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.is_gone = true;
        state.ends.iter().for_each(|end| drop(end.shutdown(Shutdown::Both)));
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn drop_packets(socket: &impl AsFd) {
    SockRef::from(socket).attach_filter(&[SockFilter::new(NOTHING, 0, 0, 0)]).unwrap();
}

fn accept(listener: &TcpListener, server: u16, state: &Arc<Mutex<State>>) {
    while !lock(state).is_gone {
        let Ok((near, _)) = listener.accept() else {
            thread::sleep(STEP);
            continue;
        };
        let Ok(far) = TcpStream::connect(("127.0.0.1", server)) else { continue };
        near.set_nonblocking(false).unwrap();
        let mut locked = lock(state);
        for (from, to) in [(&near, &far), (&far, &near)] {
            let (from, to, state) = (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(state));
            thread::spawn(move || forward(from, to, &state));
        }
        // One that was accepted just before the cut is cut as well.
        if locked.flow == Flow::Cut {
            [&near, &far].into_iter().for_each(drop_packets);
        }
        locked.ends.extend([near, far]);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, state: &Mutex<State>) {
    from.set_read_timeout(Some(STEP)).unwrap();
    let _sent_at_once = to.set_nodelay(true);
    let mut bytes = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut bytes);
        // What was on its way waits for the end.
        while lock(state).flow != Flow::Open {
            thread::sleep(STEP);
        }
        match read {
            Ok(0) => break,
            Ok(read) if to.write_all(&bytes[..read]).is_ok() => (),
            Err(why) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&why.kind()) => (),
            _ => break,
        }
        if lock(state).is_gone {
            break;
        }
    }
    for stream in [from, to] {
        let _closed_already = stream.shutdown(Shutdown::Both);
    }
}
