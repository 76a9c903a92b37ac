//! Appends MessagePack values to a vector, each in its shortest form.

/// Appends nil.
pub fn nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

/// Appends a boolean.
pub fn bool(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0xc3 } else { 0xc2 });
}

/// Appends a signed integer.
pub fn int(out: &mut Vec<u8>, value: i64) {
    match value {
        0.. => uint(out, value as u64),
        -32..=-1 => out.push(value as u8),
        -0x80..=-33 => out.extend_from_slice(&[0xd0, value as u8]),
        -0x8000..=-0x81 => tagged(out, 0xd1, (value as i16).to_be_bytes()),
        -0x8000_0000..=-0x8001 => tagged(out, 0xd2, (value as i32).to_be_bytes()),
        _ => tagged(out, 0xd3, value.to_be_bytes()),
    }
}

/// Appends an unsigned integer.
pub fn uint(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0x7f => out.push(value as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, value as u8]),
        0x100..=0xffff => tagged(out, 0xcd, (value as u16).to_be_bytes()),
        0x1_0000..=0xffff_ffff => tagged(out, 0xce, (value as u32).to_be_bytes()),
        _ => tagged(out, 0xcf, value.to_be_bytes()),
    }
}

/// Appends a double, bit for bit.
pub fn f64(out: &mut Vec<u8>, value: f64) {
    tagged(out, 0xcb, value.to_bits().to_be_bytes());
}

/// Appends a text. MessagePack limits texts and byte strings to less than 4 GiB.
///
/// # Errors
/// [`TooLong`] at 4 GiB and more.
pub fn str(out: &mut Vec<u8>, value: &str) -> Result<(), TooLong> {
    match value.len() {
        length @ 0..=31 => out.push(0xa0 | length as u8),
        length => head(out, [0xd9, 0xda, 0xdb], length)?,
    }
    out.extend_from_slice(value.as_bytes());
    Ok(())
}

/// Appends a byte string.
///
/// # Errors
/// [`TooLong`] at 4 GiB and more.
pub fn bin(out: &mut Vec<u8>, value: &[u8]) -> Result<(), TooLong> {
    head(out, [0xc4, 0xc5, 0xc6], value.len())?;
    out.extend_from_slice(value);
    Ok(())
}

/// Appends the head of an array; its items must follow.
///
/// # Errors
/// [`TooLong`] at 2^32 items and more.
pub fn array(out: &mut Vec<u8>, items: usize) -> Result<(), TooLong> {
    container(out, 0x90, [0xdc, 0xdd], items)
}

/// Appends the head of a map; its keys and values must follow alternately.
///
/// # Errors
/// [`TooLong`] at 2^32 pairs and more.
pub fn map(out: &mut Vec<u8>, pairs: usize) -> Result<(), TooLong> {
    container(out, 0x80, [0xde, 0xdf], pairs)
}

/// Appends an extension.
///
/// # Errors
/// [`TooLong`] at 4 GiB and more.
pub fn ext(out: &mut Vec<u8>, kind: i8, data: &[u8]) -> Result<(), TooLong> {
    ext_head(out, kind, data.len())?;
    out.extend_from_slice(data);
    Ok(())
}

/// Appends the head of an extension with this many bytes, which must follow.
///
/// # Errors
/// [`TooLong`] at 4 GiB and more.
pub fn ext_head(out: &mut Vec<u8>, kind: i8, length: usize) -> Result<(), TooLong> {
    match length {
        1 | 2 | 4 | 8 | 16 => out.push(0xd4 + length.trailing_zeros() as u8),
        _ => head(out, [0xc7, 0xc8, 0xc9], length)?,
    }
    out.push(kind as u8);
    Ok(())
}

/// Turns the bytes appended since `start` into the contents of an extension.
///
/// # Errors
/// [`TooLong`] at 4 GiB and more.
pub fn ext_around(out: &mut Vec<u8>, kind: i8, start: usize) -> Result<(), TooLong> {
    let length = out.len() - start;
    // The head is appended, where there is room, and then rotated into place.
    ext_head(out, kind, length)?;
    let head_bytes = out.len() - start - length;
    out[start..].rotate_right(head_bytes);
    Ok(())
}

/// A part of a message exceeds MessagePack's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value holds 2^32 or more bytes or items")]
pub struct TooLong;

fn tagged<const N: usize>(out: &mut Vec<u8>, marker: u8, bytes: [u8; N]) {
    out.push(marker);
    out.extend_from_slice(&bytes);
}

fn head(out: &mut Vec<u8>, markers: [u8; 3], length: usize) -> Result<(), TooLong> {
    if let Ok(length) = u8::try_from(length) {
        out.extend_from_slice(&[markers[0], length]);
        Ok(())
    } else {
        wide(out, [markers[1], markers[2]], length)
    }
}

fn container(out: &mut Vec<u8>, fix: u8, markers: [u8; 2], count: usize) -> Result<(), TooLong> {
    if count < 16 {
        out.push(fix | count as u8);
        Ok(())
    } else {
        wide(out, markers, count)
    }
}

fn wide(out: &mut Vec<u8>, markers: [u8; 2], length: usize) -> Result<(), TooLong> {
    if let Ok(length) = u16::try_from(length) {
        tagged(out, markers[0], length.to_be_bytes());
    } else {
        tagged(out, markers[1], u32::try_from(length).map_err(|_| TooLong)?.to_be_bytes());
    }
    Ok(())
}
