//! Checks the token in the environment.

use bgpy::Token;

use super::Finding;

const ABOUT: &str = "token";

/// Whether a token in `BGPY_TOKEN` can be guessed.
pub(super) fn variable(value: Option<&str>) -> Vec<Finding> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        let text = "BGPY_TOKEN is not set; servers generate tokens that your clients here find";
        return vec![Finding::ok(ABOUT, text)];
    };
    if !Token::new(value).is_weak() {
        return vec![Finding::ok(ABOUT, "BGPY_TOKEN is set and hard to guess")];
    }
    let text =
        "BGPY_TOKEN is set but can be guessed; a server that other machines can reach refuses it";
    vec![Finding::note(ABOUT, text, "set it to the output of `bgpy token create`")]
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn only_a_weak_token_is_noted() {
        let level = |value: Option<&str>| variable(value)[0].level;
        assert_eq!((level(None), level(Some(""))), (Level::Ok, Level::Ok));
        assert_eq!(level(Some(Token::generate(64).expose())), Level::Ok);
        assert_eq!(level(Some("s3cret")), Level::Note);
        assert!(!variable(Some("s3cret"))[0].text.contains("s3cret"));
    }
}
