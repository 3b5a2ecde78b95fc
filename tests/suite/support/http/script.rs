// SPDX-License-Identifier: Apache-2.0

//! Rules for a server: which request, the how-manieth time, meets which fate.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};

use super::super::now;
use super::{Headers, Reply, Request};

/// Something done to a request instead of, or on top of, the ordinary answer.
#[derive(Clone)]
pub enum Action {
    /// This answer; the server itself does not see the request.
    Respond(Reply),
    /// This answer as soon as the head has arrived; the body is read and dropped, the connection closed.
    RespondEarly(Reply),
    /// The server acts, and this is answered all the same.
    CommitThen(Reply),
    /// The server acts, and the connection is closed without an answer.
    CommitThenClose,
    /// The ordinary answer, but nothing is stored or deleted.
    Swallow,
    /// Nothing happens and the connection is closed without an answer.
    Close,
    /// The connection is closed after so many bytes of the request body.
    CutUpload(usize),
    /// The server does not see the `Range` field and answers 200 with everything.
    IgnoreRange,
    /// The answer with a header field replaced.
    SetHeader(&'static str, String),
    /// The answer with one more header field.
    AddHeader(&'static str, String),
    /// The answer without a header field.
    RemoveHeader(&'static str),
    /// The answer with another body and the length of that; answers to HEAD stay as they are.
    MapBody(BodyMap),
    /// The connection is closed after so many bytes of the answer's body; its full length is announced.
    CutBody(usize),
    /// The body of the request is not taken from the connection before the gate opens.
    HoldUpload(Gate),
    /// The request waits at the gate before the server sees it.
    Hold(Gate),
    /// The server acts at once and its answer waits at the gate.
    HoldReply(Gate),
    /// So many bytes of the answer's body are sent, the rest waits at the gate.
    HoldBody(usize, Gate),
    /// The answer's head, then zero bytes until the client leaves.
    Endless,
}

/// The actions of one exchange, sorted by the moment they take effect.
#[derive(Default)]
pub(in super::super) struct Plan {
    pub(in super::super) early: Option<Reply>,
    pub(in super::super) cut_upload: Option<usize>,
    pub(in super::super) hold_upload: Vec<Gate>,
    pub(in super::super) hold: Vec<Gate>,
    pub(in super::super) ignore_range: bool,
    pub(in super::super) act: Act,
    pub(in super::super) edits: Vec<Edit>,
    pub(in super::super) hold_reply: Vec<Gate>,
    pub(in super::super) hold_body: Option<(usize, Gate)>,
    pub(in super::super) cut_body: Option<usize>,
    pub(in super::super) endless: bool,
}

/// Who answers, and whether the server does what is asked.
#[derive(Default)]
pub(in super::super) enum Act {
    #[default]
    Commit,
    Rehearse,
    /// Without an answer the connection is closed.
    CommitThen(Option<Reply>),
    Instead(Option<Reply>),
}

/// A change to an answer before it is sent.
pub(in super::super) enum Edit {
    Set(&'static str, String),
    Add(&'static str, String),
    Remove(&'static str),
    Map(BodyMap),
}

/// Makes another body of a body.
pub type BodyMap = Arc<dyn Fn(Bytes) -> Bytes + Send + Sync>;

/// A gate that holds requests until it is opened.
#[derive(Clone)]
pub struct Gate {
    arrivals: Arc<Semaphore>,
    open: watch::Sender<bool>,
}

/// What was asked of a server, and what it sent.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// When its head had arrived.
    pub at: Timestamp,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query without `?`.
    pub query: String,
    /// The header fields.
    pub headers: Headers,
    /// Bytes of the request body that were read.
    pub body_length: usize,
    /// The status answered, once the head of the answer is sent.
    pub status: Option<u16>,
    /// Bytes of the answer's body that were sent.
    pub body_sent: usize,
}

/// The rules of a server and its record of requests.
#[derive(Default)]
pub struct Script {
    rules: Mutex<Vec<Rule>>,
    record: Mutex<Vec<Recorded>>,
}

struct Rule {
    matches: Box<dyn Fn(&Request) -> bool + Send>,
    turns: Turns,
    seen: AtomicUsize,
    action: Action,
}

#[derive(Clone, Copy)]
enum Turns {
    Every,
    Nth(usize),
    First(usize),
}

/// A rule in the making; it takes effect with [`Draft::does`].
#[must_use]
pub struct Draft<'a> {
    script: &'a Script,
    matches: Box<dyn Fn(&Request) -> bool + Send>,
    turns: Turns,
}

impl Action {
    /// The answer with another body.
    pub fn map_body(map: impl Fn(Bytes) -> Bytes + Send + Sync + 'static) -> Self {
        Self::MapBody(Arc::new(map))
    }

    /// The answer with the lowest bit of one byte of its body turned.
    pub fn flip_byte(place: usize) -> Self {
        Self::map_body(move |body| {
            let mut bytes = body.to_vec();
            bytes[place] ^= 1;
            bytes.into()
        })
    }
}

impl Script {
    /// Starts a rule for a method (`*` for any) and a part of the request target, query included.
    pub fn on(&self, method: &'static str, part: impl Into<String>) -> Draft<'_> {
        let part = part.into();
        self.when(move |request| {
            (method == "*" || method == request.method) && request.target().contains(&part)
        })
    }

    /// Starts a rule for the requests that a closure picks. The body is not there yet.
    pub fn when(&self, matches: impl Fn(&Request) -> bool + Send + 'static) -> Draft<'_> {
        Draft {
            script: self,
            matches: Box::new(matches),
            turns: Turns::Every,
        }
    }

    /// Forgets all rules.
    pub fn clear_rules(&self) {
        self.rules.lock().unwrap().clear();
    }

    /// Everything that was asked so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.record.lock().unwrap().clone()
    }

    /// Forgets what was asked so far.
    pub fn clear_requests(&self) {
        self.record.lock().unwrap().clear();
    }

    /// What the rules say about a request; where two exclude each other, the later one.
    pub(in super::super) fn plan(&self, request: &Request) -> Plan {
        let rules = self.rules.lock().unwrap();
        let mut plan = Plan::default();
        for rule in rules
            .iter()
            .filter(|rule| (rule.matches)(request) && rule.is_its_turn())
        {
            plan.add(rule.action.clone());
        }
        plan
    }

    /// Opens an entry of the record and answers with its place.
    pub(in super::super) fn record(&self, request: &Request) -> usize {
        let mut record = self.record.lock().unwrap();
        record.push(Recorded {
            at: now(),
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers: request.headers.clone(),
            body_length: 0,
            status: None,
            body_sent: 0,
        });
        record.len() - 1
    }

    /// Adds to an entry; one that was cleared meanwhile stays forgotten.
    pub(in super::super) fn amend(&self, place: usize, change: impl FnOnce(&mut Recorded)) {
        if let Some(entry) = self.record.lock().unwrap().get_mut(place) {
            change(entry);
        }
    }
}

impl Plan {
    fn add(&mut self, action: Action) {
        match action {
            Action::Respond(reply) => self.act = Act::Instead(Some(reply)),
            Action::RespondEarly(reply) => self.early = Some(reply),
            Action::CommitThen(reply) => self.act = Act::CommitThen(Some(reply)),
            Action::CommitThenClose => self.act = Act::CommitThen(None),
            Action::Swallow => self.act = Act::Rehearse,
            Action::Close => self.act = Act::Instead(None),
            Action::CutUpload(length) => self.cut_upload = Some(length),
            Action::IgnoreRange => self.ignore_range = true,
            Action::SetHeader(name, value) => self.edits.push(Edit::Set(name, value)),
            Action::AddHeader(name, value) => self.edits.push(Edit::Add(name, value)),
            Action::RemoveHeader(name) => self.edits.push(Edit::Remove(name)),
            Action::MapBody(map) => self.edits.push(Edit::Map(map)),
            Action::CutBody(length) => self.cut_body = Some(length),
            Action::HoldUpload(gate) => self.hold_upload.push(gate),
            Action::Hold(gate) => self.hold.push(gate),
            Action::HoldReply(gate) => self.hold_reply.push(gate),
            Action::HoldBody(length, gate) => self.hold_body = Some((length, gate)),
            Action::Endless => self.endless = true,
        }
    }
}

impl Edit {
    pub(in super::super) fn apply(&self, reply: &mut Reply, is_head: bool) {
        match self {
            Self::Set(name, value) => reply.headers.set(name, value),
            Self::Add(name, value) => reply.headers.add(name, value),
            Self::Remove(name) => reply.headers.remove(name),
            Self::Map(map) if !is_head => {
                reply.body = map(reply.body.clone());
                reply
                    .headers
                    .set("content-length", &reply.body.len().to_string());
            }
            Self::Map(_) => {}
        }
    }
}

impl Rule {
    fn is_its_turn(&self) -> bool {
        let turn = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        match self.turns {
            Turns::Every => true,
            Turns::Nth(nth) => turn == nth,
            Turns::First(count) => turn <= count,
        }
    }
}

impl Draft<'_> {
    /// Only the n-th matching request, counted from 1.
    pub fn nth(mut self, nth: usize) -> Self {
        self.turns = Turns::Nth(nth);
        self
    }

    /// Only the first n matching requests.
    pub fn first(mut self, count: usize) -> Self {
        self.turns = Turns::First(count);
        self
    }

    /// Puts the rule in force.
    pub fn does(self, action: Action) {
        let rule = Rule {
            matches: self.matches,
            turns: self.turns,
            seen: AtomicUsize::new(0),
            action,
        };
        self.script.rules.lock().unwrap().push(rule);
    }

    /// Puts a rule in force that answers in the server's place.
    pub fn responds(self, reply: Reply) {
        self.does(Action::Respond(reply));
    }
}

impl Gate {
    /// A closed gate.
    pub fn closed() -> Self {
        Self {
            arrivals: Arc::new(Semaphore::new(0)),
            open: watch::Sender::new(false),
        }
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until one more request stands at the gate.
    pub async fn reached(&self) {
        self.arrivals
            .acquire()
            .await
            .expect("never closed")
            .forget();
    }

    /// Stands at the gate until it opens.
    pub(in super::super) async fn pass(&self) {
        self.arrivals.add_permits(1);
        self.open
            .subscribe()
            .wait_for(|open| *open)
            .await
            .expect("the gate holds its own sender");
    }
}
