//! What is done about a handshake that came to nothing: it is tried again, or it tells something of the token.
//!
//! It opens no connection. Whoever does is told what to do next.

use std::time::Duration;

/// Times that it is tried to shake hands.
const TRIES: u32 = 3;

/// Before the next time, after the first one.
const PAUSE: Duration = Duration::from_millis(10);

/// How a handshake ended that gave no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Something has ended the connection in the middle.
    Cut,
    /// The server has closed the connection without a word, as it does for a wrong key.
    Silently,
    /// It has answered with another key.
    Otherwise,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Try it once more, after a pause.
    Again(Duration),
    /// Ask whether a bgpy server is there at all, and [say](HandshakeRetries::asked) what came of it.
    Ask,
    /// Tell the caller.
    Tell(Verdict),
}

/// What it means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A server that refuses the token of its own entry is about to end.
    NotRunning,
    /// No token is known, and the server wants one.
    NoToken,
    /// The server has another token.
    Auth,
    /// The connection ended, whenever it was tried.
    Cut,
}

/// The handshakes with one server that have come to nothing.
#[derive(Debug)]
pub(super) struct HandshakeRetries {
    /// Whether the token is that of the server's entry in the registry.
    pub(super) is_registered: bool,
    pub(super) has_token: bool,
    /// Whether the server may be one that wants no token.
    pub(super) is_open: bool,
    tries: u32,
    silent: u32,
    /// Whether a server has answered when it was asked.
    is_there: bool,
}

impl HandshakeRetries {
    pub(super) fn new(is_registered: bool, has_token: bool, is_open: bool) -> Self {
        Self { is_registered, has_token, is_open, tries: 0, silent: 0, is_there: false }
    }

    /// Notes how a handshake has ended, and says what to do next.
    pub(super) fn note(&mut self, refused: Refused) -> Next {
        self.tries += 1;
        match refused {
            Refused::Cut => self.again(),
            // The registry's token is the right one. A server that has made room for others is there when it is
            // tried again.
            Refused::Silently | Refused::Otherwise if self.is_registered => {
                if self.tries < TRIES {
                    Next::Again(PAUSE * self.tries)
                } else {
                    Next::Tell(Verdict::NotRunning)
                }
            }
            Refused::Otherwise => self.refused(),
            // Without a token it was to be expected.
            Refused::Silently if self.lacks_token() => Next::Tell(Verdict::NoToken),
            Refused::Silently if self.is_there => self.refused(),
            Refused::Silently => {
                self.silent += 1;
                if self.silent == 1 { self.again() } else { Next::Ask }
            }
        }
    }

    /// Says what to do after it was asked whether a server is there: one that is, and closes the next
    /// connection as well, has refused the token. Where none answers nobody can tell.
    pub(super) fn asked(&mut self, is_there: bool) -> Next {
        self.is_there = is_there;
        if is_there { Next::Again(PAUSE) } else { Next::Tell(Verdict::Cut) }
    }

    fn again(&self) -> Next {
        if self.tries < TRIES {
            Next::Again(PAUSE * self.tries)
        } else {
            Next::Tell(if self.lacks_token() { Verdict::NoToken } else { Verdict::Cut })
        }
    }

    fn refused(&self) -> Next {
        Next::Tell(if self.lacks_token() { Verdict::NoToken } else { Verdict::Auth })
    }

    fn lacks_token(&self) -> bool {
        !self.has_token && !self.is_open
    }
}
