//! The event loop of the live view.
//!
//! A separate thread polls the servers, because an unresponsive server takes seconds while keys must act at
//! once.

use std::io;
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use bgpy::registry::Registry;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::poller::Poller;
use super::screen::Screen;
use super::state::State;
use crate::exit::Exit;
use crate::output::terminal;
use crate::platform::Signals;

/// How often new data, the log and signals are checked while no key is pressed.
const TICK: Duration = Duration::from_millis(50);

/// The action of a key.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Leave,
    Up,
    Down,
    First,
    Last,
}

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
    let mut screen = Screen::open(colored)?;
    let outcome =
        watch(&mut screen, registry, interval, colored, &|| signals.has_come() || interrupted());
    drop(screen);
    // The terminal is restored, so a signal may end the process now.
    signals.pass_on()?;
    outcome
}

fn watch(
    screen: &mut Screen,
    registry: Registry,
    interval: Duration,
    colored: bool,
    interrupted: &dyn Fn() -> bool,
) -> io::Result<Result<(), Exit>> {
    let poller = Poller::start(registry, interval)?;
    let mut state = State::new(interval, colored);
    let mut has_changed = true;
    loop {
        if has_changed {
            screen.draw(&state)?;
        }
        has_changed = false;
        if event::poll(TICK)? {
            has_changed = true;
            if let Event::Key(key) = event::read()? {
                match wish(key) {
                    Some(Wish::Leave) => return Ok(Ok(())),
                    Some(Wish::Up) => state.select_by(-1),
                    Some(Wish::Down) => state.select_by(1),
                    Some(Wish::First) => state.select_by(isize::MIN),
                    Some(Wish::Last) => state.select_by(isize::MAX),
                    None => {}
                }
            }
        }
        if interrupted() {
            return Ok(Err(Exit::Interrupted));
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

fn wish(key: KeyEvent) -> Option<Wish> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Wish::Leave),
        KeyCode::Char('q') | KeyCode::Esc => Some(Wish::Leave),
        KeyCode::Up | KeyCode::Char('k') => Some(Wish::Up),
        KeyCode::Down | KeyCode::Char('j') => Some(Wish::Down),
        KeyCode::Home | KeyCode::Char('g') => Some(Wish::First),
        KeyCode::End | KeyCode::Char('G') => Some(Wish::Last),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_wishes() {
        let plain = |code| wish(KeyEvent::new(code, KeyModifiers::NONE));
        for code in [KeyCode::Esc, KeyCode::Char('q')] {
            assert_eq!(plain(code), Some(Wish::Leave));
        }
        assert_eq!(plain(KeyCode::Char('c')), None);
        let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(wish(ctrl_c), Some(Wish::Leave));
        assert_eq!(
            (plain(KeyCode::Up), plain(KeyCode::Char('j'))),
            (Some(Wish::Up), Some(Wish::Down))
        );
    }
}
