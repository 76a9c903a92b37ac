//! `RemoteMethod`: a method of a server's object, as a proxy has it.

use bgpy::methods::{MethodKind, Parameter, ParameterKind};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use super::arguments::{keep, key, limit, timeout, window};
use super::call::Call;
use super::client::Client;
use super::client_calls::{CallOptions, Called, begin, first};
use super::stream::Stream;
use crate::codec::method_table::method_of;
use crate::lazy::Lazy;

/// How many bytes of a stream a server sends ahead, unless the caller says otherwise.
const WINDOW: u64 = bgpy::limits::STREAM_WINDOW_BYTES;

/// A method of a server's object. It is called like any other method.
#[pyclass(module = "bgpy", frozen, weakref)]
pub struct RemoteMethod {
    client: Py<Client>,
    name: String,
    kind: MethodKind,
    shape: Option<Shape>,
    /// Its entry in the table.
    about: Py<PyDict>,
    owner: Py<PyString>,
    timeout: Option<f64>,
    on_progress: Option<Py<PyAny>>,
    window: u64,
    /// The name of a job that calls it, and how long its result is kept, in seconds.
    key: Option<String>,
    keep: Option<f64>,
}

/// Which arguments a method takes.
struct Shape {
    /// Parameters that take an argument by position, by the name under which they also take one.
    positional: Vec<Option<String>>,
    /// How many of them need an argument.
    least: usize,
    takes_rest: bool,
    /// Those that take one by name only, and whether they need one.
    by_name: Vec<(String, bool)>,
    takes_keywords: bool,
}

impl Shape {
    fn of(parameters: Vec<Parameter>) -> Self {
        let mut shape = Self {
            positional: Vec::new(),
            least: 0,
            takes_rest: false,
            by_name: Vec::new(),
            takes_keywords: false,
        };
        for Parameter { name, kind, default, .. } in parameters {
            let is_needed = default.is_none();
            match kind {
                ParameterKind::Positional | ParameterKind::Any => {
                    shape.positional.push((kind == ParameterKind::Any).then_some(name));
                    shape.least += usize::from(is_needed);
                }
                ParameterKind::Rest => shape.takes_rest = true,
                ParameterKind::Keyword => shape.by_name.push((name, is_needed)),
                ParameterKind::Keywords => shape.takes_keywords = true,
            }
        }
        shape
    }

    /// Whether a method of this shape takes so many arguments by position, and these by name.
    fn takes(&self, count: usize, keywords: Option<&Bound<'_, PyDict>>) -> bool {
        if count > self.positional.len() && !self.takes_rest {
            return false;
        }
        let mut missing = self.least.saturating_sub(count);
        let mut missing_by_name = self.by_name.iter().filter(|(_, is_needed)| *is_needed).count();
        for key in keywords.into_iter().flat_map(|keywords| keywords.keys()) {
            let Ok(key) = key.extract::<&str>() else { return false };
            let place = self.positional.iter().position(|name| name.as_deref() == Some(key));
            let by_name = self.by_name.iter().find(|(name, _)| name == key);
            match (place, by_name) {
                (Some(place), _) if place < count => return false,
                (Some(place), _) => missing -= usize::from(place < self.least),
                (None, Some((_, is_needed))) => missing_by_name -= usize::from(*is_needed),
                (None, None) if self.takes_keywords => {}
                (None, None) => return false,
            }
        }
        missing == 0 && missing_by_name == 0
    }
}

/// The message of a call, its timeout, what to call with progress, and the window of a stream.
type Prepared<'py> = (Bound<'py, PyAny>, Option<f64>, Option<Bound<'py, PyAny>>, Option<u64>);

impl RemoteMethod {
    /// The message of a call: a tuple of the arguments by position, or a list of that and a dict of the others.
    fn message<'py>(
        &self,
        arguments: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = arguments.py();
        let keywords = keywords.filter(|keywords| !keywords.is_empty());
        if self.shape.as_ref().is_none_or(|shape| !shape.takes(arguments.len(), keywords)) {
            static CHECK: Lazy = Lazy::new("bgpy._services.signature", "check");
            let named = keywords.map_or_else(|| PyDict::new(py), Clone::clone);
            let hint = self.client.get()._methods_hint();
            CHECK.get(py)?.call1((&self.about, arguments, named, hint))?;
        }
        let Some(keywords) = keywords else { return Ok(arguments.clone().into_any()) };
        Ok(PyList::new(py, [arguments.as_any(), keywords.as_any()])?.into_any())
    }

    fn options<'py>(&self, py: Python<'py>) -> CallOptions<'py> {
        let on_progress = self.on_progress.as_ref().map(|report| report.bind(py).clone());
        let window = (self.kind == MethodKind::Stream).then_some(self.window);
        CallOptions { on_progress, timeout: self.timeout, window }
    }

    /// Checks that no option is of a job, for a call that is none.
    fn check_no_job(&self) -> PyResult<()> {
        if self.key.is_none() && self.keep.is_none() {
            return Ok(());
        }
        let text = "key and keep are options of jobs: pass the method to bgpy.submit";
        Err(PyTypeError::new_err(text))
    }

    fn called(&self) -> Called<'_> {
        Called::Method(&self.name)
    }
}

