//! The data of the live view: the servers as last seen, their rates, and the selection.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bgpy::registry::Entry;
use bgpy::{Name, ServerInfo, Status};

use super::actions::{Action, Report};
use super::keys::{View, Wish};
use super::log::LogView;

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct State {
    pub(super) interval: Duration,
    pub(super) colored: bool,
    pub(super) view: View,
    /// What the user has to confirm.
    pub(super) question: Option<Question>,
    /// What there is to tell about actions, until the next key.
    pub(super) notice: Option<Report>,
    /// The servers; `None` until the first result of polling.
    pub(super) servers: Option<Vec<Seen>>,
    /// The instance that is selected.
    selected: Option<String>,
    pub(super) log: LogView,
    /// Instances that were seen running: other instances that have ended are not shown.
    ran: HashSet<String>,
}

/// A server, with its rates between two refreshes.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) info: ServerInfo,
    pub(super) rates: Option<Rates>,
}

/// What a server did since the last refresh, by its own clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    /// Calls per second that ended.
    pub(super) calls: f64,
    /// CPU time in percent of one CPU, if the server reports it.
    pub(super) cpu: Option<f64>,
}

/// An action that waits for the user to confirm it.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) action: Action,
    /// The server that was selected when it was asked for.
    pub(super) entry: Box<Entry>,
}

/// What the event loop has to do after a key.
#[derive(Debug)]
pub(super) enum Next {
    Stay,
    Leave,
    Start(Action, Box<Entry>),
}

impl State {
    pub(super) fn new(interval: Duration, colored: bool) -> Self {
        Self {
            interval,
            colored,
            view: View::Servers,
            question: None,
            notice: None,
            servers: None,
            selected: None,
            log: LogView::default(),
            ran: HashSet::new(),
        }
    }

    /// Updates the servers, which include those that have ended.
    pub(super) fn take(&mut self, infos: Vec<ServerInfo>) {
        let at = self.selected_row();
        let before = self.servers.take().unwrap_or_default().into_iter();
        let before: HashMap<_, _> =
            before.map(|seen| (seen.info.entry.instance.clone(), seen)).collect();
        let running: HashSet<Name> = infos
            .iter()
            .filter(|info| !info.has_ended())
            .filter_map(|info| info.entry.name.clone())
            .collect();
        self.ran.extend(
            infos.iter().filter(|info| !info.has_ended()).map(|info| info.entry.instance.clone()),
        );
        // A server that ended while it was watched is shown until another one has its name.
        let is_shown = |info: &ServerInfo| {
            let name = info.entry.name.as_ref();
            let is_followed = name.is_some_and(|name| running.contains(name));
            !info.has_ended() || (self.ran.contains(&info.entry.instance) && !is_followed)
        };
        let seen = |info: ServerInfo| {
            let known = before.get(&info.entry.instance);
            let last = known.and_then(|seen| seen.info.status.as_ref());
            let rates = last.zip(info.status.as_ref()).and_then(|(last, now)| rates(last, now));
            Seen { info, rates }
        };
        let servers: Vec<_> = infos.into_iter().filter(is_shown).map(seen).collect();
        let is_there = |instance: &String| {
            servers.iter().any(|seen: &Seen| seen.info.entry.instance == *instance)
        };
        if !self.selected.as_ref().is_some_and(is_there) {
            // Select the server that has taken its name, or its row.
            let name = self.selected.as_ref().and_then(|instance| before.get(instance));
            let name = name.and_then(|seen| seen.info.entry.name.as_ref());
            let successor =
                servers.iter().find(|seen| name.is_some() && seen.info.entry.name.as_ref() == name);
            let at = at.unwrap_or(0).min(servers.len().saturating_sub(1));
            let next = successor.or_else(|| servers.get(at));
            self.selected = next.map(|seen| seen.info.entry.instance.clone());
        }
        self.servers = Some(servers);
        self.follow_selected();
    }

    /// The row of the server that is selected.
    pub(super) fn selected_row(&self) -> Option<usize> {
        let selected = self.selected.as_ref()?;
        self.servers.as_ref()?.iter().position(|seen| seen.info.entry.instance == *selected)
    }

