//! The event loop of the live view.
//!
//! A separate thread polls the servers, because an unresponsive server takes seconds while keys must act at
//! once.

use std::io;
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use bgpy::registry::Registry;
use ratatui::crossterm::event::{self, Event};

use super::actions::Actions;
use super::keys::wish;
use super::poller::Poller;
use super::screen::Screen;
use super::state::{Next, State};
use crate::exit::Exit;
use crate::output::terminal;
use crate::platform::Signals;

/// How often new data, the log and signals are checked while no key is pressed.
const TICK: Duration = Duration::from_millis(50);

/// Shows the servers until the user quits.
///
/// # Errors
/// The error of the operating system; the terminal is restored.
pub(super) fn run(
    registry: Registry,
    interval: Duration,
    colored: bool,
    interrupted: &dyn Fn() -> bool,
) -> io::Result<Result<(), Exit>> {
    let signals = Signals::watch()?;
    terminal::end_with_it();
    let mut actions = Actions::new(registry.clone());
    let mut screen = Screen::open(colored)?;
    let is_interrupted = || signals.has_come() || interrupted();
    let state = State::new(interval, colored);
    let outcome = watch(&mut screen, registry, state, &mut actions, &is_interrupted);
    drop(screen);
    actions.finish(&is_interrupted);
    // The terminal is restored, so a signal may end the process now.
    signals.pass_on()?;
    outcome
}

fn watch(
    screen: &mut Screen,
    registry: Registry,
    mut state: State,
    actions: &mut Actions,
    interrupted: &dyn Fn() -> bool,
) -> io::Result<Result<(), Exit>> {
    let poller = Poller::start(registry, state.interval)?;
    let mut has_changed = true;
    loop {
        if has_changed {
            screen.draw(&state)?;
        }
        has_changed = false;
        if event::poll(TICK)? {
            has_changed = true;
            if let Event::Key(key) = event::read()?
                && let Some(wish) = wish(key, state.view, state.question.is_some())
            {
                match state.act(wish) {
                    Next::Stay => {}
                    Next::Leave => return Ok(Ok(())),
                    Next::Start(action, entry) => state.report(actions.start(action, entry)),
                }
            }
        }
        if interrupted() {
            return Ok(Err(Exit::Interrupted));
        }
        while let Some(report) = actions.try_recv() {
            state.report(report);
            has_changed = true;
        }
        match poller.try_recv() {
            Ok(infos) => {
                state.take(infos?);
                has_changed = true;
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => {
                return Err(io::Error::other("the thread that polls the servers has ended"));
            }
        }
        has_changed |= state.follow_log();
    }
}
