//! The open calls of a connection.

use std::collections::VecDeque;

/// Values by id. Ids only grow, so insertion order is id order, and a search needs no hashing;
/// usually one call is open, and the next one needs no allocation.
#[derive(Debug)]
pub(crate) struct OpenCalls<T> {
    calls: VecDeque<(u64, T)>,
}

impl<T> Default for OpenCalls<T> {
    fn default() -> Self {
        Self { calls: VecDeque::new() }
    }
}

impl<T> OpenCalls<T> {
    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Adds a call whose id is greater than all added before.
    pub(crate) fn insert(&mut self, id: u64, call: T) {
        debug_assert!(self.calls.back().is_none_or(|(last, _)| *last < id), "ids grow");
        self.calls.push_back((id, call));
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        let index = self.index(id)?;
        Some(&mut self.calls[index].1)
    }

    pub(crate) fn get(&self, id: u64) -> Option<&T> {
        let index = self.index(id)?;
        Some(&self.calls[index].1)
    }

    /// The calls with a greater id.
    pub(crate) fn after(&mut self, id: u64) -> impl Iterator<Item = &mut T> {
        let first = self.calls.partition_point(|(other, _)| *other <= id);
        self.calls.range_mut(first..).map(|(_, call)| call)
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<T> {
        let index = self.index(id)?;
        self.calls.remove(index).map(|(_, call)| call)
    }

    fn index(&self, id: u64) -> Option<usize> {
        self.calls.binary_search_by_key(&id, |(id, _)| *id).ok()
    }
}