    /// The server that is selected.
    pub(super) fn selected(&self) -> Option<&Seen> {
        self.servers.as_ref()?.get(self.selected_row()?)
    }

    /// Does what a key asks for.
    pub(super) fn act(&mut self, wish: Wish) -> Next {
        self.notice = None;
        let question = self.question.take();
        match wish {
            Wish::Leave => return Next::Leave,
            Wish::Show(view) => self.view = view,
            Wish::Up => self.select_by(-1),
            Wish::Down => self.select_by(1),
            Wish::First => self.select_by(isize::MIN),
            Wish::Last => self.select_by(isize::MAX),
            Wish::Ask(action) => {
                let entry = self.selected().map(|seen| seen.info.entry.clone().into());
                self.question = entry.map(|entry| Question { action, entry });
            }
            Wish::Confirm => {
                if let Some(Question { action, entry }) = question {
                    return Next::Start(action, entry);
                }
            }
            Wish::Decline => {}
        }
        Next::Stay
    }

    /// Shows what an action has to tell.
    pub(super) fn report(&mut self, report: Report) {
        self.notice = Some(report);
    }

    /// Moves the selection down by `rows`.
    pub(super) fn select_by(&mut self, rows: isize) {
        let Some(servers) = &self.servers else { return };
        let at = self.selected_row().unwrap_or(0).saturating_add_signed(rows);
        let seen = servers.get(at.min(servers.len().saturating_sub(1)));
        self.selected = seen.map(|seen| seen.info.entry.instance.clone());
        self.follow_selected();
    }

    /// Reads the log of the selected server, and returns whether the display has changed.
    pub(super) fn follow_log(&mut self) -> bool {
        self.log.follow()
    }

    fn follow_selected(&mut self) {
        let path = self.selected().and_then(|seen| seen.info.entry.log_file.clone());
        self.log.switch(path.as_deref());
    }
}

