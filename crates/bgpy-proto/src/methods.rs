//! The methods that a server's object has, as clients ask for them.

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::failure::shortened;
use crate::limits::METHODS_ERROR_BYTES_MAX;

/// A server's answer to a request for its methods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MethodsReply {
    /// It has none that can be told.
    Refused {
        /// Why.
        error: String,
    },
    /// They are these.
    Table(MethodTable),
}

/// A class, and what clients may use of its object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodTable {
    /// The class, as Python's `__qualname__`.
    pub class: String,
    /// The module that defines it.
    pub module: Option<String>,
    /// Its docstring.
    pub doc: Option<String>,
    /// The methods and properties.
    pub methods: Vec<Method>,
}

/// A method or property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// How it is used.
    pub kind: MethodKind,
    /// What may run beside it.
    pub runs: Runs,
    /// Whether a call of it can be cancelled while it runs.
    pub cancel: bool,
    /// Its parameters; `None` if they are not known.
    pub parameters: Option<Vec<Parameter>>,
    /// The annotation of what it returns.
    pub returns: Option<String>,
    /// Its docstring.
    pub doc: Option<String>,
}

/// How a method is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MethodKind {
    /// It is called, and returns a value.
    Call,
    /// It is called, and yields values.
    Stream,
    /// It is read like an attribute.
    Property,
}

/// What may run beside a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runs {
    /// Nothing.
    Exclusive,
    /// Other methods that only read.
    Read,
    /// Other methods, while it awaits something.
    Async,
}

/// A parameter of a method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// How arguments get there.
    pub kind: ParameterKind,
    /// Its default, as Python writes it; `None` if it has none.
    pub default: Option<String>,
    /// Its annotation.
    pub annotation: Option<String>,
}

/// How arguments get to a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterKind {
    /// By position.
    Positional,
    /// By position or name.
    Any,
    /// It takes all further ones by position (`*args`).
    Rest,
    /// By name.
    Keyword,
    /// It takes all further ones by name (`**kwargs`).
    Keywords,
}

impl MethodTable {
    /// The method of a name.
    pub fn get(&self, name: &str) -> Option<&Method> {
        self.methods.iter().find(|method| method.name == name)
    }

    /// Encodes the table.
    pub fn encode(&self) -> Vec<u8> {
        codec::to_vec(self).expect("a table is not deep")
    }

    /// Decodes a table; `None` if the bytes are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        codec::from_map(bytes)
    }
}

impl MethodsReply {
    /// Encodes the reply for a peer with a limit on messages.
    pub fn encode_within(&self, message_bytes_max: u64) -> Vec<u8> {
        let encoded = match self {
            Self::Table(table) => table.encode(),
            Self::Refused { error } => return refusal(error),
        };
        if encoded.len() as u64 <= message_bytes_max {
            return encoded;
        }
        let bytes = encoded.len();
        refusal(&format!(
            "its methods take {bytes} bytes, and the client accepts {message_bytes_max}"
        ))
    }

    /// Decodes a reply; `None` if the bytes are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        codec::from_map(bytes).filter(|reply| match reply {
            Self::Refused { error } => error.len() <= METHODS_ERROR_BYTES_MAX,
            Self::Table(_) => true,
        })
    }
}

fn refusal(error: &str) -> Vec<u8> {
    // The note of a shortened text is shorter than 64 bytes.
    let error = shortened(error, METHODS_ERROR_BYTES_MAX - 64).into_owned();
    codec::to_vec(&MethodsReply::Refused { error }).expect("a refusal is flat and short")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MESSAGE_BYTES_LEAST;

    fn table(methods: usize) -> MethodTable {
        let parameter = Parameter {
            name: "by".into(),
            kind: ParameterKind::Any,
            default: Some("1".into()),
            annotation: Some("int".into()),
        };
        let method = |number: usize| Method {
            name: format!("method_{number}"),
            kind: MethodKind::Call,
            runs: Runs::Exclusive,
            cancel: true,
            parameters: (number > 0).then(|| vec![parameter.clone()]),
            returns: None,
            doc: Some("Adds.".into()),
        };
        MethodTable {
            class: "Counter".into(),
            module: Some("counter".into()),
            doc: None,
            methods: (0..methods).map(method).collect(),
        }
    }

    #[test]
    fn replies_survive_the_wire() {
        for reply in [
            MethodsReply::Table(table(3)),
            MethodsReply::Table(MethodTable::default()),
            MethodsReply::Refused { error: "it has none".into() },
        ] {
            assert_eq!(MethodsReply::decode(&reply.encode_within(u64::MAX)), Some(reply));
        }
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let long = MethodsReply::Refused { error: "ü".repeat(1 << 20) };
        for reply in [MethodsReply::Table(table(1000)), long] {
            let encoded = reply.encode_within(MESSAGE_BYTES_LEAST);
            assert!(encoded.len() as u64 <= MESSAGE_BYTES_LEAST);
            let decoded = MethodsReply::decode(&encoded);
            assert!(matches!(decoded, Some(MethodsReply::Refused { .. })), "{decoded:?}");
        }
        let error = "x".repeat(METHODS_ERROR_BYTES_MAX + 1);
        let bytes = codec::to_vec(&MethodsReply::Refused { error }).unwrap();
        assert_eq!(MethodsReply::decode(&bytes), None);
    }

    #[test]
    fn a_method_is_found_by_its_name() {
        assert_eq!(table(3).get("method_2"), Some(&table(3).methods[2]));
        assert_eq!(table(3).get("method_3"), None);
    }
}
