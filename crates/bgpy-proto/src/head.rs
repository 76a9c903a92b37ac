//! What a caller says about its call beside the message. The reactor reads it without the interpreter.

use crate::codec::{CodecError, Item, Reader, write};
use crate::error::ProtocolError;
use crate::hello::Id;
use crate::limits::{
    CHAIN_MAX, HEAD_BYTES_MAX, JOB_BYTES_MAX, JOB_DIGEST_BYTES_MAX, METHOD_BYTES_MAX,
    STREAM_WINDOW_BYTES_MAX, TRACE_BYTES_MAX,
};

/// Bytes of the length in front of a head.
const LENGTH_BYTES: usize = 2;

/// The head of a call. An empty one is not sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallHead {
    /// The method that an EXEC calls, of at most [`METHOD_BYTES_MAX`]; `None` for `exec_task`.
    pub method: Option<String>,
    /// Milliseconds until the caller's deadline when the call was sent.
    pub left_ms: Option<u64>,
    /// The servers whose running tasks wait for this call.
    pub chain: Chain,
    /// The caller's trace context, in the form of a W3C `traceparent`, of at most [`TRACE_BYTES_MAX`].
    pub trace: Option<String>,
    /// The responses are a stream: how many bytes of them the server may send ahead of the reader, at most
    /// [`STREAM_WINDOW_BYTES_MAX`].
    pub window: Option<u64>,
    /// Whether the caller wants to hear of progress.
    pub progress: bool,
    /// Whether the end of the connection cancels the call.
    pub attached: bool,
    /// The name of the [job](crate::jobs) that an EXEC submits if it wants its ack, and waits for if it wants the first
    /// response; at most [`JOB_BYTES_MAX`].
    pub job: Option<String>,
    /// A digest of what the job is submitted with: one of the same name that was submitted with another is another
    /// one. At most [`JOB_DIGEST_BYTES_MAX`].
    pub digest: Option<Vec<u8>>,
    /// How long the server is to keep what has become of the job, in milliseconds.
    pub keep_ms: Option<u64>,
}

/// Servers that wait for each other, the first caller's first: their instance ids in a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain(Vec<u8>);

