//! Tables of methods as Python dicts, and back. The keys are those of PROTOCOL.md, "Methods".

use bgpy::methods::{Method, MethodKind, MethodTable, Parameter, ParameterKind, Runs};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

const KINDS: [(&str, MethodKind); 3] = [
    ("call", MethodKind::Call),
    ("stream", MethodKind::Stream),
    ("property", MethodKind::Property),
];

const RUNS: [(&str, Runs); 3] =
    [("exclusive", Runs::Exclusive), ("read", Runs::Read), ("async", Runs::Async)];

const PARAMETERS: [(&str, ParameterKind); 5] = [
    ("positional", ParameterKind::Positional),
    ("any", ParameterKind::Any),
    ("rest", ParameterKind::Rest),
    ("keyword", ParameterKind::Keyword),
    ("keywords", ParameterKind::Keywords),
];

/// The table as a dict.
pub fn to_dict<'py>(py: Python<'py>, table: &MethodTable) -> PyResult<Bound<'py, PyDict>> {
    let MethodTable { class, module, doc, methods } = table;
    let methods = methods.iter().map(|method| method_dict(py, method));
    let dict = PyDict::new(py);
    dict.set_item("class", class)?;
    dict.set_item("module", module)?;
    dict.set_item("doc", doc)?;
    dict.set_item("methods", PyList::new(py, methods.collect::<PyResult<Vec<_>>>()?)?)?;
    Ok(dict)
}

fn method_dict<'py>(py: Python<'py>, method: &Method) -> PyResult<Bound<'py, PyDict>> {
    let Method { name, kind, runs, cancel, parameters, returns, doc } = method;
    let list = |parameters: &Vec<Parameter>| -> PyResult<_> {
        let dicts = parameters.iter().map(|parameter| parameter_dict(py, parameter));
        PyList::new(py, dicts.collect::<PyResult<Vec<_>>>()?)
    };
    let dict = PyDict::new(py);
    dict.set_item("name", name)?;
    dict.set_item("kind", word(*kind, &KINDS))?;
    dict.set_item("runs", word(*runs, &RUNS))?;
    dict.set_item("cancel", cancel)?;
    dict.set_item("parameters", parameters.as_ref().map(list).transpose()?)?;
    dict.set_item("returns", returns)?;
    dict.set_item("doc", doc)?;
    Ok(dict)
}

fn parameter_dict<'py>(py: Python<'py>, parameter: &Parameter) -> PyResult<Bound<'py, PyDict>> {
    let Parameter { name, kind, default, annotation } = parameter;
    let dict = PyDict::new(py);
    dict.set_item("name", name)?;
    dict.set_item("kind", word(*kind, &PARAMETERS))?;
    dict.set_item("default", default)?;
    dict.set_item("annotation", annotation)?;
    Ok(dict)
}

/// The table that a dict holds.
///
/// # Errors
/// KeyError, TypeError or ValueError if it holds none.
pub fn from_dict(dict: &Bound<'_, PyAny>) -> PyResult<MethodTable> {
    let methods = dict.get_item("methods")?.try_iter()?.map(|method| method_of(&method?));
    Ok(MethodTable {
        class: dict.get_item("class")?.extract()?,
        module: dict.get_item("module")?.extract()?,
        doc: dict.get_item("doc")?.extract()?,
        methods: methods.collect::<PyResult<_>>()?,
    })
}

/// The method that a dict holds.
///
/// # Errors
/// As for [`from_dict`].
pub fn method_of(dict: &Bound<'_, PyAny>) -> PyResult<Method> {
    let parameters = dict.get_item("parameters")?;
    let parameters = (!parameters.is_none()).then(|| {
        let parameters = parameters.try_iter()?.map(|parameter| parameter_of(&parameter?));
        parameters.collect::<PyResult<_>>()
    });
    Ok(Method {
        name: dict.get_item("name")?.extract()?,
        kind: of_word(&dict.get_item("kind")?, &KINDS)?,
        runs: of_word(&dict.get_item("runs")?, &RUNS)?,
        cancel: dict.get_item("cancel")?.extract()?,
        parameters: parameters.transpose()?,
        returns: dict.get_item("returns")?.extract()?,
        doc: dict.get_item("doc")?.extract()?,
    })
}

fn parameter_of(dict: &Bound<'_, PyAny>) -> PyResult<Parameter> {
    Ok(Parameter {
        name: dict.get_item("name")?.extract()?,
        kind: of_word(&dict.get_item("kind")?, &PARAMETERS)?,
        default: dict.get_item("default")?.extract()?,
        annotation: dict.get_item("annotation")?.extract()?,
    })
}

fn word<T: PartialEq>(value: T, words: &[(&'static str, T)]) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
}

fn of_word<T: Copy>(text: &Bound<'_, PyAny>, words: &[(&str, T)]) -> PyResult<T> {
    let text: &str = text.extract()?;
    let known = words.iter().find(|(word, _)| *word == text);
    known.map(|(_, value)| *value).ok_or_else(|| PyValueError::new_err(text.to_owned()))
}
