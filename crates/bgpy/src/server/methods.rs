//! What a server tells of its methods.

use std::collections::VecDeque;
use std::sync::Arc;

use bgpy_proto::MethodsReply;

use super::core::Core;

/// The answer to requests for the methods, and those who wait for it.
#[derive(Debug, Default)]
pub(super) struct Methods {
    /// None before the server has its program.
    reply: Option<Arc<MethodsReply>>,
    /// By connection and id. An answer may be long, so those of a client that does not read have to wait.
    asked: VecDeque<(usize, u64)>,
}

impl Methods {
    /// Notes a request.
    pub(super) fn ask(&mut self, connection: usize, id: u64) {
        self.asked.push_back((connection, id));
    }
}

impl Core {
    /// Notes the methods of the program that has started.
    pub(super) fn has_methods(&mut self, reply: MethodsReply) {
        self.methods.reply = Some(Arc::new(reply));
        self.tell_methods();
    }

    /// Answers the requests for the methods, unless the program is about to start.
    pub(super) fn tell_methods(&mut self) {
        if self.methods.asked.is_empty() {
            return;
        }
        let reply = match &self.methods.reply {
            Some(reply) => reply.clone(),
            None if self.lifecycle.is_starting() || self.calls.has_init() => return,
            // They are about to be noted.
            None if self.lifecycle.is_initialized() => return,
            None => Arc::new(MethodsReply::Refused { error: "the server has no tasks yet".into() }),
        };
        for (connection, id) in std::mem::take(&mut self.methods.asked) {
            match self.connections.get(&connection) {
                None => {}
                Some(found) if found.is_paused() => self.methods.ask(connection, id),
                Some(_) => {
                    self.with_session(connection, |session| session.methods(id, &reply));
                }
            }
        }
    }
}