impl CallHead {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The length and the head, to be sent in front of the message.
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] for a method, a trace context or a window beyond its limit.
    pub fn encode(&self) -> Result<Vec<u8>, ProtocolError> {
        self.check()?;
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(&[0; LENGTH_BYTES]);
        self.write(&mut out).expect("a head is short");
        let length = u16::try_from(out.len() - LENGTH_BYTES).expect("a head is short");
        out[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        Ok(out)
    }

    /// Written and read without a tree between: a call of a method has a head, and is to be as fast as one without.
    fn write(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let Self { method, left_ms, chain, trace, window, progress, attached, .. } = self;
        let Self { job, digest, keep_ms, .. } = self;
        let keys = [
            method.is_some(),
            left_ms.is_some(),
            !chain.is_empty(),
            trace.is_some(),
            window.is_some(),
            *progress,
            *attached,
            job.is_some(),
            digest.is_some(),
            keep_ms.is_some(),
        ];
        write::map(out, keys.into_iter().filter(|is_there| *is_there).count())?;
        if let Some(method) = method {
            write::str(out, "method")?;
            write::str(out, method)?;
        }
        if let Some(left_ms) = left_ms {
            write::str(out, "left_ms")?;
            write::uint(out, *left_ms);
        }
        if !chain.is_empty() {
            write::str(out, "chain")?;
            write::bin(out, &chain.0)?;
        }
        if let Some(trace) = trace {
            write::str(out, "trace")?;
            write::str(out, trace)?;
        }
        if let Some(window) = window {
            write::str(out, "window")?;
            write::uint(out, *window);
        }
        for (key, is_set) in [("progress", *progress), ("attached", *attached)] {
            if is_set {
                write::str(out, key)?;
                write::bool(out, true);
            }
        }
        if let Some(job) = job {
            write::str(out, "job")?;
            write::str(out, job)?;
        }
        if let Some(digest) = digest {
            write::str(out, "digest")?;
            write::bin(out, digest)?;
        }
        if let Some(keep_ms) = keep_ms {
            write::str(out, "keep_ms")?;
            write::uint(out, *keep_ms);
        }
        Ok(())
    }

    fn read(map: &[u8]) -> Option<Self> {
        let (mut reader, mut head) = (Reader::new(map), Self::default());
        let Item::Map(pairs) = reader.item().ok()? else { return None };
        for _ in 0..pairs {
            let Item::Str(key) = reader.item().ok()? else { return None };
            let value = reader.item().ok()?;
            match key {
                "method" => head.method = text(value)?,
                "left_ms" => head.left_ms = unsigned(value)?,
                "chain" => {
                    let Item::Bin(ids) = value else { return None };
                    head.chain = ids.to_vec().try_into().ok()?;
                }
                "trace" => head.trace = text(value)?,
                "window" => head.window = unsigned(value)?,
                "progress" => head.progress = boolean(value)?,
                "attached" => head.attached = boolean(value)?,
                "job" => head.job = text(value)?,
                "digest" => {
                    head.digest = match value {
                        Item::Bin(digest) => Some(digest.to_vec()),
                        Item::Nil => None,
                        _ => return None,
                    };
                }
                "keep_ms" => head.keep_ms = unsigned(value)?,
                _ => skip(&mut reader, value)?,
            }
        }
        reader.finish().ok().map(|()| head)
    }

    fn check(&self) -> Result<(), ProtocolError> {
        let trace = self.trace.as_ref().map_or(0, String::len) as u64;
        let method = self.method.as_ref().map_or(0, String::len) as u64;
        let job = self.job.as_ref().map_or(0, String::len) as u64;
        let digest = self.digest.as_ref().map_or(0, Vec::len) as u64;
        let lengths = [
            ("the name of a method", method, METHOD_BYTES_MAX as u64),
            ("the name of a job", job, JOB_BYTES_MAX as u64),
            ("the digest of a job", digest, JOB_DIGEST_BYTES_MAX as u64),
            ("a trace context", trace, TRACE_BYTES_MAX as u64),
            ("the window of a stream", self.window.unwrap_or(0), STREAM_WINDOW_BYTES_MAX),
        ];
        match lengths.into_iter().find(|(_, bytes, limit)| bytes > limit) {
            Some((what, bytes, limit)) => Err(ProtocolError::TooLarge { what, bytes, limit }),
            None => Ok(()),
        }
    }

    /// Takes the head from the front of the data of a call.
    ///
    /// # Errors
    /// [`ProtocolError::Malformed`] if there is none, and [`ProtocolError::TooLarge`] if a part of it is.
    pub fn split_from(data: &mut Vec<u8>) -> Result<Self, ProtocolError> {
        let malformed = || ProtocolError::Malformed("a call with a head that says nothing");
        let (length, rest) = data.split_first_chunk::<LENGTH_BYTES>().ok_or_else(malformed)?;
        let length = usize::from(u16::from_le_bytes(*length));
        let map = rest.get(..length).filter(|map| map.len() <= HEAD_BYTES_MAX);
        let head = map.and_then(Self::read).ok_or_else(malformed)?;
        head.check()?;
        data.drain(..LENGTH_BYTES + length);
        Ok(head)
    }
}

impl Chain {
    /// Whether no server waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a server is among them.
    pub fn contains(&self, server: Id) -> bool {
        self.0.as_chunks().0.contains(&server.0)
    }

    /// The chain with another server at its end; `None` if it is too long for that.
    #[must_use]
    pub fn with(&self, server: Id) -> Option<Self> {
        let is_full = self.0.len() >= CHAIN_MAX * size_of::<Id>();
        (!is_full).then(|| Self([self.0.as_slice(), &server.0].concat()))
    }
}

impl AsRef<[u8]> for Chain {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<Vec<u8>> for Chain {
    type Error = Vec<u8>;

