//! The handshake: preamble, Noise NNpsk0 with the token as key, and the client's confirmation. See
//! PROTOCOL.md, "Handshake".
//!
//! A handshake is fed with bytes and consumed by its end, which yields the session and any bytes
//! read beyond the handshake.

use std::sync::Arc;

use snow::{Builder, HandshakeState};

use crate::client::ClientSession;
use crate::error::ProtocolError;
use crate::hello::{ClientHello, ServerHello};
use crate::limits::HANDSHAKE_BYTES_MAX;
use crate::outbox::Outbox;
use crate::receiver::Receiver;
use crate::replay::Replays;
use crate::seal::Cipher;
use crate::server::ServerSession;
use crate::token::Psk;

/// The protocol version of this crate.
pub const VERSION: u8 = 1;

const MAGIC: [u8; 4] = *b"bgpy";
const PREAMBLE_BYTES: usize = 8;
const TAG_BYTES: usize = 16;

/// A version that will never exist.
const NO_VERSION: u8 = 0;

/// Asks whether a server of any version is there: each answers the preamble of another version with
/// its own.
pub fn ask_who_is_there(out: &mut Outbox) {
    let [a, b, c, d] = MAGIC;
    out.extend(&[a, b, c, d, NO_VERSION, Suite::AesGcm as u8, 0, 0]);
}

/// Writes a line that programs of other protocols answer: servers of HTTP, and most that read text. A
/// bgpy server closes the connection instead.
pub fn ask_other_program(out: &mut Outbox) {
    out.extend(b"HEAD / HTTP/1.0\r\n\r\n");
}

/// Whether the peer only [asked](ask_who_is_there).
pub fn is_question(error: &ProtocolError) -> bool {
    matches!(error, ProtocolError::Version { theirs: NO_VERSION, .. })
}

/// Whether a server has [answered](ask_who_is_there); `None` while the answer is incomplete.
/// `is_all` means that no more bytes follow.
pub fn is_answered(bytes: &[u8], is_all: bool) -> Option<bool> {
    match bytes.first_chunk() {
        Some(answer) => Some(*answer == MAGIC),
        None if is_all => Some(false),
        None => None,
    }
}

/// The cipher of the handshake, and whether later records are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Suite {
    /// AES-256-GCM: fastest on CPUs with instructions for it.
    AesGcm = 1,
    /// ChaCha20-Poly1305: fastest elsewhere.
    ChaChaPoly = 2,
    /// AES-256-GCM for the handshake, then no sealing. Only for Unix sockets, whose bytes only the
    /// kernel sees.
    Clear = 3,
}

impl Suite {
    fn from_wire(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::AesGcm,
            2 => Self::ChaChaPoly,
            3 => Self::Clear,
            _ => return None,
        })
    }

    fn noise(self) -> &'static str {
        match self {
            Self::AesGcm | Self::Clear => "Noise_NNpsk0_25519_AESGCM_SHA256",
            Self::ChaChaPoly => "Noise_NNpsk0_25519_ChaChaPoly_SHA256",
        }
    }

    fn preamble(self) -> [u8; PREAMBLE_BYTES] {
        let [a, b, c, d] = MAGIC;
        [a, b, c, d, VERSION, self as u8, 0, 0]
    }

    /// Builds the Noise state; the client's preamble is bound into it.
    fn builder<'a>(self, psk: &'a Psk, prologue: &'a [u8]) -> Builder<'a> {
        let params = self.noise().parse().expect("the name of the suite is well-formed");
        Builder::new(params)
            .psk(0, psk.bytes())
            .and_then(|builder| builder.prologue(prologue))
            .expect("key and prologue are set once")
    }
}

/// A client's side of a handshake under way.
#[derive(Debug)]
pub struct ClientHandshake {
    noise: HandshakeState,
    suite: Suite,
    message_bytes_max: u64,
    input: Vec<u8>,
}

/// A server's side of a handshake under way.
#[derive(Debug)]
pub struct ServerHandshake {
    psk: Psk,
    /// Whether the open key is accepted in addition to the token's.
    is_open: bool,
    hello: ServerHello,
    clear_allowed: bool,
    input: Vec<u8>,
    stage: ServerStage,
}

#[derive(Debug)]
enum ServerStage {
    /// Waits for the client's preamble and first message.
    First,
    /// Has answered; the next record proves the key.
    Confirm { noise: Arc<snow::StatelessTransportState>, suite: Suite, client: ClientHello },
}

