//! Paths in JSON: as text, or, if they are not valid Unicode, as the system's code units.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Spelling {
    Text(String),
    Units(OsString),
}

pub(crate) fn serialize<S: Serializer>(
    path: &Option<PathBuf>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let spelling = path.clone().map(|path| {
        path.into_os_string().into_string().map_or_else(Spelling::Units, Spelling::Text)
    });
    spelling.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PathBuf>, D::Error> {
    Ok(Option::deserialize(deserializer)?.map(|spelling| match spelling {
        Spelling::Text(text) => text.into(),
        Spelling::Units(units) => units.into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Holder(#[serde(with = "super")] Option<PathBuf>);

    fn and_back(path: Option<PathBuf>) -> (String, Option<PathBuf>) {
        let text = serde_json::to_string(&Holder(path)).unwrap();
        let Holder(path) = serde_json::from_str(&text).unwrap();
        (text, path)
    }

    #[test]
    fn text_stays_text() {
        assert_eq!(and_back(None), ("null".into(), None));
        assert_eq!(and_back(Some("/a/é".into())), ("\"/a/é\"".into(), Some("/a/é".into())));
    }

    #[cfg(unix)]
    #[test]
    fn any_bytes_come_back() {
        use std::os::unix::ffi::OsStringExt;
        let path = PathBuf::from(OsString::from_vec(vec![b'/', 0xff, b'a']));
        assert_eq!(and_back(Some(path.clone())).1, Some(path));
    }
}
