//! The path of a part of a message in an error: `args["model"].layers[3]`.

use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

/// The names of the items in the tuple of tasks that a client sends.
pub const TASK_NAMES: [&str; 3] = ["init_task", "exec_task", "exit_task"];

/// Longer keys are cut.
const KEY_CHARS_MAX: usize = 40;

/// Longer paths lose their middle.
const STEPS_MAX: usize = 24;

/// Why an object is not plain data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its type.
    Type,
    /// It occurs more than once in the message.
    Shared,
    /// It is nested too deep.
    Depth,
    /// It is too long, or was changed while it was read.
    Form,
    /// There is not enough memory to encode it.
    Memory,
}

/// A part that is not plain data, and the steps that lead to it, the last one first.
pub struct Culprit {
    pub reason: Reason,
    pub part: Py<PyAny>,
    pub steps: Vec<Step>,
}

pub enum Step {
    /// The value of a key.
    Key(Py<PyAny>),
    /// An item of a sequence.
    Index(usize),
    /// A key of a dict or an item of a set, by its place in the iteration.
    Place(usize),
    /// The value of an enumeration's member.
    Value,
}

/// An object is not plain data. The culprit is boxed because results with it are passed up many levels.
pub struct NotPlain(pub Box<Culprit>);

impl NotPlain {
    /// Adds a step to the path, which is built from its end.
    #[cold]
    pub fn at(mut self, step: impl FnOnce() -> Step) -> Self {
        self.0.steps.push(step());
        self
    }
}

impl Culprit {
    /// The path as a Python expression.
    pub fn path(&self, py: Python<'_>, root: &str) -> String {
        let mut path = root.to_owned();
        let (skipped, shown) = (self.steps.len().saturating_sub(STEPS_MAX), STEPS_MAX / 2);
        for (index, step) in self.steps.iter().rev().enumerate() {
            if skipped > 0 && index == shown {
                path.push_str("[...]");
            }
            if skipped > 0 && (shown..shown + skipped).contains(&index) {
                continue;
            }
            match step {
                Step::Key(key) => path.push_str(&format!("[{}]", shortly(key.bind(py)))),
                Step::Index(index) => path.push_str(&format!("[{index}]")),
                Step::Place(index) => path = format!("list({path})[{index}]"),
                Step::Value => path.push_str(".value"),
            }
        }
        path
    }

    /// The path, what is there, and why it is not plain: `x (a y.Z)`.
    pub fn tell(&self, py: Python<'_>, root: &str) -> String {
        let kind = a_type(&self.part.bind(py).get_type());
        match self.reason {
            Reason::Type => format!("{} ({kind})", self.path(py, root)),
            Reason::Shared => {
                format!("{} ({kind} that occurs in the message twice)", self.path(py, root))
            }
            Reason::Depth => format!("{root}, nested deeper than plain data can be,"),
            Reason::Form | Reason::Memory => {
                format!("{} ({kind} of an unusual size or form)", self.path(py, root))
            }
        }
    }
}

/// A type with its module and an article: `a torch.nn.Module`.
pub fn a_type(class: &Bound<'_, PyType>) -> String {
    let name = class.qualname().map_or_else(|_| "object".to_owned(), |name| name.to_string());
    let full = match class.module() {
        Ok(module) if module != "builtins" => format!("{module}.{name}"),
        _ => name,
    };
    let article =
        if full.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']) { "an" } else { "a" };
    format!("{article} {full}")
}

/// A key as a Python literal, text in double quotes.
fn shortly(key: &Bound<'_, PyAny>) -> String {
    let written = match key.cast_exact::<PyString>() {
        Ok(text) => format!("{:?}", text.to_string_lossy()),
        // Keys are plain data here, so no user code runs in their repr.
        Err(_) => key.repr().map_or_else(|_| "...".to_owned(), |text| text.to_string()),
    };
    if written.chars().count() <= KEY_CHARS_MAX {
        return written;
    }
    written.chars().take(KEY_CHARS_MAX).chain("...".chars()).collect()
}

/// A path into the tuple of tasks, with `tasks[0]` replaced by the name of the task.
pub fn with_task_names(path: String) -> String {
    let named = TASK_NAMES.iter().enumerate().find_map(|(number, name)| {
        let (before, after) = path.split_once(&format!("tasks[{number}]"))?;
        (!before.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
            .then(|| [before, name, after].concat())
    });
    named.unwrap_or(path)
}