/// The result of feeding bytes.
#[derive(Debug)]
pub enum Step<H, S> {
    /// More bytes are needed.
    More(H),
    /// Both sides have proven the token.
    Done(S),
}

impl ClientHandshake {
    /// Starts a handshake; its first bytes are appended to `out`.
    pub fn start(suite: Suite, psk: &Psk, hello: &ClientHello, out: &mut Outbox) -> Self {
        let preamble = suite.preamble();
        let mut noise = suite
            .builder(psk, &preamble)
            .build_initiator()
            .expect("NNpsk0 needs nothing but the key");
        out.extend(&preamble);
        write_noise(&mut noise, &hello.encode(), out);
        Self { noise, suite, message_bytes_max: hello.message_bytes_max, input: Vec::new() }
    }

    /// Processes bytes from the server.
    ///
    /// # Errors
    /// [`ProtocolError`]: the server speaks another protocol or version, or does not know the
    /// token.
    pub fn feed(
        mut self,
        bytes: &[u8],
        out: &mut Outbox,
    ) -> Result<Step<Self, ClientSession>, ProtocolError> {
        self.input.extend_from_slice(bytes);
        check_magic(&self.input)?;
        let Some(preamble) = self.input.first_chunk::<PREAMBLE_BYTES>() else {
            return Ok(Step::More(self));
        };
        if *preamble != self.suite.preamble() {
            return Err(match preamble[4] {
                VERSION => ProtocolError::Malformed("the server answered with another suite"),
                theirs => ProtocolError::Version { ours: VERSION, theirs },
            });
        }
        let Some((message, end)) = message(&self.input, PREAMBLE_BYTES)? else {
            return Ok(Step::More(self));
        };
        let mut plain = vec![0; HANDSHAKE_BYTES_MAX];
        let bytes = self
            .noise
            .read_message(message, &mut plain)
            .map_err(|_| ProtocolError::Unauthenticated)?;
        let hello = ServerHello::decode(&plain[..bytes])
            .ok_or(ProtocolError::Malformed("the server's hello"))?;
        let noise = Arc::new(
            self.noise
                .into_stateless_transport_mode()
                .expect("the second message ends the handshake"),
        );
        let mut confirmation = [0; TAG_BYTES];
        noise
            .write_message(0, &[], &mut confirmation)
            .expect("an empty message has the length of a tag");
        out.extend(&(TAG_BYTES as u16).to_le_bytes());
        out.extend(&confirmation);
        let sealed = (self.suite != Suite::Clear).then_some(noise);
        let cipher = |nonce| sealed.clone().map(|noise| Cipher::new(noise, nonce));
        let receiver = Receiver::new(cipher(0), self.message_bytes_max);
        let mut session = ClientSession::new(Outbox::sealed(cipher(1)), receiver, hello);
        session.feed(&self.input[end..])?;
        Ok(Step::Done(session))
    }
}

impl ServerHandshake {
    /// Waits for a client. [`Suite::Clear`] is accepted only if `clear_allowed` says that the
    /// transport is a Unix socket.
    pub fn new(psk: Psk, hello: ServerHello, clear_allowed: bool) -> Self {
        let stage = ServerStage::First;
        Self { psk, is_open: false, hello, clear_allowed, input: Vec::new(), stage }
    }

    /// With `is_open`, also accepts clients without a token.
    #[must_use]
    pub fn open_to_all(self, is_open: bool) -> Self {
        Self { is_open, ..self }
    }

    /// Processes bytes from the client. A first message that is among the `replays` is not answered
    /// again.
    ///
    /// # Errors
    /// [`ProtocolError`]; nothing is answered then, except that a client of another version gets
    /// this side's preamble.
    pub fn feed(
        mut self,
        bytes: &[u8],
        out: &mut Outbox,
        replays: &mut Replays,
    ) -> Result<Step<Self, ServerSession>, ProtocolError> {
        self.input.extend_from_slice(bytes);
        if matches!(self.stage, ServerStage::First) && !self.first(out, replays)? {
            return Ok(Step::More(self));
        }
        let ServerStage::Confirm { noise, .. } = &self.stage else {
            unreachable!("the first stage is over")
        };
        let Some((confirmation, end)) = message(&self.input, 0)? else {
            return Ok(Step::More(self));
        };
        let proven = noise.read_message(0, confirmation, &mut [0; HANDSHAKE_BYTES_MAX]);
        if proven != Ok(0) {
            return Err(ProtocolError::Unauthenticated);
        }
        let ServerStage::Confirm { noise, suite, client } = self.stage else {
            unreachable!("just matched")
        };
        let sealed = (suite != Suite::Clear).then_some(noise);
        let cipher = |nonce| sealed.clone().map(|noise| Cipher::new(noise, nonce));
        let receiver = Receiver::new(cipher(1), self.hello.message_bytes_max);
        let mut session = ServerSession::new(Outbox::sealed(cipher(0)), receiver, client);
        session.feed(&self.input[end..])?;
        Ok(Step::Done(session))
    }

