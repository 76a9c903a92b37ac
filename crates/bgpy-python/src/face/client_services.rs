//! Proxies of the object that a server has, and its start.

use std::sync::PoisonError;
use std::time::Instant;

use bgpy::Link;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use super::arguments::timeout;
use super::client::Client;
use super::connection::process_of;
use super::messages::confirmation;
use crate::codec::encode::encode_tasks;
use crate::codec::method_table;
use crate::lazy::Lazy;

#[pymethods]
impl Client {
    /// Return a proxy of the object that the server has: a local object whose methods run there.
    ///
    /// Parameters
    /// ----------
    /// cls : type, optional
    ///     The class of the object, for type checkers. A `RuntimeWarning` says what the object has otherwise.
    /// timeout : float, optional
    ///     Maximum time to wait, in seconds.
    ///
    /// Returns
    /// -------
    /// object
    ///     The proxy. It makes its calls by this client, and several proxies may.
    ///
    /// Raises
    /// ------
    /// NoMethods
    ///     If the server runs tasks.
    /// BgpyError
    ///     As for `call`.
    #[pyo3(signature = (cls=None, timeout=None))]
    fn service<'py>(
        slf: &Bound<'py, Self>,
        py: Python<'py>,
        cls: Option<Bound<'py, PyType>>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static PROXY: Lazy = Lazy::new("bgpy._services.proxy", "proxy");
        let table = slf.get()._methods(py, timeout)?;
        PROXY.get(py)?.call1((slf, table, cls))
    }

    /// Send the server what makes its object, a class for example, and wait until it is made.
    #[pyo3(signature = (factory, timeout=None))]
    fn _start_service<'py>(
        &self,
        py: Python<'py>,
        factory: &Bound<'py, PyAny>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let encoded = || encode_tasks(py, "the service", factory);
        let first = self.calling(py, timeout, None, encoded, Link::start_service)?;
        confirmation(py, if first { "Initialization successful." } else { "Already initialized." })
    }

    /// What the server tells of the methods of its object.
    #[pyo3(signature = (timeout=None))]
    fn _methods<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = timeout)] timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (table, process) = self.on_link(py, timeout, |link, wait| {
            link.await_start(wait)?;
            Ok((link.methods(wait)?, process_of(link)))
        })?;
        *self.methods_of.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
        method_table::to_dict(py, &table)
    }

    /// What to do about a method that is missing or does not fit, if the server may have others by now.
    pub(super) fn _methods_hint(&self) -> &'static str {
        let now = self.client.current(Instant::now()).map(|link| process_of(&link));
        let then = *self.methods_of.lock().unwrap_or_else(PoisonError::into_inner);
        match then.is_some() && then == now {
            true => "",
            false => "; if the server was started again since you connected, connect again",
        }
    }

    /// The server as this client names it.
    #[getter]
    fn _target(&self) -> String {
        self.client.target().to_string()
    }
}