    fn try_from(bytes: Vec<u8>) -> Result<Self, Vec<u8>> {
        let is_chain = bytes.len().is_multiple_of(size_of::<Id>())
            && bytes.len() <= CHAIN_MAX * size_of::<Id>();
        if is_chain { Ok(Self(bytes)) } else { Err(bytes) }
    }
}

fn text(value: Item<'_>) -> Option<Option<String>> {
    match value {
        Item::Str(text) => Some(Some(text.to_owned())),
        Item::Nil => Some(None),
        _ => None,
    }
}

fn unsigned(value: Item<'_>) -> Option<Option<u64>> {
    match value {
        Item::Int(value) => u64::try_from(value).ok().map(Some),
        Item::UInt(value) => Some(Some(value)),
        Item::Nil => Some(None),
        _ => None,
    }
}

fn boolean(value: Item<'_>) -> Option<bool> {
    if let Item::Bool(value) = value { Some(value) } else { None }
}

/// Passes over what a value holds.
fn skip(reader: &mut Reader<'_>, value: Item<'_>) -> Option<()> {
    let (mut next, mut left) = (value, 0);
    loop {
        left += match next {
            Item::Array(items) => items,
            Item::Map(pairs) => 2 * pairs,
            _ => 0,
        };
        if left == 0 {
            return Some(());
        }
        left -= 1;
        next = reader.item().ok()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> CallHead {
        let ids = (0..CHAIN_MAX).map(|n| Id([n as u8; 16]));
        CallHead {
            method: Some("m".repeat(METHOD_BYTES_MAX)),
            left_ms: Some(u64::MAX),
            chain: ids.fold(Chain::default(), |chain, id| chain.with(id).unwrap()),
            trace: Some("0".repeat(TRACE_BYTES_MAX)),
            window: Some(STREAM_WINDOW_BYTES_MAX),
            progress: true,
            attached: true,
            job: Some("j".repeat(JOB_BYTES_MAX)),
            digest: Some(vec![1; JOB_DIGEST_BYTES_MAX]),
            keep_ms: Some(u64::MAX),
        }
    }

    #[test]
    fn it_is_taken_from_the_front_of_a_message() {
        for head in [CallHead::default(), full()] {
            let encoded = head.encode().unwrap();
            assert!(encoded.len() <= HEAD_BYTES_MAX + LENGTH_BYTES);
            let mut data = [encoded.as_slice(), b"message"].concat();
            assert_eq!(CallHead::split_from(&mut data), Ok(head));
            assert_eq!(data, b"message");
        }
    }

    #[test]
    fn unknown_keys_are_passed_over() {
        let mut map = vec![0x83];
        for (key, value) in [
            ("later", &[0x92, 0x81, 0x01, 0x90, 0xa1, b'x'][..]),
            ("method", &[0xa1, b'm']),
            ("window", &[0xc0]),
        ] {
            write::str(&mut map, key).unwrap();
            map.extend_from_slice(value);
        }
        let mut data = [&(map.len() as u16).to_le_bytes(), map.as_slice()].concat();
        let head = CallHead { method: Some("m".into()), ..CallHead::default() };
        assert_eq!(CallHead::split_from(&mut data), Ok(head));
    }

    #[test]
    fn what_is_no_head_is_refused() {
        let word =
            |key: &str, value| [&[0x81, 0xa0 | key.len() as u8], key.as_bytes(), value].concat();
        let maps = [
            vec![0xc0],
            word("method", b"\x01"),
            word("window", b"\xff"),
            word("window", b"\xca\0\0\0\0"),
            word("left_ms", b"\xa0"),
            word("chain", &[[0xc4, 15].as_slice(), &[0; 15]].concat()),
            word("chain", &[[0xc5, 4, 16].as_slice(), &[0; (CHAIN_MAX + 1) * 16]].concat()),
            word("progress", b"\x01"),
            word("job", b"\x01"),
            word("digest", b"\xa0"),
            word("keep_ms", b"\xff"),
            word("later", &[[0xc5, 15, 247].as_slice(), &[0; HEAD_BYTES_MAX - 9]].concat()),
        ];
        let sized = |map: &Vec<u8>| [&(map.len() as u16).to_le_bytes(), map.as_slice()].concat();
        let cut = [&[][..], &[1], &[1, 0], &[9, 0, 0x80]].map(<[u8]>::to_vec);
        for mut data in maps.iter().map(sized).chain(cut) {
            assert!(CallHead::split_from(&mut data).is_err(), "{data:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_neither_sent_nor_taken() {
        let none = CallHead::default;
        let method = "m".repeat(METHOD_BYTES_MAX + 1);
        let trace = "0".repeat(TRACE_BYTES_MAX + 1);
        let job = "j".repeat(JOB_BYTES_MAX + 1);
        let digest = vec![0; JOB_DIGEST_BYTES_MAX + 1];
        let window = STREAM_WINDOW_BYTES_MAX + 1;
        for (head, what) in [
            (CallHead { method: Some(method), ..none() }, "the name of a method"),
            (CallHead { trace: Some(trace), ..none() }, "a trace context"),
            (CallHead { job: Some(job), ..none() }, "the name of a job"),
            (CallHead { digest: Some(digest), ..none() }, "the digest of a job"),
            (CallHead { window: Some(window), ..none() }, "the window of a stream"),
        ] {
            let is_refused = |outcome: ProtocolError| matches!(outcome, ProtocolError::TooLarge { what: it, .. } if it == what);
            assert!(is_refused(head.encode().unwrap_err()));
            let mut map = Vec::new();
            head.write(&mut map).unwrap();
            let mut data = [&(map.len() as u16).to_le_bytes(), map.as_slice()].concat();
            assert!(is_refused(CallHead::split_from(&mut data).unwrap_err()));
        }
    }

    #[test]
    fn a_chain_knows_its_servers_and_is_bounded() {
        let chain = full().chain;
        assert!(chain.contains(Id([0; 16])) && !chain.contains(Id([255; 16])));
        assert!(chain.with(Id([255; 16])).is_none());
        assert!(Chain::try_from(vec![0; 15]).is_err());
    }
}
