//! `bgpy attach`: a Python prompt in a server, or the debugger of a task at a breakpoint.

mod lines;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use bgpy::{CallError, DebugReply, DebugRequest, Link, Wait};
use clap::Args;

use self::lines::{Line, Lines};
use super::dump::unexpected;
use crate::connect::{ServerArgs, Trust, advice};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::{self, Pieces, terminal};
use crate::platform::Interrupts;

/// How soon the server is asked for output after a line was sent. It is asked less and less often.
const ASK: Duration = Duration::from_millis(2);

/// How often it is asked at the least.
const ASK_LEAST: Duration = Duration::from_millis(200);

/// How often it hears from a user who types or thinks. It gives up those who are silent for a minute.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// Open a Python prompt in a server, or the debugger of a task that waits at a breakpoint
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bgpy attach trainer                       a prompt, beside the tasks; `state` is the state
  echo 'len(state)' | bgpy attach trainer   run lines from standard input

A task that has called breakpoint() waits until somebody attaches: `c` lets it go on, `q` ends it. Ctrl-C \
interrupts what runs, a second one leaves. Ctrl-D leaves.

Exit codes: 0 left, 1 the server cannot do it, 3 not running, 4 no response, 5 wrong token, 6 not a bgpy \
server or another version, 130 left with Ctrl-C.")]
pub(crate) struct Attach {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(flatten)]
    pub(crate) trust: Trust,

    /// Open a prompt even if a task waits at a breakpoint
    #[arg(long)]
    pub(crate) prompt: bool,
}

/// A session in a server.
struct Session<'a> {
    link: Arc<Link>,
    number: u64,
    after: u64,
    context: &'a Context<'a>,
    output: Pieces,
    /// Whether the output ends in the middle of a line.
    is_torn: bool,
    /// On a terminal, Ctrl-C is for what the server runs.
    interrupts: Option<Interrupts>,
}

/// What a session does now.
enum Course {
    /// It runs something.
    Runs,
    /// It reads a line.
    Reads(String),
    Over,
}

impl Attach {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let (client, wait) = (self.server.client(&self.trust)?, self.server.access.wait(context));
        let link = client.debug_link(&wait).map_err(advice::failed)?;
        let open = DebugRequest::Open { prompt: self.prompt };
        let (number, after, place, about) =
            match link.debug(&open, &wait).map_err(advice::failed)? {
                DebugReply::Opened { opened, after, place, about } => (opened, after, place, about),
                reply => return Err(unexpected(&reply)),
            };
        let mut lines = Lines::open()?;
        if lines.is_terminal() {
            let target = &self.server.target;
            match place {
                Some(place) => {
                    output::note(format_args!("{target}: breakpoint in {place}\n{about}"))
                }
                None => output::note(format_args!("{target}, {about}")),
            }
        }
        let output = Pieces::plain();
        let interrupts = lines.is_terminal().then(Interrupts::watch);
        let mut session =
            Session { link, number, after, context, output, is_torn: false, interrupts };
        let outcome = session.converse(&mut lines);
        let was_left = !matches!(outcome, Ok(Course::Over));
        session.output.finish();
        if was_left {
            // What is lost with the connection is closed by the server.
            let close = DebugRequest::Close { session: number };
            drop(session.link.debug(&close, &Wait::new(Some(SIGN_OF_LIFE), &|| false)));
        }
        outcome.map(drop)
    }
}

impl Session<'_> {
    /// Passes lines and output on until the session is over, or the user leaves it.
    fn converse(&mut self, lines: &mut Lines) -> Result<Course, Exit> {
        let mut typed = VecDeque::new();
        let mut course = self.ask(None)?;
        loop {
            course = match course {
                Course::Over => return Ok(course),
                Course::Runs => self.run()?,
                Course::Reads(prompt) => {
                    if typed.is_empty() {
                        self.tear_off(lines);
                        match self.while_alive(|| lines.read(&prompt))? {
                            // A pasted text may have several.
                            Line::Read(text) => typed.extend(text.split('\n').map(str::to_owned)),
                            Line::Dropped => typed.clear(),
                            Line::End => return Ok(Course::Reads(prompt)),
                        }
                    }
                    match typed.pop_front() {
                        Some(line) => self.ask(Some(line))?,
                        None => Course::Reads(prompt),
                    }
                }
            };
            if terminal::is_gone() {
                return Ok(Course::Runs);
            }
        }
    }

    /// Waits until what runs has ended, or reads a line.
    fn run(&mut self) -> Result<Course, Exit> {
        let (mut pause, mut is_interrupted) = (ASK, false);
        loop {
            thread::sleep(pause);
            let before = self.after;
            match self.ask(None)? {
                Course::Runs => {}
                course => return Ok(course),
            }
            pause = if self.after == before { (pause * 2).min(ASK_LEAST) } else { ASK };
            // An interpreter around the command records it, too.
            let is_recorded = (self.context.interrupted)();
            let has_come = self.interrupts.as_ref().map_or(is_recorded, Interrupts::have_come);
            if has_come && (is_interrupted || self.interrupts.is_none()) {
                return Err(Exit::Interrupted);
            }
            if has_come {
                is_interrupted = true;
                self.debug(&DebugRequest::Interrupt { session: self.number })?;
                pause = ASK;
            }
            if terminal::is_gone() {
                return Ok(Course::Over);
            }
        }
    }

    /// Asks for output and prints it.
    fn ask(&mut self, input: Option<String>) -> Result<Course, Exit> {
        let request = DebugRequest::Console { session: self.number, after: self.after, input };
        match self.debug(&request)? {
            DebugReply::Console { output, after, reads, over } => {
                self.after = after;
                if let Some(last) = output.last() {
                    self.is_torn = *last != b'\n';
                    if !self.output.write(&output) {
                        return Err(Exit::Done);
                    }
                }
                Ok(match reads {
                    _ if over => Course::Over,
                    Some(prompt) => Course::Reads(prompt),
                    None => Course::Runs,
                })
            }
            reply => Err(unexpected(&reply)),
        }
    }

    fn debug(&self, request: &DebugRequest) -> Result<DebugReply, Exit> {
        // A signal is handled once the answer is here.
        self.link.debug(request, &Wait::new(None, &|| false)).map_err(|error| {
            match error.with_ending() {
                CallError::Lost { server, ended: Some(ended), .. } => {
                    let text = format_args!("{server} has ended, and the session with it: {ended}");
                    output::error(text, Exit::Failed)
                }
                error => advice::failed(error),
            }
        })
    }

    /// Begins another line on a terminal: what edits lines takes the whole of one.
    fn tear_off(&mut self, lines: &Lines) {
        if std::mem::take(&mut self.is_torn) && lines.is_terminal() {
            self.output.write(b"\n");
        }
    }

    /// Gives the server signs of life while the user types.
    fn while_alive<T>(&self, act: impl FnOnce() -> T) -> T {
        let (typed, is_typed) = channel::<()>();
        let link = self.link.clone();
        let ask = DebugRequest::Console { session: self.number, after: self.after, input: None };
        thread::scope(|scope| {
            scope.spawn(move || {
                while is_typed.recv_timeout(SIGN_OF_LIFE) == Err(RecvTimeoutError::Timeout) {
                    // Whatever is wrong shows at the next line.
                    drop(link.debug(&ask, &Wait::new(Some(SIGN_OF_LIFE), &|| false)));
                }
            });
            let outcome = act();
            drop(typed);
            outcome
        })
    }
}
