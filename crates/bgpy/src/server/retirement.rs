//! How a server gives up what it has: its calls, its entry and listeners, its connections.

use bgpy_proto::Failure;

use super::core::Core;
use crate::registry::Ending;
use crate::transport::listen;

impl Core {
    /// Rejects new calls and answers the queued ones.
    pub(super) fn stop(&mut self) {
        self.refuse();
        self.retire();
    }

    /// Like [`stop`](Self::stop), but keeps the listeners and the entry: the next process may be
    /// the same server.
    pub(super) fn refuse(&mut self) {
        self.lifecycle.stop();
        for call in self.calls.clear() {
            self.conclude(call.connection, call.id, &Err(Failure::stopping()));
        }
    }

    /// Closes the listeners and removes the registry entry, so that a successor can take over. Until the
    /// server has ended, those who want to see why it does not still reach it, by another socket.
    pub(super) fn retire(&mut self) {
        if std::mem::replace(&mut self.is_retired, true) {
            return;
        }
        for listener in &mut self.listeners {
            drop(self.poll_registry.deregister(listener.source()));
        }
        self.listeners.clear();
        let (listeners, registry) = (&mut self.listeners, &self.poll_registry);
        self.registration.retire(|path| {
            listeners.push(listen::apart(path, listeners.len(), registry)?);
            Ok(())
        });
    }

    /// Leaves entry and listeners to the supervisor if that restarts the server after a failed
    /// start. Clients are told nothing: their requests are for the next process.
    pub(super) fn leave_to_supervisor(&mut self) -> bool {
        let is_left = self.registration.leave_to_supervisor();
        if is_left {
            self.close_sockets();
        }
        is_left
    }

    /// Closes the listeners and records how the server ended.
    pub(super) fn end(&mut self, ending: Ending) {
        self.retire();
        self.registration.end(ending);
    }

    /// Records that the server could not continue, and leaves its listeners to the supervisor if
    /// there is one.
    pub(super) fn fail(&mut self, ending: Ending) {
        self.listeners.clear();
        self.registration.fail(ending);
    }

    /// Closes the listeners and removes all traces of a server that never ran.
    pub(super) fn forget(&mut self) {
        if !self.is_retired {
            self.registration.forget();
            self.retire();
        }
    }

    /// Says goodbye to the clients and closes all sockets.
    pub(super) fn leave(&mut self) {
        let registry = &self.poll_registry;
        self.connections.values_mut().for_each(|connection| connection.say_goodbye(registry));
        self.close_sockets();
    }

    /// Closes all sockets.
    fn close_sockets(&mut self) {
        self.listeners.clear();
        self.connections.clear();
    }
}
