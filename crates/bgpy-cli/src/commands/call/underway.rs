//! A call under way: its answers, its progress on standard error, and what Ctrl-C does to it.

use std::cell::Cell;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use bgpy::duration::shown;
use bgpy::methods::MethodKind;
use bgpy::{
    CallError, CallHead, CallKind, Client, ConnectError, FailureCode, Link, Payload, Response,
    Step, Wait, Want, limits,
};

use super::Call;
use super::request::Request;
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::live_bar::LiveBar;
use crate::output::{self, terminal};
use crate::platform::Interrupts;

/// How long an interrupted call may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// After how long the user is told what the command waits for.
const HINT_AFTER: Duration = Duration::from_millis(500);

/// How the call has ended for the command. What there is to say about it is printed.
pub(super) enum Ended {
    /// All that the task has responded is printed, or all that somebody reads.
    Answered {
        with_error: bool,
    },
    Failed(Exit),
    Interrupted,
}

/// What may end the wait for the call early.
pub(super) struct Watch<'a> {
    context: &'a Context<'a>,
    interrupts: &'a Interrupts,
    /// Whether the call ends with the reader of its answers.
    needs_reader: Cell<bool>,
    has_lost_reader: Cell<bool>,
}

/// A call that is made, and what is shown of it.
pub(super) struct Underway<'a> {
    call: &'a Call,
    request: &'a Request,
    context: &'a Context<'a>,
    watch: &'a Watch<'a>,
    /// Whether each response is printed.
    streams: bool,
    bar: LiveBar,
    /// Whether the task has marked a response as an error.
    with_error: bool,
    has_answered: bool,
}

impl<'a> Watch<'a> {
    pub(super) fn new(context: &'a Context<'a>, interrupts: &'a Interrupts) -> Self {
        let (needs_reader, has_lost_reader) = (Cell::new(false), Cell::new(false));
        Self { context, interrupts, needs_reader, has_lost_reader }
    }

    pub(super) fn has_ended_wait(&self) -> bool {
        let is_interrupted = self.interrupts.have_come_or((self.context.interrupted)());
        self.has_lost_reader.set(self.needs_reader.get() && terminal::is_gone());
        is_interrupted || self.has_lost_reader.get()
    }
}

impl<'a> Underway<'a> {
    pub(super) fn new(
        call: &'a Call,
        request: &'a Request,
        context: &'a Context<'a>,
        watch: &'a Watch<'a>,
    ) -> Self {
        let mut bar = LiveBar::new();
        let streams = call.stream || request.kind() == Some(MethodKind::Stream);
        watch.needs_reader.set(streams);
        if streams && terminal::is_piped() {
            // Who reads the responses may print them on the same terminal at any time.
            bar.stop();
        }
        Self { call, request, context, watch, streams, bar, with_error: false, has_answered: false }
    }

    /// Makes the call, and prints what becomes of it.
    pub(super) fn run(mut self, client: &Client, wait: &Wait<'_>) -> Ended {
        let watch = self.watch;
        let payload = self.request.payload.clone();
        let made = client.calling(payload, wait, |link, payload| self.make(link, payload, wait));
        self.bar.erase();
        match made {
            Ok(ended) => ended,
            Err(CallError::Interrupted) if watch.has_lost_reader.get() => self.answered(),
            Err(CallError::Interrupted | CallError::Connect(ConnectError::Interrupted)) => {
                Ended::Interrupted
            }
            Err(CallError::Timeout { after, .. }) if self.streams => {
                let (target, limit) = (client.target(), shown(after));
                let what = self.request.method.as_ref().map_or("the task", |method| &method.name);
                let text =
                    format_args!("{what} of {target} did not end within {limit}: it is cancelled");
                Ended::Failed(output::error(text, Exit::TimedOut))
            }
            Err(error) => Ended::Failed(self.call.answer.failed(&error.with_ending())),
        }
    }

    fn make(
        &mut self,
        link: &Arc<Link>,
        payload: Payload,
        wait: &Wait<'_>,
    ) -> Result<Ended, CallError> {
        let mut head = CallHead { progress: self.bar.is_wanted(), ..link.head(wait) };
        self.request.note_in(&mut head);
        let mut want = Want::First;
        if self.streams {
            want = Want::All;
            head.window = Some(limits::STREAM_WINDOW_BYTES);
            // A stream without a reader is of no use.
            head.attached = true;
        }
        let mut call = link.begin(CallKind::Exec, want, &head, payload, wait)?;
        match self.follow(&mut call, wait) {
            Err(CallError::Interrupted) if !self.watch.has_lost_reader.get() => {
                Ok(self.interrupt(call))
            }
            followed => followed,
        }
    }

