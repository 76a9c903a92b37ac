//! Texts that exceed UTF-8 (surrogates) or are restricted (decimals).

/// Whether these bytes are a text with at least one surrogate: UTF-8 in which code points from
/// U+D800 to U+DFFF stand as well, in three bytes each. Python has such texts; one without any is
/// an ordinary text and must be sent as one.
///
/// ```
/// use bgpy_proto::codec::text::has_surrogates;
///
/// assert!(has_surrogates(b"file-\xed\xb3\xbf"));
/// assert!(!has_surrogates(b"file"));
/// ```
pub fn has_surrogates(bytes: &[u8]) -> bool {
    let (mut rest, mut found) = (bytes, false);
    while let Err(error) = std::str::from_utf8(rest) {
        rest = &rest[error.valid_up_to()..];
        let Some(([0xed, 0xa0..=0xbf, 0x80..=0xbf], behind)) = rest.split_first_chunk() else {
            return false;
        };
        (rest, found) = (behind, true);
    }
    found
}

/// Whether a text is a decimal number as Python writes one: a sign, digits with at most one point,
/// an exponent; or an infinity; or a NaN, which may be signalling and carry digits.
///
/// ```
/// use bgpy_proto::codec::text::is_decimal;
///
/// assert!(is_decimal("-1.10") && is_decimal("1E+5") && is_decimal("sNaN12"));
/// assert!(!is_decimal("1_0") && !is_decimal("") && !is_decimal("1E"));
/// ```
pub fn is_decimal(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.strip_prefix('-').unwrap_or(text);
    if let Some(payload) = number.strip_prefix("NaN").or_else(|| number.strip_prefix("sNaN")) {
        return digits(payload);
    }
    if number == "Infinity" {
        return true;
    }
    let (mantissa, exponent) = match number.split_once('E') {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (number, None),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent_fits = exponent.is_none_or(|exponent| {
        exponent.strip_prefix(['+', '-']).is_some_and(|power| !power.is_empty() && digits(power))
    });
    exponent_fits && !whole.is_empty() && !part.is_empty() && digits(whole) && digits(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surrogates_are_told_from_other_bytes() {
        for text in [&b"\xed\xa0\x80"[..], b"a\xed\xbf\xbfb", b"\xed\xa0\xbd\xed\xb8\x80\xc3\xbc"] {
            assert!(has_surrogates(text), "{text:02x?}");
        }
        let others = [&b""[..], b"a", b"\xed\x9f\xbf", b"\xff", b"\xed\xa0", b"\xed\xa0\x80\xff"];
        for text in others {
            assert!(!has_surrogates(text), "{text:02x?}");
        }
    }

    #[test]
    fn decimals_are_told_from_other_texts() {
        for text in ["0", "-0.00", "12.5E-10", "0E+3", "Infinity", "-Infinity", "NaN", "-sNaN0"] {
            assert!(is_decimal(text), "{text}");
        }
        for text in ["", "-", "+1", "1.", ".5", "1e5", "1E5", "1E+", "inf", " 1", "1\n", "\u{661}"]
        {
            assert!(!is_decimal(text), "{text}");
        }
    }
}
