//! A provider that is gone, silent, or breaks off: nobody is signed in, the person reads why, and others are served meanwhile.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::harness::Shop;
use crate::harness::port::free_port;

/// A server that says the beginning of an answer, and then nothing more.
struct Stalled {
    url: String,
    asked: Receiver<()>,
}

impl Stalled {
    fn start(beginning: &'static str) -> Stalled {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, asked) = channel();
        thread::spawn(move || {
            let mut open = vec![];
            for mut stream in listener.incoming().flatten() {
                // The asker may have gone, and the test too.
                stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(beginning.as_bytes())).ok();
                tell.send(()).ok();
                open.push(stream);
            }
        });
        Stalled { url, asked }
    }
}

fn shop_of(issuer: &str) -> Shop {
    Shop::open_with(&[
        ("SPRITE_OIDC_ISSUER", issuer),
        ("SPRITE_OIDC_CLIENT_ID", "till"),
        ("SPRITE_OIDC_NAME", "Example ID"),
    ])
}

#[test]
fn a_provider_that_is_gone_silent_or_breaks_off_holds_up_nobody_else() {
    let page = shop_of(&format!("http://127.0.0.1:{}", free_port())).visitor().get("/login/oidc").must(502);
    assert!(page.body.contains("Example ID does not answer"), "{}", page.body);

    let beginnings =
        ["", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{\"issuer\": "];
    thread::scope(|scope| {
        for provider in beginnings.map(Stalled::start) {
            scope.spawn(move || {
                let shop = shop_of(&provider.url);
                let person = shop.visitor();
                thread::scope(|scope| {
                    let waiting = scope.spawn(|| person.get("/login/oidc"));
                    provider.asked.recv().unwrap();
                    for path in ["/", "/login", "/readyz"] {
                        shop.visitor().get(path).must(200);
                    }
                    let page = waiting.join().unwrap().must(502);
                    assert!(page.body.contains("Example ID does not answer"), "{}", page.body);
                    assert_eq!(person.cookies(), "", "nothing was begun");
                });
            });
        }
    });
}
