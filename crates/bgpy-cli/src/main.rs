//! The program `bgpy`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, Write};
use std::process::ExitCode;

use bgpy_cli::Exit;

fn main() -> ExitCode {
    bgpy_cli::native::run(std::env::args_os()).into()
}

/// The system's memory. Where there is none left, the command says so and has failed, like for any other
/// reason, instead of leaving a core file. A library must not do that, a command may.
struct Memory;

#[global_allocator]
static MEMORY: Memory = Memory;

// SAFETY: every call is passed on to the system's allocator as it came, and what it returns as well.
// Nothing unwinds from here: the process ends.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        there(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        there(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the block came from here, hence from the system's allocator.
        there(unsafe { System.realloc(block, layout, bytes) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

fn there(block: *mut u8) -> *mut u8 {
    if block.is_null() {
        fail();
    }
    block
}

#[cold]
fn fail() -> ! {
    // Neither of them allocates.
    drop(io::stderr().write_all(b"error: there is not enough memory\n"));
    end(Exit::Failed.code().into())
}

/// Ends the process without what the standard library or others would still do.
#[cfg(unix)]
fn end(code: i32) -> ! {
    // SAFETY: it takes any number and does not return.
    unsafe { libc::_exit(code) }
}

#[cfg(not(unix))]
fn end(code: i32) -> ! {
    std::process::exit(code)
}
