//! Several `till serve` on one database, with one environment, as one service that callers reach at several addresses or through
//! nginx; and the stand-in for Stripe, which sends nothing by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use till::sandbox::Sandbox;

use crate::harness::port::free_port;
use crate::harness::process::{self, Till};
use crate::harness::{Client, Folder, shop};
use crate::proxies::front::{Front, Kind};

/// The processes. Fields are dropped in this order.
pub struct Fleet {
    members: Vec<Member>,
    _front: Option<Front>,
    pub stripe: Sandbox,
    variables: BTreeMap<String, String>,
    token: String,
    _folder: Folder,
}

struct Member {
    address: String,
    /// None while it is dead.
    till: Mutex<Option<Till>>,
    /// What it alone is given.
    own: Vec<(String, String)>,
}

impl Fleet {
    /// So many processes on this database, each reached by itself.
    pub fn start(database: &str, processes: usize) -> Fleet {
        let members = (0..processes).map(|_| Member::new(database)).collect();
        Fleet::of(database, members, None)
    }

    /// Two processes, of which the second reaches the database by another address.
    pub fn start_with_detour(database: &str, detour: &str) -> Fleet {
        Fleet::of(database, vec![Member::new(database), Member::new(detour)], None)
    }

    /// So many processes behind nginx. None where there is no nginx.
    pub fn start_behind_nginx(database: &str, processes: usize) -> Option<Fleet> {
        let members: Vec<Member> = (0..processes).map(|_| Member::new(database)).collect();
        let servers: Vec<&str> = members.iter().map(|member| member.address.as_str()).collect();
        let front = Front::start(Kind::Nginx, &servers.join(";\nserver "), |example| {
            // The manual's change for several processes. And plain HTTP, because the callers are the tests'.
            let (from, to) = ("proxy_next_upstream off;", "proxy_next_upstream error;");
            assert!(example.contains(from) && include_str!("../../../docs/scale.md").contains(to));
            example.replace(from, to).replace("listen 443 ssl http2;", "listen 443 ;")
        })?;
        Some(Fleet::of(database, members, Some(front)))
    }

    fn of(database: &str, members: Vec<Member>, front: Option<Front>) -> Fleet {
        let (folder, stripe) = (Folder::new(), shop::start_stripe());
        let mut variables = shop::variables(&folder, &stripe.url());
        variables.insert("SPRITE_DATABASE".to_owned(), database.to_owned());
        variables.insert("SPRITE_RECONCILE_INTERVAL".to_owned(), "off".to_owned());
        let base = front.as_ref().map_or(format!("http://{}", members[0].address), plain_origin);
        variables.insert("SPRITE_BASE_URL".to_owned(), base);
        let token = shop::token(&variables, "admin");
        let fleet = Fleet { members, _front: front, stripe, variables, token, _folder: folder };
        (0..fleet.members.len()).for_each(|number| fleet.start_member(number));
        fleet
    }

    /// Starts one that is dead.
    pub fn start_member(&self, number: usize) {
        let member = &self.members[number];
        let mut variables = self.variables.clone();
        variables.extend(member.own.iter().cloned());
        *self.till(number) = Some(Till::start(&variables));
    }

    /// Ends one as a power cut would.
    pub fn kill_member(&self, number: usize) {
        self.till(number).take().into_iter().for_each(Till::kill);
    }

    fn till(&self, number: usize) -> std::sync::MutexGuard<'_, Option<Till>> {
        self.members[number].till.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A program that may do everything, at this process.
    pub fn program_at(&self, number: usize) -> Client {
        Client::program(&format!("http://{}", self.members[number].address), &self.token)
    }

    /// The same, at nginx.
    pub fn program(&self) -> Client {
        Client::program(&self.origin(), &self.token)
    }

    /// Where callers and browsers go: nginx, or the first process.
    pub fn origin(&self) -> String {
        self.variables["SPRITE_BASE_URL"].clone()
    }

    /// The operator's commands on this database.
    #[track_caller]
    pub fn till_prints(&self, arguments: &[&str]) -> String {
        process::prints(&self.variables, arguments)
    }

    /// Makes a user with so many units.
    pub fn user(&self, id: &str, units: i64) {
        let api = self.program();
        api.call("PUT", &format!("/v1/users/{id}"), &json!({})).must(201);
        let gift = json!({"units": units, "note": "a gift"});
        api.call_once(&format!("/v1/users/{id}/grants"), "gift", &gift).must(201);
    }

    /// What each process has written to its log, if it runs.
    pub fn logs(&self) -> String {
        let logs = (0..self.members.len()).filter_map(|number| Some(self.till(number).as_ref()?.log()));
        logs.collect::<Vec<_>>().join("\n")
    }

    /// Proves the books. Answers every reason in them with its user, each once, and what is left for each user.
    pub fn books(&self) -> (BTreeSet<(String, String)>, BTreeMap<String, i64>) {
        self.till_prints(&["ledger", "verify"]);
        let export = self.till_prints(&["ledger", "export"]);
        let mut reader = csv::Reader::from_reader(export.as_bytes());
        let (mut reasons, mut left) = (BTreeSet::new(), BTreeMap::new());
        for row in reader.deserialize() {
            let row: BTreeMap<String, String> = row.unwrap();
            let (user, reason) = (row["user_id"].clone(), row["reason"].clone());
            *left.entry(user.clone()).or_default() += row["delta"].parse::<i64>().unwrap();
            assert!(reasons.insert((user, reason)), "twice in the books: {row:?}");
        }
        for (user, units) in &left {
            assert_eq!(self.shown(user)["units"]["remaining"], *units, "{user}");
        }
        (reasons, left)
    }

    /// Proves the books, and that they hold what was acknowledged and nothing else beside the units that each user began with.
    #[track_caller]
    pub fn check_books(&self, acknowledged: &BTreeSet<(String, String)>, units: i64) {
        let (mut spends, left) = self.books();
        spends.retain(|(_, reason)| !reason.starts_with("grant_"));
        assert_eq!(&spends, acknowledged, "what was acknowledged is in the books, and nothing else");
        for (user, left) in left {
            let spent = acknowledged.iter().filter(|(of, _)| *of == user).count();
            assert_eq!(left, units - i64::try_from(spent).unwrap(), "{user}");
        }
    }

    /// The user, as a process shows it.
    pub fn shown(&self, user: &str) -> Value {
        self.program().get(&format!("/v1/users/{user}")).must(200).json()
    }
}

impl Member {
    fn new(database: &str) -> Member {
        let address = format!("127.0.0.1:{}", free_port());
        let own = [("SPRITE_DATABASE", database), ("SPRITE_LISTEN", &address)];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Member { address, till: Mutex::default(), own }
    }
}

fn plain_origin(front: &Front) -> String {
    format!("http://127.0.0.1:{}", front.port)
}
