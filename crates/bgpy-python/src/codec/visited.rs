//! The set of objects that the encoder of a message has met.

use std::collections::{HashSet, TryReserveError};
use std::hash::{BuildHasherDefault, Hasher};

use pyo3::ffi;

/// A set of object addresses, which allocates only for more than a few. The caller keeps the objects alive.
#[derive(Default)]
pub struct Visited {
    few: [usize; 8],
    count: usize,
    many: HashSet<usize, BuildHasherDefault<AddressHasher>>,
}

impl Visited {
    /// Adds an object; `false` if it was there already.
    ///
    /// # Errors
    /// If the allocation fails.
    pub fn insert(&mut self, object: *mut ffi::PyObject) -> Result<bool, TryReserveError> {
        let address = object as usize;
        let known = self.few[..self.count].contains(&address);
        if known || self.count == self.few.len() {
            self.many.try_reserve(1)?;
            return Ok(!known && self.many.insert(address));
        }
        self.few[self.count] = address;
        self.count += 1;
        Ok(true)
    }
}

/// A fast hash of addresses. They are not chosen by a peer, so it need not resist collisions.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_usize(usize::from(*byte)));
    }

    fn write_usize(&mut self, address: usize) {
        let mixed = (self.0 ^ address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