#[pymethods]
impl RemoteMethod {
    #[new]
    fn new(client: Py<Client>, about: &Bound<'_, PyDict>, owner: Py<PyString>) -> PyResult<Self> {
        let method = method_of(about)?;
        Ok(Self {
            client,
            name: method.name,
            kind: method.kind,
            shape: method.parameters.map(Shape::of),
            about: about.clone().unbind(),
            owner,
            timeout: None,
            on_progress: None,
            window: WINDOW,
            key: None,
            keep: None,
        })
    }

    #[pyo3(signature = (*arguments, **keywords))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        arguments: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.check_no_job()?;
        let message = self.message(arguments, keywords)?;
        let client = self.client.bind(py);
        let options = self.options(py);
        if self.kind == MethodKind::Stream {
            let limit = limit(py, self.timeout)?;
            let pending = begin(client, py, self.called(), &message, options)?;
            return Bound::new(py, Stream::new(pending, limit)).map(Bound::into_any);
        }
        let response = first(client, py, self.called(), &message, options, None)?;
        client.get().response(py, response)
    }

    /// Call it and return at once, with the call under way.
    #[pyo3(signature = (*arguments, **keywords))]
    fn _begin<'py>(
        &self,
        py: Python<'py>,
        arguments: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Call> {
        if self.kind == MethodKind::Stream {
            let text = format!("{} yields values: iterate over what it returns", self.name);
            return Err(PyTypeError::new_err(text));
        }
        self.check_no_job()?;
        let message = self.message(arguments, keywords)?;
        let options = CallOptions { timeout: None, ..self.options(py) };
        begin(self.client.bind(py), py, self.called(), &message, options).map(Call::new)
    }

    /// What a call by somebody else needs: the message, the timeout, what to call with progress, and the window of
    /// a stream.
    #[pyo3(signature = (*arguments, **keywords))]
    fn _prepared<'py>(
        &self,
        py: Python<'py>,
        arguments: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Prepared<'py>> {
        self.check_no_job()?;
        let message = self.message(arguments, keywords)?;
        let CallOptions { on_progress, timeout, window } = self.options(py);
        Ok((message, timeout, on_progress, window))
    }

    /// Submit a job that calls it, and return the client, the job's name and that of the method.
    #[pyo3(signature = (*arguments, **keywords))]
    fn _submit<'py>(
        &self,
        py: Python<'py>,
        arguments: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<(Py<Client>, String, &str)> {
        if self.kind == MethodKind::Stream {
            let text = format!("{} yields values, and a job has one result", self.name);
            return Err(PyTypeError::new_err(text));
        }
        if self.on_progress.is_some() {
            let text = "on_progress needs a caller that waits: pass it to the result() of the job";
            return Err(PyTypeError::new_err(text));
        }
        let message = self.message(arguments, keywords)?;
        let (key, keep) = (self.key.as_deref(), self.keep);
        let job =
            self.client.get()._submit(py, Some(&self.name), &message, key, keep, self.timeout)?;
        Ok((self.client.clone_ref(py), job, &self.name))
    }

    /// The same method, called with other options.
    #[pyo3(signature = (timeout=None, on_progress=None, window=None, key=None, keep=None))]
    fn _with(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
        on_progress: Option<Py<PyAny>>,
        #[pyo3(from_py_with = window)] window: Option<u64>,
        #[pyo3(from_py_with = key)] key: Option<String>,
        #[pyo3(from_py_with = keep)] keep: Option<f64>,
    ) -> PyResult<Self> {
        let same =
            Self::new(self.client.clone_ref(py), self.about.bind(py), self.owner.clone_ref(py))?;
        // Refused here rather than at the first call.
        limit(py, timeout)?;
        let known = || self.on_progress.as_ref().map(|report| report.clone_ref(py));
        Ok(Self {
            timeout: timeout.or(self.timeout),
            on_progress: on_progress.or_else(known),
            window: window.unwrap_or(self.window),
            key: key.or_else(|| self.key.clone()),
            keep: keep.or(self.keep),
            ..same
        })
    }

    #[getter]
    fn __name__(&self) -> &str {
        &self.name
    }

    #[getter]
    fn __qualname__(&self, py: Python<'_>) -> String {
        format!("{}.{}", self.owner.bind(py).to_string_lossy(), self.name)
    }

    /// The docstring of the method, which `bgpy._services.proxy` makes that of the object.
    #[getter]
    fn _doc<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.about.bind(py).as_any().get_item("doc")
    }

    #[getter]
    fn __signature__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static SIGNATURE: Lazy = Lazy::new("bgpy._services.signature", "signature");
        SIGNATURE.get(py)?.call1((&self.about,))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let server = self.client.get().client.target();
        format!("<method {} on {server}>", self.__qualname__(py))
    }
}
