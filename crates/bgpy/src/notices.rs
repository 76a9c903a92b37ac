//! Tells a user what a wait is for, once it has lasted a second: who sees nothing takes it for a hang.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use crate::clock;

/// A wait that is over sooner is not mentioned.
pub const SOON: Duration = Duration::from_secs(1);

/// Where to tell, and what is waited for at the moment.
pub struct Notices<'a> {
    tell: &'a dyn Fn(&str),
    present: RefCell<Option<Phase>>,
    /// What was told last.
    told: RefCell<String>,
}

/// A part of a wait.
struct Phase {
    since: Instant,
    what: Box<dyn Fn() -> String>,
    has_told: bool,
    /// What it is for by now, and since when, if it was told otherwise.
    changed: Option<(String, Instant)>,
}

/// The part of a wait that lasts until this is dropped.
#[must_use = "the part of the wait is over when this is dropped"]
#[derive(Debug)]
pub struct PhaseGuard<'a> {
    notices: Option<&'a Notices<'a>>,
    before: Option<Phase>,
}

impl<'a> Notices<'a> {
    /// Tells by this function, with whole sentences.
    pub fn new(tell: &'a dyn Fn(&str)) -> Self {
        Self { tell, present: RefCell::default(), told: RefCell::default() }
    }

    /// Begins a part of the wait. `what` says what it is for.
    pub(crate) fn begin(&'a self, what: Box<dyn Fn() -> String>) -> PhaseGuard<'a> {
        let phase = Phase { since: clock::now(), what, has_told: false, changed: None };
        PhaseGuard { notices: Some(self), before: self.present.borrow_mut().replace(phase) }
    }

    /// Tells what is waited for if it is time, and again if something else is for as long.
    pub(crate) fn poll(&self) {
        let mut present = self.present.borrow_mut();
        let Some(phase) = present.as_mut().filter(|it| clock::since(it.since) >= SOON) else {
            return;
        };
        let text = (phase.what)();
        if *self.told.borrow() == text {
            (phase.has_told, phase.changed) = (true, None);
            return;
        }
        let since = match phase.changed.take() {
            _ if !phase.has_told => phase.since,
            Some((changed, since)) if changed == text => since,
            _ => clock::now(),
        };
        if clock::since(since) < SOON {
            phase.changed = Some((text, since));
            return;
        }
        (self.tell)(&text);
        phase.has_told = true;
        self.told.replace(text);
    }
}

impl PhaseGuard<'_> {
    /// For a wait that tells nobody.
    pub(crate) fn untold() -> Self {
        Self { notices: None, before: None }
    }
}

impl Drop for PhaseGuard<'_> {
    fn drop(&mut self) {
        if let Some(notices) = self.notices {
            *notices.present.borrow_mut() = self.before.take();
        }
    }
}

impl std::fmt::Debug for Notices<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notices").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Phase").field("since", &self.since).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    /// Lets the present part of the wait have begun earlier, and what it is for.
    fn age(notices: &Notices<'_>) {
        let mut present = notices.present.borrow_mut();
        let phase = present.as_mut().expect("one has begun");
        let changed = phase.changed.as_mut().map(|(_, since)| since);
        for moment in changed.into_iter().chain([&mut phase.since]) {
            *moment = moment.checked_sub(SOON).expect("the machine runs for longer");
        }
    }

    #[test]
    fn what_lasts_is_told_once_and_again_when_it_changes() {
        let told = RefCell::new(Vec::new());
        let tell = |text: &str| told.borrow_mut().push(text.to_owned());
        let notices = Notices::new(&tell);
        notices.poll();
        let stage = Rc::new(Cell::new(1));
        let seen = Rc::clone(&stage);
        let outer = notices.begin(Box::new(move || format!("outer {}", seen.get())));
        notices.poll();
        assert!(told.borrow().is_empty());
        age(&notices);
        notices.poll();
        notices.poll();
        assert_eq!(*told.borrow(), ["outer 1"]);
        stage.set(2);
        notices.poll();
        assert_eq!(*told.borrow(), ["outer 1"], "it may be over at once");
        age(&notices);
        notices.poll();
        let inner = notices.begin(Box::new(|| "inner".into()));
        notices.poll();
        drop(inner);
        notices.poll();
        drop(outer);
        notices.poll();
        assert_eq!(*told.borrow(), ["outer 1", "outer 2"]);
    }
}