    /// Prints the responses, and shows the progress, until the call has ended.
    fn follow(&mut self, call: &mut bgpy::Call, wait: &Wait<'_>) -> Result<Ended, CallError> {
        loop {
            match call.step(wait)? {
                Step::Progress(told) => self.bar.draw(&told),
                Step::Callback { number, .. } => call.refuse_callback(number, wait)?,
                Step::Ended if self.has_answered || self.streams => return Ok(self.answered()),
                Step::Ended => {
                    let server = self.call.server.target.to_string();
                    return Err(CallError::NoResponse { server });
                }
                Step::Response(response) if self.is_result(call) => {
                    if let Err(exit) = self.tell_result(response) {
                        return Ok(Ended::Failed(exit));
                    }
                }
                Step::Response(response) => match self.print(response) {
                    Ok(true) => {}
                    // Dropping the call cancels it.
                    Ok(false) => return Ok(self.answered()),
                    Err(exit) => return Ok(Ended::Failed(exit)),
                },
            }
        }
    }

    /// Whether the response that has just come is what a generator has returned.
    fn is_result(&self, call: &bgpy::Call) -> bool {
        self.request.kind() == Some(MethodKind::Stream) && call.is_over()
    }

    /// Tells what a generator has returned, which is none of its values.
    fn tell_result(&mut self, response: Response) -> Result<(), Exit> {
        self.bar.erase();
        let text = self.call.answer.text_of(response, self.context)?;
        output::note(format_args!("{} returned {text}", self.call.words.argument));
        Ok(())
    }

    /// Prints a response; `false` if nobody reads it.
    fn print(&mut self, response: Response) -> Result<bool, Exit> {
        let is_one = self.request.method.is_some() && !self.streams;
        if is_one && !self.call.answer.is_printed(&response) {
            self.has_answered = true;
            return Ok(true);
        }
        if io::stdout().is_terminal() {
            self.bar.erase();
        }
        self.has_answered = true;
        self.with_error |= response.error;
        self.call.answer.print(response, self.context)
    }

    fn answered(&self) -> Ended {
        Ended::Answered { with_error: self.with_error }
    }

    /// Cancels the call, waits for its end, and prints what has happened.
    fn interrupt(&mut self, mut call: bgpy::Call) -> Ended {
        self.bar.stop();
        let target = &self.call.server.target;
        let watch = self.watch;
        let ends_wait = || watch.has_ended_wait();
        if let Err(error) = call.handle().cancel(&Wait::new(Some(PATIENCE), &ends_wait)) {
            output::note(format_args!("{error}; if its call has begun, it runs on"));
            return Ended::Interrupted;
        }
        match self.see_out(&mut call, &ends_wait) {
            Ok(Ended::Failed(_)) => {}
            Ok(_) => output::note(format_args!(
                "{target}: the call was not cancelled: it had ended, or has caught `bgpy.Cancelled`"
            )),
            Err(CallError::Failed { failure, .. }) if failure.code == FailureCode::Cancelled => {
                output::note(format_args!("{target}: {}", failure.message));
            }
            Err(CallError::Timeout { .. }) => {
                output::note(format_args!(
                    "{target}: the call still runs after {}: it has caught `bgpy.Cancelled`, or does not \
                     return from a call into C; `bgpy dump {target}` shows what it does",
                    shown(PATIENCE)
                ));
                call.detach();
            }
            Err(CallError::Interrupted) => {
                output::note(format_args!(
                    "{target}: the call is being cancelled, and may still run"
                ));
                call.detach();
            }
            Err(error) => {
                self.call.answer.failed(&error.with_ending());
            }
        }
        Ended::Interrupted
    }

    /// Follows a call that is being cancelled.
    fn see_out(
        &mut self,
        call: &mut bgpy::Call,
        ends_wait: &dyn Fn() -> bool,
    ) -> Result<Ended, CallError> {
        match self.follow(call, &Wait::new(Some(HINT_AFTER), ends_wait)) {
            Err(CallError::Timeout { .. }) => {
                output::note("Cancelling the call; Ctrl-C leaves at once.");
                self.follow(call, &Wait::new(Some(PATIENCE - HINT_AFTER), ends_wait))
            }
            outcome => outcome,
        }
    }
}
