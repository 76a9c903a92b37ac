//! Values that other systems must know by name: file paths and enumeration members.

use super::Value;

/// A path of Python's `pathlib`.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// Its class.
    pub kind: PathKind,
    /// The arguments of the class: one text per part.
    pub parts: Vec<Value>,
}

/// The classes of paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathKind {
    /// `PurePosixPath`.
    PurePosix = 0,
    /// `PosixPath`, which exists only on Unix-like systems.
    Posix = 1,
    /// `PureWindowsPath`.
    PureWindows = 2,
    /// `WindowsPath`, which exists only on Windows.
    Windows = 3,
}

impl PathKind {
    /// Every class, ordered by number.
    pub const ALL: [Self; 4] = [Self::PurePosix, Self::Posix, Self::PureWindows, Self::Windows];

    /// The class with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Its name in Python.
    pub fn name(self) -> &'static str {
        match self {
            Self::PurePosix => "PurePosixPath",
            Self::Posix => "PosixPath",
            Self::PureWindows => "PureWindowsPath",
            Self::Windows => "WindowsPath",
        }
    }
}

impl Path {
    /// The path as a text; `None` when a part of it is not Unicode.
    ///
    /// ```
    /// use bgpy_proto::codec::{Path, PathKind};
    ///
    /// let path = Path { kind: PathKind::Posix, parts: vec!["/".into(), "tmp".into(), "a".into()] };
    /// assert_eq!(path.to_text().as_deref(), Some("/tmp/a"));
    /// ```
    pub fn to_text(&self) -> Option<String> {
        let separator = match self.kind {
            PathKind::PurePosix | PathKind::Posix => '/',
            PathKind::PureWindows | PathKind::Windows => '\\',
        };
        let mut text = String::new();
        for part in &self.parts {
            if !text.is_empty() && !text.ends_with(separator) {
                text.push(separator);
            }
            text.push_str(part.as_str()?);
        }
        Some(text)
    }
}

/// A member of one of Python's enumerations.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The module of its class.
    pub module: String,
    /// The class within the module; a class within a class has a dot in its name.
    pub class: String,
    /// The member's value.
    pub value: Value,
}
