//! Integers of any size: converts between decimal digits in JSON and the bytes of the protocol.

/// Decimal digits that fit a limb of 64 bits.
const DIGITS: usize = 19;

/// 10 to the power of [`DIGITS`].
const SCALE: u64 = 10_u64.pow(DIGITS as u32);

/// Converts decimal digits, after an optional minus, to the shortest little-endian two's complement.
pub(crate) fn from_decimal(text: &str) -> Vec<u8> {
    let digits = text.trim_start_matches('-');
    let (first, rest) = digits.split_at(digits.len() % DIGITS);
    let mut limbs = Vec::new();
    for piece in std::iter::once(first.as_bytes()).chain(rest.as_bytes().chunks(DIGITS)) {
        let added = piece.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        multiply(&mut limbs, 10_u64.pow(piece.len() as u32), added);
    }
    let mut bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
    // Room for the sign.
    bytes.push(0);
    if text.starts_with('-') {
        negate(&mut bytes);
    }
    while let [.., before, last] = bytes[..]
        && last == if before < 0x80 { 0 } else { 0xff }
    {
        bytes.pop();
    }
    bytes
}

/// Converts little-endian two's complement of any length to decimal digits.
pub(crate) fn to_decimal(bytes: &[u8]) -> String {
    let is_negative = bytes.last().is_some_and(|last| *last >= 0x80);
    let mut bytes = bytes.to_vec();
    if is_negative {
        negate(&mut bytes);
    }
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let (limbs, _) = bytes.as_chunks::<8>();
    let mut limbs: Vec<_> = limbs.iter().map(|limb| u64::from_le_bytes(*limb)).collect();
    let mut pieces = Vec::new();
    while !limbs.is_empty() {
        pieces.push(divide(&mut limbs));
    }
    let first = pieces.pop().unwrap_or_default();
    let sign = if is_negative { "-" } else { "" };
    let rest = pieces.iter().rev().map(|piece| format!("{piece:0DIGITS$}"));
    format!("{sign}{first}{}", rest.collect::<String>())
}

/// Multiplies a number by `factor` and adds to it.
fn multiply(limbs: &mut Vec<u64>, factor: u64, added: u64) {
    let mut carry = added;
    for limb in limbs.iter_mut() {
        let wide = u128::from(*limb) * u128::from(factor) + u128::from(carry);
        (*limb, carry) = (wide as u64, (wide >> 64) as u64);
    }
    if carry > 0 {
        limbs.push(carry);
    }
}

/// Divides a number by [`SCALE`], and returns the remainder.
fn divide(limbs: &mut Vec<u64>) -> u64 {
    let mut rest = 0;
    for limb in limbs.iter_mut().rev() {
        let wide = u128::from(rest) << 64 | u128::from(*limb);
        *limb = (wide / u128::from(SCALE)) as u64;
        rest = (wide % u128::from(SCALE)) as u64;
    }
    while limbs.last() == Some(&0) {
        limbs.pop();
    }
    rest
}

fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes {
        (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_python() {
        for (text, bytes) in [
            ("0", &[0][..]),
            ("-1", &[0xff]),
            ("127", &[0x7f]),
            ("128", &[0x80, 0]),
            ("-128", &[0x80]),
            ("-129", &[0x7f, 0xff]),
            ("18446744073709551616", &[0, 0, 0, 0, 0, 0, 0, 0, 1]),
            ("-18446744073709551616", &[0, 0, 0, 0, 0, 0, 0, 0, 0xff]),
        ] {
            assert_eq!(from_decimal(text), bytes, "{text}");
            assert_eq!(to_decimal(bytes), text);
        }
        // Longer than necessary.
        assert_eq!(to_decimal(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0]), "1");
        assert_eq!(to_decimal(&[0xff; 20]), "-1");
    }

    #[test]
    fn digits_come_back() {
        for length in [1, 18, 19, 20, 37, 38, 39, 100, 4301] {
            for digits in ["9".repeat(length), format!("1{}", "0".repeat(length - 1))] {
                let negative = format!("-{digits}");
                assert_eq!(to_decimal(&from_decimal(&digits)), digits);
                assert_eq!(to_decimal(&from_decimal(&negative)), negative);
            }
        }
    }
}
