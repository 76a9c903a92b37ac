//! Python objects to messages, and messages to Python objects.
//!
//! Plain data has an encoding of its own ([`plain`], [`encode_stdlib`]; [`decode`], [`decode_stdlib`]);
//! everything else is pickled ([`pickle`]). Nothing here sends, receives or runs anything.

mod builtins;
pub mod causes;
pub mod decode;
mod decode_stdlib;
pub mod encode;
mod encode_stdlib;
mod enum_flags;
mod key_cache;
pub mod memory;
pub mod method_table;
pub mod path;
pub mod pickle;
mod plain;
mod stdlib;
pub mod text;
mod unknown_member;
mod visited;