/// The rates between two answers of a server; `None` if another process gave the last one.
fn rates(last: &Status, now: &Status) -> Option<Rates> {
    let seconds = now.uptime_s - last.uptime_s;
    (seconds > 0.0 && now.pid == last.pid).then(|| Rates {
        calls: now.calls.saturating_sub(last.calls) as f64 / seconds,
        cpu: last.cpu_s.zip(now.cpu_s).map(|(last, now)| (now - last).max(0.0) / seconds * 100.0),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use bgpy::State as Stands;
    use bgpy::registry::Entry;
    use bgpy::survey::ServerState;

    use super::*;

    /// A server that has run for so many seconds, and so many calls.
    pub(in crate::commands::top) fn server(
        name: &str,
        state: ServerState,
        uptime_s: f64,
    ) -> ServerInfo {
        let text = serde_json::json!({
            "format": 1, "instance": name, "name": name, "machine": "m", "process": {"pid": 42, "start": null},
            "host": "127.0.0.1", "address": "127.0.0.1:4000", "socket": null, "token": null,
            "log_file": null, "bgpy": "1.0.0", "python": "3.14.0", "started_ms": 0,
        });
        let entry: Entry = serde_json::from_value(text).unwrap();
        let status = |state| Status {
            state,
            task: None,
            busy_s: None,
            queue: 3,
            calls: (uptime_s * 20.0) as u64,
            clients: 1,
            uptime_s,
            cpu_s: Some(uptime_s / 4.0),
            pid: 42,
            rss_bytes: Some(30 << 20),
            name: Some(name.to_owned()),
            call: None,
            progress: None,
        };
        let status = match state {
            ServerState::Alive(state) => Some(status(state)),
            _ => None,
        };
        let answered_in = status.as_ref().map(|_| Duration::from_micros(250));
        ServerInfo { entry, state, reason: None, is_full: false, status, answered_in }
    }

    pub(in crate::commands::top) const READY: ServerState = ServerState::Alive(Stands::Ready);

    fn names(state: &State) -> Vec<(&str, &str)> {
        let servers = state.servers.as_deref().unwrap_or_default();
        servers
            .iter()
            .map(|seen| (seen.info.entry.instance.as_str(), seen.info.state.as_str()))
            .collect()
    }

    fn selected(state: &State) -> Option<&str> {
        state.selected().map(|seen| seen.info.entry.instance.as_str())
    }

    #[test]
    fn the_rate_is_what_two_looks_differ_by() {
        let mut state = State::new(Duration::from_secs(1), false);
        state.take(vec![server("a", READY, 10.0)]);
        assert_eq!(state.selected().unwrap().rates, None);
        state.take(vec![server("a", READY, 10.5), server("b", READY, 1.0)]);
        let rates: Vec<_> = state.servers.iter().flatten().map(|seen| seen.rates).collect();
        assert_eq!(rates, [Some(Rates { calls: 20.0, cpu: Some(25.0) }), None]);
        state.take(vec![server("a", READY, 10.5)]);
        assert_eq!(state.selected().unwrap().rates, None);
        let mut again = server("a", READY, 99.0);
        again.status.as_mut().unwrap().pid = 43;
        state.take(vec![again]);
        assert_eq!(state.selected().unwrap().rates, None);
    }

    #[test]
    fn an_action_is_for_the_server_that_was_selected_when_it_was_asked_for() {
        let mut state = State::new(Duration::from_secs(1), false);
        assert!(matches!(state.act(Wish::Ask(Action::Stop)), Next::Stay));
        assert!(state.question.is_none(), "there is no server");
        state.take(vec![server("a", READY, 1.0), server("b", READY, 1.0)]);
        state.act(Wish::Ask(Action::Stop));
        state.take(vec![server("b", READY, 1.0)]);
        assert_eq!(selected(&state), Some("b"));
        match state.act(Wish::Confirm) {
            Next::Start(Action::Stop, entry) => assert_eq!(entry.instance, "a"),
            other => panic!("{other:?}"),
        }
        assert!(state.question.is_none());
        assert!(matches!(state.act(Wish::Confirm), Next::Stay), "nothing was asked");
        state.act(Wish::Ask(Action::Restart));
        assert!(matches!(state.act(Wish::Decline), Next::Stay));
        assert!(state.question.is_none());
    }

    #[test]
    fn a_notice_stays_until_the_next_key() {
        let mut state = State::new(Duration::from_secs(1), false);
        state.report(Report::Done("Stopped a.".into()));
        state.take(Vec::new());
        assert!(state.notice.is_some());
        state.act(Wish::Down);
        assert!(state.notice.is_none());
    }

    #[test]
    fn only_what_ended_while_it_was_watched_is_shown() {
        let mut state = State::new(Duration::from_secs(1), false);
        let old = || server("old", ServerState::Failed, 1.0);
        state.take(vec![server("a", READY, 1.0), old()]);
        assert_eq!(names(&state), [("a", "READY")]);
        state.take(vec![server("a", ServerState::Exited, 1.0), old()]);
        assert_eq!(names(&state), [("a", "EXITED")]);
        let mut next = server("b", READY, 1.0);
        next.entry.name = Some("a".parse().unwrap());
        state.take(vec![next, server("a", ServerState::Exited, 1.0)]);
        assert_eq!(names(&state), [("b", "READY")]);
        assert_eq!(selected(&state), Some("b"));
        state.take(Vec::new());
        assert_eq!((names(&state), selected(&state)), (vec![], None));
    }

    #[test]
    fn the_selection_stays_with_its_server() {
        let mut state = State::new(Duration::from_secs(1), false);
        state.select_by(1);
        assert_eq!(selected(&state), None);
        let all = |names: &[&str]| names.iter().map(|name| server(name, READY, 1.0)).collect();
        state.take(all(&["a", "b", "c"]));
        assert_eq!(selected(&state), Some("a"));
        state.select_by(1);
        state.take(all(&["new", "a", "b", "c"]));
        assert_eq!(selected(&state), Some("b"));
        for (rows, name) in [(-1, "a"), (-9, "new"), (isize::MAX, "c"), (isize::MIN, "new")] {
            state.select_by(rows);
            assert_eq!(selected(&state), Some(name));
        }
        state.select_by(isize::MAX);
        state.take(all(&["a", "b"]));
        assert_eq!(selected(&state), Some("b"));
    }
}
