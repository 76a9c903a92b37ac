//! The jobs of a server: calls whose answers it keeps itself, for whoever asks for them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use bgpy_proto::jobs::JobInfo;
use bgpy_proto::{CallHead, limits};

use super::job::{Job, Outcome};
use super::under_way::UnderWay;
use crate::clock::{self, now_ms};

/// What the calls of jobs have in the place of a connection. Their ids are the numbers of the jobs.
pub(super) const OF_JOBS: usize = usize::MAX;

/// Most bytes of what the jobs keep beside their results, such as names, for one of them.
const OWN_BYTES: u64 = 512;

/// What becomes of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Submitted {
    /// It is a new job, of this number.
    New(u64),
    /// It was submitted before.
    Known,
    /// A job of that name was submitted with something else.
    Other,
    /// There are too many that have not ended.
    Full,
}

/// The jobs.
#[derive(Debug)]
pub(super) struct Jobs {
    last: u64,
    jobs: BTreeMap<u64, Job>,
    names: HashMap<String, u64>,
    /// For what each of those who wait does so.
    waiting: HashMap<(usize, u64), u64>,
    /// Those that have ended, in that order, and some that are forgotten.
    ended: VecDeque<u64>,
    /// When what they have become is forgotten.
    expiries: BTreeSet<(Instant, u64)>,
    /// What they keep.
    bytes: u64,
    /// How much of that there may be, beside the latest.
    bytes_max: u64,
    /// Jobs that somebody has begun to wait for, who was not told how they stand.
    due: Vec<u64>,
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            last: 0,
            jobs: BTreeMap::new(),
            names: HashMap::new(),
            waiting: HashMap::new(),
            ended: VecDeque::new(),
            expiries: BTreeSet::new(),
            bytes: 0,
            bytes_max: limits::JOB_RESULTS_BYTES_MAX,
            due: Vec::new(),
        }
    }
}

impl Jobs {
    /// Notes a submission. What is new needs a [call](Self::has_call).
    pub(super) fn submit(&mut self, name: &str, head: &CallHead, takes_pickles: bool) -> Submitted {
        self.forget_expired();
        if let Some(known) = self.names.get(name).and_then(|number| self.jobs.get(number)) {
            let is_same = known.digest == head.digest;
            return if is_same { Submitted::Known } else { Submitted::Other };
        }
        if self.jobs.len() >= limits::JOBS_MAX && (self.has_due() || !self.forget_oldest()) {
            return Submitted::Full;
        }
        self.last += 1;
        let job = Job {
            name: name.to_owned(),
            task: head.method.clone().unwrap_or_else(|| "exec_task".to_owned()),
            digest: head.digest.clone(),
            keep: Duration::from_millis(head.keep_ms.unwrap_or(limits::JOB_KEEP_MS)),
            takes_pickles,
            call: 0,
            submitted_ms: now_ms(),
            ran: None,
            ended_ms: None,
            outcome: None,
            waiting: Vec::new(),
        };
        self.names.insert(name.to_owned(), self.last);
        self.jobs.insert(self.last, job);
        self.bytes += OWN_BYTES;
        Submitted::New(self.last)
    }

    /// Notes the server's number for the call of a job.
    pub(super) fn has_call(&mut self, number: u64, call: u64) {
        if let Some(job) = self.jobs.get_mut(&number) {
            job.call = call;
        }
    }

    /// The number of a job.
    pub(super) fn find(&mut self, name: &str) -> Option<u64> {
        self.forget_expired();
        self.names.get(name).copied()
    }

    /// The number of the call of a job that has not ended.
    pub(super) fn call_of(&self, number: u64) -> Option<u64> {
        self.jobs.get(&number).filter(|job| job.ended_ms.is_none()).map(|job| job.call)
    }

    /// Whether a job has ended.
    pub(super) fn is_over(&self, number: u64) -> bool {
        self.jobs.get(&number).is_some_and(|job| job.ended_ms.is_some())
    }

    /// Notes that somebody waits for a job.
    pub(super) fn wait(&mut self, number: u64, caller: (usize, u64)) {
        let Some(job) = self.jobs.get_mut(&number) else { return };
        job.waiting.push(caller);
        self.waiting.insert(caller, number);
        self.due.push(number);
    }

    /// Notes that somebody does not wait any more; `false` if he did not.
    pub(super) fn leave(&mut self, caller: (usize, u64)) -> bool {
        let Some(number) = self.waiting.remove(&caller) else { return false };
        if let Some(job) = self.jobs.get_mut(&number) {
            job.waiting.retain(|it| *it != caller);
        }
        true
    }

