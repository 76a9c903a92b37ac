//! Memory for large messages.
//!
//! Most of what it costs to move a large message is the page faults of fresh memory: a page of
//! 4 KiB at a time fills at a fifth of the speed of 2 MiB at a time.

use bgpy_proto::Supply;

use crate::platform;

/// Vectors of at least so many bytes lie on huge pages where the system has some.
const HUGE_BYTES: usize = 4 << 20;

/// Makes room for so many more bytes.
pub(crate) fn grow(bytes: &mut Vec<u8>, additional: usize) {
    bytes.reserve_exact(additional);
    if bytes.capacity() >= HUGE_BYTES {
        platform::prefer_huge_pages(bytes);
    }
}

/// Gives the messages of a connection memory that is their own.
#[derive(Debug)]
pub(crate) struct Own;

impl Supply for Own {
    fn grow(&mut self, bytes: &mut Vec<u8>, additional: usize) {
        grow(bytes, additional);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_when_their_vector_grows() {
        let mut bytes = vec![7; 100];
        for additional in [0, 1, HUGE_BYTES - 1, HUGE_BYTES, 3 * HUGE_BYTES + 1] {
            grow(&mut bytes, additional);
            assert!(bytes.capacity() - bytes.len() >= additional);
            bytes.extend(std::iter::repeat_n(7, additional));
            assert!(bytes.iter().all(|byte| *byte == 7));
        }
    }
}
