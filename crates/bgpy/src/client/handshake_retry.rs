//! Decides what to do about a failed handshake: retry it, or draw a conclusion about the token.
//!
//! It opens no connections; it tells its caller what to do next.

use std::time::Duration;

/// Number of handshake attempts.
const TRIES: u32 = 3;

/// Pause before the second attempt.
const PAUSE: Duration = Duration::from_millis(10);

/// How a handshake without a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The connection broke in the middle.
    Cut,
    /// The server closed the connection silently, as it does for a wrong key.
    Silently,
    /// The server answered with another key.
    Otherwise,
}

/// What came of the question whether a bgpy server is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// One is there.
    Bgpy,
    /// The connection ended without an answer, or none came in time.
    None,
    /// Nothing listens.
    Absent,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Retry after a pause.
    Again(Duration),
    /// Ask whether a bgpy server is there at all, and report the result to
    /// [`asked`](HandshakeRetries::asked).
    Ask,
    /// Report to the caller.
    Tell(Verdict),
}

/// The conclusion for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A server that refuses the token of its own entry is about to end.
    NotRunning,
    /// No token is known, and the server requires one.
    NoToken,
    /// The server has another token.
    Auth,
    /// The connection broke at every attempt.
    Cut,
    /// It ended at every attempt, and the question was not answered.
    Silent,
}

/// The failed handshakes with one server.
#[derive(Debug)]
pub(super) struct HandshakeRetries {
    /// Whether the token is that of the server's entry in the registry.
    pub(super) is_registered: bool,
    pub(super) has_token: bool,
    /// Whether the server may be one without authentication.
    pub(super) is_open: bool,
    tries: u32,
    silent: u32,
    /// Whether a server answered the question.
    is_there: bool,
}

impl HandshakeRetries {
    pub(super) fn new(is_registered: bool, has_token: bool, is_open: bool) -> Self {
        Self { is_registered, has_token, is_open, tries: 0, silent: 0, is_there: false }
    }

    /// Records how a handshake ended, and returns what to do next.
    pub(super) fn note(&mut self, refused: Refused) -> Next {
        self.tries += 1;
        match refused {
            Refused::Cut => self.again(),
            // The registry's token is the right one. A server that evicted this connection answers
            // a retry.
            Refused::Silently | Refused::Otherwise if self.is_registered => {
                if self.tries < TRIES {
                    Next::Again(PAUSE * self.tries)
                } else {
                    Next::Tell(Verdict::NotRunning)
                }
            }
            Refused::Otherwise => self.refused(),
            Refused::Silently if self.is_there => self.refused(),
            // Expected of a bgpy server, but not of one alone.
            Refused::Silently if self.lacks_token() => Next::Ask,
            Refused::Silently => {
                self.silent += 1;
                if self.silent == 1 { self.again() } else { Next::Ask }
            }
        }
    }

    /// Decides after the question whether a server is there: one that answers it but also closes
    /// the next connection has refused the token. Without an answer nothing can be concluded.
    pub(super) fn asked(&mut self, answer: Answer) -> Next {
        self.is_there = answer == Answer::Bgpy;
        match answer {
            Answer::Bgpy if self.lacks_token() => self.refused(),
            Answer::Bgpy => Next::Again(PAUSE),
            Answer::None => Next::Tell(Verdict::Silent),
            Answer::Absent => Next::Tell(Verdict::Cut),
        }
    }

    fn again(&self) -> Next {
        if self.tries < TRIES {
            Next::Again(PAUSE * self.tries)
        } else if !self.is_registered && !self.is_there {
            // Another program that closes without having read everything resets the connection.
            Next::Ask
        } else {
            Next::Tell(Verdict::Cut)
        }
    }

    fn refused(&self) -> Next {
        Next::Tell(if self.lacks_token() { Verdict::NoToken } else { Verdict::Auth })
    }

    fn lacks_token(&self) -> bool {
        !self.has_token && !self.is_open
    }
}
