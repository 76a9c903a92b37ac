//! Debug requests, which may have to wait for the interpreter: a thread of their own answers them.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;

use bgpy_proto::{DebugReply, DebugRequest};

/// Debug requests that wait. A client has one under way at a time.
const WAITING: usize = 64;

/// Looks into what an executor runs, while it runs. It is called on a thread of its own, for one
/// request at a time.
pub trait Debugger: Send + Sync {
    /// Answers a request; it may take a second or two. The output of a session is at most
    /// `output_bytes_max` long.
    fn answer(
        &self,
        request: DebugRequest,
        running: Option<Running>,
        output_bytes_max: usize,
    ) -> DebugReply;
}

/// The running task or method, and for how many seconds it has run.
pub type Running = (String, f64);

/// A debug request, and who waits for the reply.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) connection: usize,
    pub(super) id: u64,
    pub(super) request: DebugRequest,
    pub(super) running: Option<Running>,
    pub(super) output_bytes_max: usize,
}

/// Sends a reply to whoever asked; `false` if the server has ended.
pub(super) type Tell = dyn Fn(usize, u64, &DebugReply) -> bool + Send + Sync;

/// The way to the debugger, if the server has one.
#[derive(Default)]
pub(super) struct Debugging {
    debugger: Option<(Arc<dyn Debugger>, Arc<Tell>)>,
    /// To the thread, which the first request starts.
    questions: Option<SyncSender<Question>>,
}

impl Debugging {
    pub(super) fn new(debugger: Arc<dyn Debugger>, tell: Arc<Tell>) -> Self {
        Self { debugger: Some((debugger, tell)), questions: None }
    }

    /// Has a question answered, soon.
    ///
    /// # Errors
    /// Why it will not be.
    pub(super) fn ask(&mut self, question: Question) -> Result<(), String> {
        let Some((debugger, tell)) = &self.debugger else {
            return Err(
                "there is no interpreter to look into: the server does not run Python".into()
            );
        };
        let questions = match &mut self.questions {
            Some(questions) => questions,
            none => {
                let begun = begin(debugger.clone(), tell.clone());
                none.insert(begun.map_err(|error| {
                    format!("the system gives the server no thread for that ({error})")
                })?)
            }
        };
        questions.try_send(question).map_err(|error| match error {
            TrySendError::Full(_) => {
                format!("{WAITING} debug requests wait already: try again later")
            }
            TrySendError::Disconnected(_) => "the debugger has failed".into(),
        })
    }
}

impl fmt::Debug for Debugging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_begun = self.questions.is_some();
        f.debug_struct("Debugging").field("has_begun", &has_begun).finish_non_exhaustive()
    }
}

/// Starts the thread, which ends when nobody can ask any more.
fn begin(debugger: Arc<dyn Debugger>, tell: Arc<Tell>) -> io::Result<SyncSender<Question>> {
    let (sender, questions) = sync_channel::<Question>(WAITING);
    thread::Builder::new().name("bgpy-debug".into()).stack_size(512 << 10).spawn(move || {
        for Question { connection, id, request, running, output_bytes_max } in questions {
            let reply = debugger.answer(request, running, output_bytes_max);
            if !tell(connection, id, &reply) {
                return;
            }
        }
    })?;
    Ok(sender)
}
