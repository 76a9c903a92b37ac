//! A message outside a session: its parts, each after its length in 8 bytes, little-endian.

use std::io::{self, Read, Write};

use bgpy_proto::Delivered;

/// Writes a message for another process of this user.
///
/// # Errors
/// The writer's error.
pub fn write(mut output: impl Write, message: &Delivered) -> io::Result<()> {
    let buffers = message.buffers().iter().map(|buffer| &**buffer);
    for part in std::iter::once(message.data()).chain(buffers) {
        output.write_all(&(part.len() as u64).to_le_bytes())?;
        output.write_all(part)?;
    }
    Ok(())
}

/// Reads a message up to the end of the input. The reader trusts the writer that it was received in
/// a session.
///
/// # Errors
/// The reader's error, or [`io::ErrorKind::UnexpectedEof`] if the input is truncated.
pub fn read(mut input: impl Read) -> io::Result<Delivered> {
    let mut parts = Vec::new();
    let mut length = [0; 8];
    while input.read(&mut length[..1])? == 1 {
        input.read_exact(&mut length[1..])?;
        let mut part = Vec::new();
        let length = u64::from_le_bytes(length);
        if input.by_ref().take(length).read_to_end(&mut part)? as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        parts.push(part);
    }
    let mut parts = parts.into_iter();
    let data = parts.next().ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(Delivered::handed_over(data, parts.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let message = Delivered::handed_over(b"data".to_vec(), vec![vec![], vec![7; 1000]]);
        let mut bytes = Vec::new();
        write(&mut bytes, &message).unwrap();
        let again = read(&bytes[..]).unwrap();
        assert_eq!(again.into_parts(), message.into_parts());
        // A message may end where a part ends.
        let ends = [12, 20, bytes.len()];
        for end in 0..=bytes.len() {
            assert_eq!(read(&bytes[..end]).is_ok(), ends.contains(&end), "{end}");
        }
    }
}
