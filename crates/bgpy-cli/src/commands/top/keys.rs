//! The keys of the live view.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::actions::Action;

/// What the user sees, on which the meaning of a key depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// The servers, and the log of the selected one.
    Servers,
    /// The log of the selected server alone.
    Log,
    /// The keys.
    Help,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Leave,
    /// To see something else.
    Show(View),
    Up,
    Down,
    First,
    Last,
    /// To do something with the selected server, if the user confirms that.
    Ask(Action),
    /// Yes, do it.
    Confirm,
    /// No, do not.
    Decline,
}

/// The keys with what they do, for people.
pub(super) const KEYS: [(&str, &str); 8] = [
    ("\u{2191} \u{2193} k j", "select a server"),
    ("Home End", "the first, the last"),
    ("f Enter", "its log in full height"),
    ("s", "stop it, after a question"),
    ("r", "restart it, after a question"),
    ("?", "these keys"),
    ("Esc", "back; quit"),
    ("q Ctrl-C", "quit"),
];

/// Hints for the bottom line, the most important first.
pub(super) const HINTS: [&str; 6] =
    ["? keys", "q quit", "\u{2191}\u{2193} select", "f log", "s stop", "r restart"];

/// The same while the log alone is shown.
pub(super) const LOG_HINTS: [&str; 3] = ["Esc back", "q quit", "\u{2191}\u{2193} other server"];

/// The meaning of a key, in a view and while a question is asked.
pub(super) fn wish(key: KeyEvent, view: View, is_asked: bool) -> Option<Wish> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        return Some(Wish::Leave);
    }
    if is_asked {
        return Some(match key.code {
            KeyCode::Char('y' | 'Y') => Wish::Confirm,
            _ => Wish::Decline,
        });
    }
    Some(match (key.code, view) {
        (KeyCode::Char('q'), _) | (KeyCode::Esc, View::Servers) => Wish::Leave,
        (KeyCode::Esc | KeyCode::Enter | KeyCode::Char('f'), View::Log)
        | (KeyCode::Esc | KeyCode::Enter | KeyCode::Char('?'), View::Help) => {
            Wish::Show(View::Servers)
        }
        (KeyCode::Enter | KeyCode::Char('f'), View::Servers | View::Help) => Wish::Show(View::Log),
        (KeyCode::Char('?'), View::Servers | View::Log) => Wish::Show(View::Help),
        (KeyCode::Up | KeyCode::Char('k'), _) => Wish::Up,
        (KeyCode::Down | KeyCode::Char('j'), _) => Wish::Down,
        (KeyCode::Home | KeyCode::Char('g'), _) => Wish::First,
        (KeyCode::End | KeyCode::Char('G'), _) => Wish::Last,
        (KeyCode::Char('s'), _) => Wish::Ask(Action::Stop),
        (KeyCode::Char('r'), _) => Wish::Ask(Action::Restart),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(code: KeyCode, view: View) -> Option<Wish> {
        wish(KeyEvent::new(code, KeyModifiers::NONE), view, false)
    }

    #[test]
    fn keys_have_their_wishes() {
        for (key, wanted) in [
            (KeyCode::Esc, Wish::Leave),
            (KeyCode::Char('q'), Wish::Leave),
            (KeyCode::Up, Wish::Up),
            (KeyCode::Char('j'), Wish::Down),
            (KeyCode::Enter, Wish::Show(View::Log)),
            (KeyCode::Char('?'), Wish::Show(View::Help)),
            (KeyCode::Char('s'), Wish::Ask(Action::Stop)),
            (KeyCode::Char('r'), Wish::Ask(Action::Restart)),
        ] {
            assert_eq!(plain(key, View::Servers), Some(wanted));
        }
        assert_eq!(plain(KeyCode::Char('c'), View::Servers), None);
    }

    #[test]
    fn escape_goes_back_first() {
        for view in [View::Log, View::Help] {
            assert_eq!(plain(KeyCode::Esc, view), Some(Wish::Show(View::Servers)));
            assert_eq!(plain(KeyCode::Char('q'), view), Some(Wish::Leave));
        }
        assert_eq!(plain(KeyCode::Char('f'), View::Log), Some(Wish::Show(View::Servers)));
        assert_eq!(plain(KeyCode::Char('?'), View::Help), Some(Wish::Show(View::Servers)));
    }

    #[test]
    fn only_y_confirms() {
        let asked = |code| wish(KeyEvent::new(code, KeyModifiers::NONE), View::Servers, true);
        assert_eq!(asked(KeyCode::Char('y')), Some(Wish::Confirm));
        for key in [KeyCode::Char('n'), KeyCode::Char('q'), KeyCode::Esc, KeyCode::Enter] {
            assert_eq!(asked(key), Some(Wish::Decline));
        }
        let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(wish(ctrl_c, View::Log, true), Some(Wish::Leave));
    }
}
