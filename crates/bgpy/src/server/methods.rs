//! What a server tells of its methods.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bgpy_proto::methods::Runs;
use bgpy_proto::{CallKind, MethodsReply};

use super::calls::Waiting;
use super::under_way::UnderWay;

/// Connections and ids of requests.
type Asked = VecDeque<(usize, u64)>;

/// The answer to requests for the methods, and those who wait for it.
#[derive(Debug)]
pub(super) struct Methods {
    /// None before the server has its program.
    reply: Option<Arc<MethodsReply>>,
    /// An answer may be long, so those of a client that does not read have to wait.
    asked: Asked,
    /// The methods that are not exclusive.
    runs: HashMap<String, Runs>,
    /// The methods whose calls are not cancelled while they run.
    uncancellable: HashSet<String>,
    /// How many readers there may be.
    pub(super) readers_max: usize,
}

impl Methods {
    /// Of a server without a program, with so many readers at most.
    pub(super) fn new(readers_max: usize) -> Self {
        Self {
            reply: None,
            asked: Asked::new(),
            runs: HashMap::new(),
            uncancellable: HashSet::new(),
            readers_max,
        }
    }

    /// Notes a request.
    pub(super) fn ask(&mut self, connection: usize, id: u64) {
        self.asked.push_back((connection, id));
    }

    /// Notes the methods of the program that has started.
    pub(super) fn are(&mut self, reply: MethodsReply) {
        if let MethodsReply::Table(table) = &reply {
            let others = table.methods.iter().filter(|method| method.runs != Runs::Exclusive);
            self.runs = others.map(|method| (method.name.clone(), method.runs)).collect();
            let uncancellable = table.methods.iter().filter(|method| !method.cancel);
            self.uncancellable = uncancellable.map(|method| method.name.clone()).collect();
        }
        self.reply = Some(Arc::new(reply));
    }

    /// The answer, and those who are to get it; `None` if there is nobody, or if it is not known and the server
    /// `is_about_to_know` it.
    pub(super) fn due(&mut self, is_about_to_know: bool) -> Option<(Arc<MethodsReply>, Asked)> {
        if self.asked.is_empty() || self.reply.is_none() && is_about_to_know {
            return None;
        }
        let unknown = || MethodsReply::Refused { error: "the server has no tasks yet".into() };
        let reply = self.reply.clone().unwrap_or_else(|| Arc::new(unknown()));
        Some((reply, std::mem::take(&mut self.asked)))
    }

    /// What may run beside a call.
    pub(super) fn runs(&self, call: &Waiting) -> Runs {
        let method = call.head.as_ref().filter(|_| !self.runs.is_empty());
        let method = method.and_then(|head| head.method.as_deref());
        method.and_then(|method| self.runs.get(method)).copied().unwrap_or(Runs::Exclusive)
    }

    /// Whether a call may be cancelled while it runs.
    pub(super) fn can_cancel(&self, call: &Waiting) -> bool {
        let method = call.head.as_ref().and_then(|head| head.method.as_deref());
        self.uncancellable.is_empty()
            || method.is_none_or(|method| !self.uncancellable.contains(method))
    }

    /// Whether a call that is next may begin, beside what is under way.
    pub(super) fn may_begin(&self, call: &Waiting, under_way: &UnderWay) -> bool {
        // The executing thread asks between two calls, so it runs none itself.
        !under_way.has_others()
            || call.kind != CallKind::Exit
                && match self.runs(call) {
                    // Suspended calls that can go on, and so may write, are not kept waiting by reader after reader.
                    Runs::Read => under_way.readers() < self.readers_max && !under_way.is_stirred(),
                    Runs::Exclusive | Runs::Async => under_way.readers() == 0,
                }
    }
}
