//! The program `bgpy`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, Write};
use std::process::ExitCode;

use bgpy_cli::{Exit, native};

fn main() -> ExitCode {
    native::run(std::env::args_os()).into()
}

/// The system's allocator, but out of memory the command fails with a message instead of a core file. A
/// library must not decide that; a command may.
struct Memory;

#[global_allocator]
static MEMORY: Memory = Memory;

// SAFETY: calls and results are passed through to the system's allocator unchanged. Nothing unwinds from
// here: the process ends.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller upholds the contract of the system's allocator.
        checked(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        checked(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the block came from this allocator, hence from the system's.
        checked(unsafe { System.realloc(block, layout, bytes) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

fn checked(block: *mut u8) -> *mut u8 {
    if block.is_null() {
        fail();
    }
    block
}

#[cold]
fn fail() -> ! {
    // Neither call allocates.
    drop(io::stderr().write_all(b"error: out of memory\n"));
    native::exit_now(Exit::Failed.code())
}