    /// Notes that a connection has ended.
    pub(super) fn gone(&mut self, connection: usize) {
        if self.waiting.is_empty() {
            return;
        }
        let left: Vec<_> =
            self.waiting.keys().filter(|caller| caller.0 == connection).copied().collect();
        for caller in left {
            self.leave(caller);
        }
    }

    /// Those who wait for a job.
    pub(super) fn waiting_for(&self, number: u64) -> &[(usize, u64)] {
        self.jobs.get(&number).map_or(&[], |job| &job.waiting)
    }

    /// Takes the jobs that somebody has begun to wait for.
    pub(super) fn take_due(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.due)
    }

    /// Takes those who wait for a job that has ended, and its outcome.
    pub(super) fn take_waiting(&mut self, number: u64) -> Option<(Vec<(usize, u64)>, Outcome)> {
        let job = self.jobs.get_mut(&number).filter(|job| job.ended_ms.is_some())?;
        let outcome = job.outcome.clone()?;
        let waiting = std::mem::take(&mut job.waiting);
        for caller in &waiting {
            self.waiting.remove(caller);
        }
        Some((waiting, outcome))
    }

    /// Whether a response of a job is kept: the first one is.
    pub(super) fn wants_response(&self, number: u64) -> bool {
        self.jobs.get(&number).is_some_and(|job| job.outcome.is_none())
    }

    /// Whether whoever has submitted a job accepts pickles.
    pub(super) fn takes_pickles(&self, number: u64) -> bool {
        self.jobs.get(&number).is_none_or(|job| job.takes_pickles)
    }

    /// Keeps the outcome of a job, unless it has one; `false` then.
    pub(super) fn keep(&mut self, number: u64, outcome: Outcome) -> bool {
        let Some(job) = self.jobs.get_mut(&number) else { return false };
        if job.outcome.is_some() {
            return false;
        }
        self.bytes += outcome.bytes();
        job.outcome = Some(outcome);
        true
    }

    /// Notes how long a job has run.
    pub(super) fn has_run(&mut self, number: u64, ran: Option<Duration>) {
        if let Some(job) = self.jobs.get_mut(&number) {
            job.ran = ran;
        }
    }

    /// Notes that a job has ended. Older ones are forgotten if together they keep too much.
    pub(super) fn end(&mut self, number: u64) {
        let Some(job) = self.jobs.get_mut(&number) else { return };
        job.ended_ms = Some(now_ms());
        // An overflow of the clock means never.
        if let Some(expiry) = clock::now().checked_add(job.keep) {
            self.expiries.insert((expiry, number));
        }
        self.ended.push_back(number);
        while self.bytes > self.bytes_max && self.ended.len() > 1 {
            self.forget_oldest();
        }
    }

    /// What is to be told of one job, or of all: the newest first.
    pub(super) fn infos(&mut self, job: Option<&str>, under_way: &UnderWay) -> Vec<JobInfo> {
        self.forget_expired();
        if let Some(name) = job {
            let number = self.names.get(name);
            let found = number.and_then(|number| self.jobs.get(number));
            return found.map(|job| job.info(under_way)).into_iter().collect();
        }
        self.jobs.values().rev().map(|job| job.info(under_way)).collect()
    }

    /// Whether somebody is still to be told of a job, which may have ended: none is forgotten before.
    fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Forgets what was kept for its time.
    pub(super) fn forget_expired(&mut self) {
        while !self.has_due()
            && let Some((expiry, number)) = self.expiries.first().copied()
        {
            if expiry > clock::now() {
                return;
            }
            self.expiries.pop_first();
            self.forget(number);
        }
    }

    /// Forgets the job that has ended first; `false` if none has.
    fn forget_oldest(&mut self) -> bool {
        while let Some(number) = self.ended.pop_front() {
            if self.forget(number) {
                return true;
            }
        }
        false
    }

    fn forget(&mut self, number: u64) -> bool {
        let Some(job) = self.jobs.remove(&number) else { return false };
        self.names.remove(&job.name);
        self.bytes -= OWN_BYTES + job.outcome.as_ref().map_or(0, Outcome::bytes);
        for caller in &job.waiting {
            self.waiting.remove(caller);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use bgpy_proto::jobs::JobState;

    use super::*;

    fn head(digest: Option<&[u8]>) -> CallHead {
        CallHead { digest: digest.map(<[u8]>::to_vec), ..CallHead::default() }
    }

    fn response(bytes: usize) -> Outcome {
        Outcome::Response { payload: vec![0; bytes].into(), error: false }
    }

    fn new(jobs: &mut Jobs, name: &str, head: &CallHead) -> u64 {
        match jobs.submit(name, head, true) {
            Submitted::New(number) => number,
            other => panic!("{name} is {other:?}"),
        }
    }

    #[test]
    fn a_name_is_one_job() {
        let mut jobs = Jobs::default();
        new(&mut jobs, "a", &head(Some(b"1")));
        assert_eq!(jobs.submit("a", &head(Some(b"1")), true), Submitted::Known);
        assert_eq!(jobs.submit("a", &head(Some(b"2")), true), Submitted::Other);
        assert_eq!(jobs.submit("a", &head(None), true), Submitted::Other);
        new(&mut jobs, "b", &head(None));
        let names: Vec<_> =
            jobs.infos(None, &UnderWay::default()).into_iter().map(|it| it.job).collect();
        assert_eq!(names, ["b", "a"]);
    }

    #[test]
    fn the_first_outcome_is_kept_and_told_again_and_again() {
        let mut jobs = Jobs::default();
        let job = new(&mut jobs, "a", &head(None));
        jobs.wait(job, (20, 1));
        jobs.wait(job, (20, 2));
        jobs.wait(job, (21, 1));
        assert!(jobs.leave((20, 2)) && !jobs.leave((20, 2)));
        assert!(jobs.take_due() == [job; 3] && jobs.take_waiting(job).is_none());
        assert!(jobs.keep(job, response(9)) && !jobs.keep(job, Outcome::Ended));
        // It goes on, and may use what it has responded with.
        assert!(jobs.take_waiting(job).is_none());
        jobs.end(job);
        let (waiting, outcome) = jobs.take_waiting(job).unwrap();
        assert_eq!(waiting, [(20, 1), (21, 1)]);
        assert_eq!(outcome.bytes(), 9);
        jobs.wait(job, (22, 5));
        assert_eq!(jobs.take_due(), [job]);
        jobs.gone(22);
        assert!(jobs.take_waiting(job).unwrap().0.is_empty() && jobs.waiting.is_empty());
        assert_eq!(jobs.infos(Some("a"), &UnderWay::default())[0].state, JobState::Done);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut jobs = Jobs { bytes_max: 10 * OWN_BYTES, ..Jobs::default() };
        let unfinished = new(&mut jobs, "unfinished", &head(None));
        for number in 0..9 {
            let job = new(&mut jobs, &number.to_string(), &head(None));
            jobs.keep(job, response(OWN_BYTES as usize));
            jobs.end(job);
        }
        let names: Vec<_> =
            jobs.infos(None, &UnderWay::default()).into_iter().map(|it| it.job).collect();
        assert_eq!(names, ["8", "7", "6", "5", "unfinished"]);
        assert_eq!(jobs.find("unfinished"), Some(unfinished));
        // The latest is kept whatever it takes.
        let large = new(&mut jobs, "large", &head(None));
        jobs.keep(large, response(100 * OWN_BYTES as usize));
        jobs.end(large);
        assert_eq!(jobs.infos(None, &UnderWay::default()).len(), 2);
    }

    #[test]
    fn too_many_that_have_not_ended_are_refused() {
        let mut jobs = Jobs::default();
        let first = new(&mut jobs, "0", &head(None));
        for number in 1..limits::JOBS_MAX {
            new(&mut jobs, &number.to_string(), &head(None));
        }
        assert_eq!(jobs.submit("more", &head(None), true), Submitted::Full);
        jobs.keep(first, Outcome::Ended);
        jobs.end(first);
        new(&mut jobs, "more", &head(None));
        assert!(jobs.find("0").is_none());
    }

    #[test]
    fn what_was_kept_for_its_time_is_forgotten() {
        let mut jobs = Jobs::default();
        let job = new(&mut jobs, "a", &CallHead { keep_ms: Some(0), ..CallHead::default() });
        assert_eq!(jobs.find("a"), Some(job));
        jobs.keep(job, response(3));
        jobs.end(job);
        assert_eq!(jobs.find("a"), None);
        assert_eq!(jobs.bytes, 0);
    }

    #[test]
    fn none_is_forgotten_before_those_who_wait_are_told() {
        let mut jobs = Jobs::default();
        let job = new(&mut jobs, "a", &head(None));
        jobs.keep(job, response(3));
        jobs.end(job);
        jobs.wait(job, (20, 1));
        jobs.expiries.clear();
        jobs.expiries.insert((clock::now(), job));
        for number in 1..limits::JOBS_MAX {
            new(&mut jobs, &number.to_string(), &head(None));
        }
        assert_eq!(jobs.submit("more", &head(None), true), Submitted::Full);
        assert_eq!(jobs.find("a"), Some(job));
        assert_eq!(jobs.take_due(), [job]);
        assert_eq!(jobs.take_waiting(job).unwrap().0, [(20, 1)]);
        assert_eq!(jobs.find("a"), None);
    }
}
