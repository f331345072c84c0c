//! A DNS server on a UDP port of the system's choice that answers what the test says: A and SRV records, nothing, or not at all.

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub struct Dns {
    address: SocketAddr,
    zone: Arc<Zone>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Zone {
    records: Mutex<HashMap<(String, RecordType), Vec<RData>>>,
    unheard: Mutex<HashMap<String, Unheard>>,
    broken: AtomicBool,
    questions: AtomicUsize,
    stopping: AtomicBool,
}

/// Which questions about a name are lost.
#[derive(Clone, Copy)]
pub enum Unheard {
    All,
    /// This one, then not the next, and so on.
    Next,
    AfterNext,
}

impl Dns {
    pub fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let (address, zone) = (socket.local_addr().unwrap(), Arc::new(Zone::default()));
        let thread = thread::spawn({
            let zone = zone.clone();
            move || zone.serve(&socket)
        });
        Self { address, zone, thread: Some(thread) }
    }

    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The addresses of a name, in place of those it had.
    pub fn set_a(&self, name: &str, addresses: &[[u8; 4]]) {
        let records = addresses.iter().map(|octets| RData::A(A(Ipv4Addr::from(*octets)))).collect();
        self.zone.records.lock().unwrap().insert((name.to_owned(), RecordType::A), records);
    }

    /// The records of a service: priority, weight, port and target.
    pub fn set_srv(&self, name: &str, records: &[(u16, u16, u16, &str)]) {
        let record = |(priority, weight, port, target): &(u16, u16, u16, &str)| {
            RData::SRV(SRV::new(*priority, *weight, *port, Name::from_ascii(format!("{target}.")).unwrap()))
        };
        let records = records.iter().map(record).collect();
        self.zone.records.lock().unwrap().insert((name.to_owned(), RecordType::SRV), records);
    }

    /// From here on questions about this name are lost.
    pub fn lose(&self, name: &str, which: Unheard) {
        self.zone.unheard.lock().unwrap().insert(name.to_owned(), which);
    }

    /// From here on every answer is a failure of the server's, or none is any more.
    pub fn break_down(&self, broken: bool) {
        self.zone.broken.store(broken, Ordering::SeqCst);
    }

    /// How many questions there were.
    pub fn questions(&self) -> usize {
        self.zone.questions.load(Ordering::SeqCst)
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.zone.stopping.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Zone {
    fn serve(&self, socket: &UdpSocket) {
        let mut buffer = [0; 4096];
        while !self.stopping.load(Ordering::SeqCst) {
            let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
            let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
            self.questions.fetch_add(1, Ordering::SeqCst);
            if question.queries.iter().any(|query| self.is_lost(&plain(&query.name))) {
                continue;
            }
            let _ = socket.send_to(&self.answer(question).to_vec().unwrap(), from);
        }
    }

    fn is_lost(&self, name: &str) -> bool {
        let mut unheard = self.unheard.lock().unwrap();
        let Some(which) = unheard.get_mut(name) else { return false };
        let (is_lost, next) = match which {
            Unheard::All => (true, Unheard::All),
            Unheard::Next => (true, Unheard::AfterNext),
            Unheard::AfterNext => (false, Unheard::Next),
        };
        *which = next;
        is_lost
    }

    fn answer(&self, mut message: Message) -> Message {
        message.metadata.message_type = MessageType::Response;
        message.metadata.recursion_available = true;
        message.additionals.clear();
        message.edns = None;
        if self.broken.load(Ordering::SeqCst) {
            message.metadata.response_code = ResponseCode::ServFail;
            return message;
        }
        let records = self.records.lock().unwrap();
        let answers: Vec<Record> = message
            .queries
            .iter()
            .flat_map(|query| {
                let found = records.get(&(plain(&query.name), query.query_type)).cloned().unwrap_or_default();
                found.into_iter().map(|data| Record::from_rdata(query.name.clone(), 1, data)).collect::<Vec<_>>()
            })
            .collect();
        message.answers = answers;
        message
    }
}

fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}
