//! Memory for large messages.
//!
//! Most of the cost of moving a large message is page faults in fresh memory: with pages of 4 KiB,
//! memory fills at a fifth of the speed of 2 MiB pages.

use std::collections::TryReserveError;

use bgpy_proto::Supply;

use super::buffer_pool;
use crate::platform;

/// Vectors of at least this size use huge pages if the system has some.
pub(crate) const HUGE_BYTES: usize = 4 << 20;

/// The size of a huge page on most machines.
const PAGE_BYTES: usize = 2 << 20;

/// Up to this size, the full capacity is allocated at once when the size is announced and some
/// bytes have arrived: that only reserves addresses, and the system provides memory as bytes
/// arrive.
const CLAIM_BYTES: u64 = 1 << 30;

/// Vectors up to this size are copied when they grow, instead of being remapped page by page to
/// addresses that huge pages cannot use.
const COPY_BYTES: usize = 2 << 20;

/// The most that the allocator adds to a large allocation.
const OVERHEAD_BYTES: usize = 64;

/// Most memory kept for reuse, in bytes: of each kind.
const KEPT_BYTES_MAX: usize = 1 << 30;

/// If the address space is limited, only this fraction of it: pooled memory is not available
/// elsewhere.
const KEPT_PART: usize = 16;

/// How many bytes may be kept for reuse.
pub(crate) fn kept_bytes_max() -> usize {
    let addresses = platform::address_bytes_max();
    addresses.map_or(KEPT_BYTES_MAX, |limit| KEPT_BYTES_MAX.min(limit / KEPT_PART))
}

/// See [`Supply::grow`].
pub(crate) fn grow(bytes: &mut Vec<u8>, least: usize, most: u64) -> Result<(), TryReserveError> {
    let most = usize::try_from(most.min(CLAIM_BYTES)).unwrap_or(least).max(least);
    if bytes.len() + most < HUGE_BYTES || !claim(bytes, most) {
        let more = most.min(bytes.len().max(least));
        if bytes.try_reserve_exact(more).is_err() {
            // The pool is the first memory to give up.
            buffer_pool::give_up();
            bytes.try_reserve_exact(more)?;
        }
    }
    if bytes.capacity() >= HUGE_BYTES {
        platform::prefer_huge_pages(bytes);
    }
    Ok(())
}

/// Grows a vector to a whole number of huge pages; `false` if the system refuses.
fn claim(bytes: &mut Vec<u8>, most: usize) -> bool {
    let capacity =
        (bytes.len() + most + OVERHEAD_BYTES).next_multiple_of(PAGE_BYTES) - OVERHEAD_BYTES;
    if bytes.len() > COPY_BYTES {
        return bytes.try_reserve_exact(capacity - bytes.len()).is_ok();
    }
    let mut larger = buffer_pool::take(capacity).unwrap_or_default();
    let claimed = larger.try_reserve_exact(capacity).is_ok();
    if claimed {
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    claimed
}

/// Supplies the messages of a connection with ordinary memory of this process.
#[derive(Debug)]
pub(crate) struct Own;

impl Supply for Own {
    fn grow(
        &mut self,
        bytes: &mut Vec<u8>,
        least: usize,
        most: u64,
    ) -> Result<(), TryReserveError> {
        grow(bytes, least, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_when_their_vector_grows() {
        let mut bytes = vec![7; 100];
        for least in [0, 1, HUGE_BYTES - 1, HUGE_BYTES, 3 * HUGE_BYTES + 1] {
            for most in [least as u64, 1 << 31, 1 << 60] {
                grow(&mut bytes, least, most).unwrap();
                assert!(bytes.capacity() - bytes.len() >= least);
                bytes.extend(std::iter::repeat_n(7, least));
                assert!(bytes.iter().all(|byte| *byte == 7));
            }
        }
    }
}
