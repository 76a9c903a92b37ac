//! What to try next to reach a server: look it up, greet it by one route or another, pause and look
//! again, or give up.
//!
//! It neither connects nor sleeps: it tells its caller what to do next.

use std::time::{Duration, Instant};

use super::lookup::{Found, Lookup};
use super::restart_wait::{Pause, RestartWait, may_be_back_soon};
use super::route::Route;
use crate::clock;
use crate::error::ConnectError;
use crate::wait::Wait;

/// How often connecting to a restarting server is retried.
pub(super) const RETRY_EVERY: Duration = Duration::from_millis(20);

/// What to do next.
#[derive(Debug)]
pub(super) enum Action {
    /// Greet the server at the end of this route; if that fails, report it to
    /// [`failed`](Search::failed).
    Greet(Route),
    /// Sleep for so long.
    Pause(Duration),
}

#[derive(Debug)]
enum Stage {
    Look,
    /// The next of the routes that were found.
    Route,
    /// The routes have led nowhere.
    Failed(ConnectError),
}

/// The search for a server, until it has answered.
#[derive(Debug)]
pub(super) struct Search {
    /// The server, as the user named it.
    server: String,
    begun: Instant,
    /// When the attempt began whose time is limited.
    since: Instant,
    stage: Stage,
    found: Found,
    /// Whether the registry was asked again after it had shown no server.
    has_looked_again: bool,
}

impl Search {
    pub(super) fn new(server: String) -> Self {
        let now = clock::now();
        Self {
            server,
            begun: now,
            since: now,
            stage: Stage::Look,
            found: Found::default(),
            has_looked_again: false,
        }
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// When the present attempt began: what it still may take, [`Wait::left_to_connect`] tells.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// What to do next.
    ///
    /// # Errors
    /// The error for the caller, when there is nothing more to try.
    pub(super) fn next(
        &mut self,
        lookup: &impl Lookup,
        wait: &Wait<'_>,
    ) -> Result<Action, ConnectError> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Look) {
                Stage::Look => {
                    self.found = lookup.find()?;
                    let restart = RestartWait::since(&self.server, wait, self.begun);
                    match restart.pause(self.found.pauses.iter().copied()) {
                        Pause::None => self.stage = Stage::Route,
                        Pause::Over => return Err(restart.over(self.found.failing.take())),
                        Pause::For(pause) => {
                            self.since = clock::now() + pause;
                            return Ok(Action::Pause(pause));
                        }
                    }
                }
                Stage::Route => match self.found.routes.next() {
                    Some(route) => return Ok(Action::Greet(route)),
                    None => self.stage = Stage::Failed(self.found.routes.exhausted(&self.server)),
                },
                Stage::Failed(error) => {
                    if let Some(pause) = self.pause_after(error, lookup, wait)? {
                        return Ok(Action::Pause(pause));
                    }
                }
            }
        }
    }

    /// Notes that a route does not lead to the server; without a `failure`, nothing listens there.
    pub(super) fn failed(&mut self, route: &Route, failure: Option<ConnectError>) {
        self.stage = match self.found.routes.failed(route, failure) {
            Ok(()) => Stage::Route,
            Err(error) => Stage::Failed(error),
        };
    }

    /// Decides whether to look again after an error, and after which pause.
    fn pause_after(
        &mut self,
        error: ConnectError,
        lookup: &impl Lookup,
        wait: &Wait<'_>,
    ) -> Result<Option<Duration>, ConnectError> {
        if self.found.comes_back {
            // A supervised server whose process died while connecting is restarted.
            if may_be_back_soon(&error) && wait.left_to_connect(self.since).is_some() {
                return Ok(Some(RETRY_EVERY));
            }
            if matches!(error, ConnectError::Timeout { .. })
                && let Some(down) = lookup.down(&self.found.instances)
            {
                let restart = RestartWait::since(&self.server, wait, self.begun);
                if restart.left().is_none() {
                    return Err(restart.over(down.failing));
                }
                // The caller has more time than one attempt takes.
                self.since = clock::now();
                return Ok(None);
            }
        }
        if may_start_soon(&error) {
            // Its starter bounds the time of a start. A server listens before its token can be found.
            if lookup.is_about_to_start(&error) {
                if wait.slice().is_none() {
                    let (server, after) = (self.server.clone(), wait.limit().unwrap_or_default());
                    return Err(ConnectError::Restarting { server, after, failing: None });
                }
                self.since = clock::now() + RETRY_EVERY;
                self.has_looked_again = false;
                return Ok(Some(RETRY_EVERY));
            }
            // It may have started since its entry was looked for, and its token with it.
            if !std::mem::replace(&mut self.has_looked_again, true)
                && lookup.find()?.instances != self.found.instances
            {
                return Ok(None);
            }
        }
        Err(lookup.explain(error))
    }
}