    /// Whether the client's first message was answered. It may be a replay; only the next message
    /// is proof.
    pub fn has_answered(&self) -> bool {
        matches!(self.stage, ServerStage::Confirm { .. })
    }

    /// Reads the client's first message and answers it; `false` until it is complete.
    fn first(&mut self, out: &mut Outbox, replays: &mut Replays) -> Result<bool, ProtocolError> {
        check_magic(&self.input)?;
        let Some(preamble) = self.input.first_chunk::<PREAMBLE_BYTES>() else { return Ok(false) };
        if preamble[4] != VERSION {
            out.extend(&Suite::AesGcm.preamble());
            return Err(ProtocolError::Version { ours: VERSION, theirs: preamble[4] });
        }
        if preamble[6..] != [0, 0] {
            return Err(ProtocolError::Malformed("a preamble with reserved bits"));
        }
        let suite = Suite::from_wire(preamble[5])
            .filter(|suite| *suite != Suite::Clear || self.clear_allowed)
            .ok_or(ProtocolError::Suite(preamble[5]))?;
        let Some((message, end)) = message(&self.input, PREAMBLE_BYTES)? else { return Ok(false) };
        if replays.contains(message) {
            return Err(ProtocolError::Replayed);
        }
        let open = self.is_open.then(Psk::open);
        let (mut noise, hello) = [Some(&self.psk), open.as_ref()]
            .into_iter()
            .flatten()
            .find_map(|psk| read_first(suite, psk, preamble, message))
            .ok_or(ProtocolError::Unauthenticated)?;
        let client =
            ClientHello::decode(&hello).ok_or(ProtocolError::Malformed("the client's hello"))?;
        replays.note(message);
        out.extend(&suite.preamble());
        write_noise(&mut noise, &self.hello.encode(), out);
        let noise =
            noise.into_stateless_transport_mode().expect("the second message ends the handshake");
        self.stage = ServerStage::Confirm { noise: Arc::new(noise), suite, client };
        self.input.drain(..end);
        Ok(true)
    }
}

/// The client's hello, if its first message was made with this key.
fn read_first(
    suite: Suite,
    psk: &Psk,
    preamble: &[u8],
    message: &[u8],
) -> Option<(HandshakeState, Vec<u8>)> {
    let mut noise =
        suite.builder(psk, preamble).build_responder().expect("NNpsk0 needs nothing but the key");
    let mut hello = vec![0; HANDSHAKE_BYTES_MAX];
    let bytes = noise.read_message(message, &mut hello).ok()?;
    hello.truncate(bytes);
    Some((noise, hello))
}

/// Rejects a stream at its first byte that does not belong to this protocol.
fn check_magic(input: &[u8]) -> Result<(), ProtocolError> {
    let have = input.len().min(MAGIC.len());
    if input[..have] == MAGIC[..have] { Ok(()) } else { Err(ProtocolError::NotBgpy) }
}

/// The length-prefixed message at `start` and the offset of its end, once it is complete.
fn message(input: &[u8], start: usize) -> Result<Option<(&[u8], usize)>, ProtocolError> {
    let Some(prefix) = input[start..].first_chunk::<2>() else { return Ok(None) };
    let bytes = usize::from(u16::from_le_bytes(*prefix));
    if bytes > HANDSHAKE_BYTES_MAX {
        return Err(ProtocolError::TooLarge {
            what: "a handshake message",
            bytes: bytes as u64,
            limit: HANDSHAKE_BYTES_MAX as u64,
        });
    }
    let (from, end) = (start + 2, start + 2 + bytes);
    Ok(input.get(from..end).map(|message| (message, end)))
}

fn write_noise(noise: &mut HandshakeState, payload: &[u8], out: &mut Outbox) {
    let mut message = [0; HANDSHAKE_BYTES_MAX];
    let bytes = noise
        .write_message(payload, &mut message)
        .expect("a hello and its key fit a handshake message");
    out.extend(&(bytes as u16).to_le_bytes());
    out.extend(&message[..bytes]);
}
