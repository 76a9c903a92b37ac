//! What a client sends and what it gets back, as Python objects.

use bgpy::{Payload, Response};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arguments::limit;
use super::client::Client;
use super::errors::error_response;
use crate::codec::decode::decode;
use crate::codec::encode::{Receiver, encode};

impl Client {
    /// Encodes an object for the server, whose hello says whether it accepts pickles.
    pub fn encode(
        &self,
        py: Python<'_>,
        root: &str,
        object: &Bound<'_, PyAny>,
        timeout: Option<f64>,
    ) -> PyResult<Payload> {
        let takes_pickles = || Ok(self.link(py, limit(py, timeout)?)?.hello().allow_pickle);
        let server = Receiver { name: "the server", takes_pickles: &takes_pickles };
        encode(py, root, object, &server)
    }

    /// Encodes an object for a server that is known to accept pickles or not.
    pub fn encode_for(
        &self,
        py: Python<'_>,
        root: &str,
        object: &Bound<'_, PyAny>,
        takes_pickles: bool,
    ) -> PyResult<Payload> {
        let takes_pickles = || Ok(takes_pickles);
        let server = Receiver { name: "the server", takes_pickles: &takes_pickles };
        encode(py, root, object, &server)
    }

    /// The response of a call; one that reports an error is raised.
    pub fn response<'py>(
        &self,
        py: Python<'py>,
        Response { message, error }: Response,
    ) -> PyResult<Bound<'py, PyAny>> {
        let response = decode(py, "response", message, self.policy)?;
        if error {
            let server = self.client.target().to_string();
            return Err(error_response(py, &server, &response));
        }
        Ok(response)
    }

    /// The response, or the confirmation that a call was accepted.
    pub fn answer<'py>(
        &self,
        py: Python<'py>,
        response: Option<Response>,
        call: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        match response {
            Some(response) => decode(py, "response", response.message, self.policy),
            None => Ok(confirmation(py, &format!("Received '{call}'"))?.into_any()),
        }
    }
}

/// What a call returns that has no response.
pub fn confirmation<'py>(py: Python<'py>, message: &str) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("message", message)?;
    Ok(dict)
}
