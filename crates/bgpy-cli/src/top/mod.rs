//! The live view of servers: its loop. What is known is in [`state`], how it looks in [`draw`].
//!
//! Servers are looked at by a thread of its own, because one that does not answer takes seconds, and
//! keys act at once.

mod draw;
mod log;
mod looks;
mod screen;
mod signals;
mod state;

use std::io;
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use bgpy::registry::Registry;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use self::screen::Screen;
use self::signals::Signals;
use self::state::State;
use crate::exit::Exit;
use crate::terminal;

/// How often looks, the log and signals are asked for while no key is pressed.
const TICK: Duration = Duration::from_millis(50);

/// What a key asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Leave,
    Up,
    Down,
    First,
    Last,
}

/// Shows the servers until the user has seen enough.
///
/// # Errors
/// What the operating system says of the terminal, which is as it was before.
pub(crate) fn run(
    registry: Registry,
    interval: Duration,
    colored: bool,
    interrupted: &dyn Fn() -> bool,
) -> io::Result<Exit> {
    let signals = Signals::watch()?;
    terminal::end_with_it();
    let mut screen = Screen::open(colored)?;
    let exit =
        watch(&mut screen, registry, interval, colored, &|| signals.has_come() || interrupted());
    drop(screen);
    // One that ends processes does so, now that the terminal is as it was.
    signals.pass_on()?;
    exit
}

fn watch(
    screen: &mut Screen,
    registry: Registry,
    interval: Duration,
    colored: bool,
    interrupted: &dyn Fn() -> bool,
) -> io::Result<Exit> {
    let looks = looks::begin(registry, interval)?;
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
                    Some(Wish::Leave) => return Ok(Exit::Done),
                    Some(Wish::Up) => state.select_by(-1),
                    Some(Wish::Down) => state.select_by(1),
                    Some(Wish::First) => state.select_by(isize::MIN),
                    Some(Wish::Last) => state.select_by(isize::MAX),
                    None => {}
                }
            }
        }
        if interrupted() {
            return Ok(Exit::Interrupted);
        }
        match looks.try_recv() {
            Ok(infos) => {
                state.take(infos?);
                has_changed = true;
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => {
                return Err(io::Error::other("the servers cannot be looked at any more"));
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