/// Whether the reason may be that the server has not quite started.
fn may_start_soon(error: &ConnectError) -> bool {
    matches!(
        error,
        ConnectError::NotRunning { .. }
            | ConnectError::NoSuchName { .. }
            | ConnectError::NoToken { .. }
            | ConnectError::Auth { .. }
    )
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::client::lookup::Down;
    use crate::client::route::Routes;

    /// A registry that knows of one server from the `appears`th look on.
    #[derive(Default)]
    struct Known {
        looks: Cell<usize>,
        appears: usize,
        pauses: Cell<usize>,
        comes_back: bool,
        starts: Cell<usize>,
        is_down: bool,
    }

    fn took_one(count: &Cell<usize>) -> bool {
        let left = count.get();
        count.set(left.saturating_sub(1));
        left > 0
    }

    impl Lookup for Known {
        fn find(&self) -> Result<Found, ConnectError> {
            let look = self.looks.replace(self.looks.get() + 1);
            let is_known = look >= self.appears;
            let mut routes = Routes::default();
            routes.add_tcp(([127, 0, 0, 1], 1).into(), None);
            let pause = took_one(&self.pauses).then_some(Duration::from_millis(3));
            Ok(Found {
                routes,
                instances: is_known.then(|| "one".to_owned()).into_iter().collect(),
                pauses: is_known.then_some(pause).into_iter().collect(),
                failing: None,
                comes_back: self.comes_back,
            })
        }

        fn is_about_to_start(&self, _error: &ConnectError) -> bool {
            took_one(&self.starts)
        }

        fn down(&self, _instances: &[String]) -> Option<Down> {
            self.is_down.then_some(Down { failing: None })
        }

        fn explain(&self, _error: ConnectError) -> ConnectError {
            ConnectError::Stopping { server: "explained".into(), hindrance: None }
        }
    }

    fn timeout() -> ConnectError {
        let (server, after) = ("it".to_owned(), Duration::ZERO);
        ConnectError::Timeout { server, after, process: None, connected: false }
    }

    /// What a search does, in letters: `g` for a greeting, which fails, `p` for a pause; and how it
    /// ends.
    fn searched(known: &Known, wait: &Wait<'_>, failure: fn() -> Option<ConnectError>) -> String {
        let (mut search, mut done) = (Search::new("it".into()), String::new());
        for _ in 0..20 {
            match search.next(known, wait) {
                Ok(Action::Pause(_)) => done.push('p'),
                Ok(Action::Greet(route)) => {
                    done.push('g');
                    search.failed(&route, failure());
                }
                Err(ConnectError::Restarting { .. }) => return done + " restarting",
                Err(ConnectError::Stopping { .. }) => return done + " explained",
                Err(error) => panic!("{error}"),
            }
        }
        done
    }

    #[test]
    fn a_server_that_is_not_there_is_looked_for_once_more() {
        let (wait, nothing) = (Wait::forever(), || None);
        assert_eq!(searched(&Known::default(), &wait, nothing), "g explained");
        let appears = Known { appears: 1, ..Known::default() };
        assert_eq!(searched(&appears, &wait, nothing), "gg explained");
    }

    #[test]
    fn pauses_and_starts_are_waited_for() {
        let (wait, nothing) = (Wait::forever(), || None);
        let paused = Known { pauses: 2.into(), ..Known::default() };
        assert_eq!(searched(&paused, &wait, nothing), "ppg explained");
        let starts = Known { starts: 2.into(), ..Known::default() };
        assert_eq!(searched(&starts, &wait, nothing), "gpgpg explained");
        let over = Wait::at_most(Duration::ZERO);
        let paused = Known { pauses: 1.into(), ..Known::default() };
        assert_eq!(searched(&paused, &over, nothing), " restarting");
        let starts = Known { starts: 1.into(), ..Known::default() };
        assert_eq!(searched(&starts, &over, nothing), "g restarting");
    }

    #[test]
    fn a_server_that_is_restarted_is_tried_as_long_as_an_attempt_may_take() {
        let restarted = Known { comes_back: true, ..Known::default() };
        let tried = searched(&restarted, &Wait::forever(), || None);
        assert_eq!(tried, "gp".repeat(10));
        let over = Wait::at_most(Duration::ZERO);
        assert_eq!(searched(&restarted, &over, || None), "g explained");
    }

    #[test]
    fn a_timeout_is_final_unless_the_process_is_gone() {
        let there = Known { comes_back: true, ..Known::default() };
        assert_eq!(searched(&there, &Wait::forever(), || Some(timeout())), "g explained");
        let gone = Known { comes_back: true, is_down: true, ..Known::default() };
        assert_eq!(searched(&gone, &Wait::forever(), || Some(timeout())), "g".repeat(20));
        let over = Wait::at_most(Duration::ZERO);
        assert_eq!(searched(&gone, &over, || Some(timeout())), "g restarting");
    }
}
