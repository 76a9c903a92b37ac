//! Which objects of a message have been met.

use std::collections::{HashSet, TryReserveError};
use std::hash::{BuildHasherDefault, Hasher};

use pyo3::ffi;

/// A set of addresses that needs no memory for a few.
#[derive(Default)]
pub struct Seen {
    few: [usize; 8],
    count: usize,
    many: HashSet<usize, BuildHasherDefault<AddressHasher>>,
}

impl Seen {
    /// Adds an object; `false` when it was there.
    ///
    /// # Errors
    /// When there is no memory to remember it in.
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

/// Spreads addresses, which nobody but this process chooses, over a table.
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
