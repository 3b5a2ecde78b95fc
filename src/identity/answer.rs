// SPDX-License-Identifier: Apache-2.0

//! An answer of a cloud, and what may be believed and shown of it.

use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::error::Error;
use super::words::words;

/// An answer, whole and bounded.
pub(super) struct Answer {
    pub(super) server: String,
    pub(super) asked: &'static str,
    pub(super) status: StatusCode,
    pub(super) body: SecretString,
    pub(super) hidden: Vec<SecretString>,
}

// === impl Answer ===

impl Answer {
    /// The text of an answer that grants what was asked for.
    pub(super) fn granted(&self) -> Result<&SecretString, Error> {
        if self.status.is_success() {
            return Ok(&self.body);
        }
        Err(self.refusal(None))
    }

    /// The JSON of such an answer.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.parse(self.granted()?.expose_secret())
    }

    fn parse<T: DeserializeOwned>(&self, text: &str) -> Result<T, Error> {
        serde_json::from_str(text).map_err(|error| {
            // The message of the parser may quote what it read.
            let (line, column) = (error.line(), error.column());
            self.wrong(format!(
                "its answer is not what is documented, see line {line}, column {column}"
            ))
        })
    }

    /// The body, whatever the status.
    pub(super) fn text(&self) -> &str {
        self.body.expose_secret()
    }

    /// An error for an answer that makes no sense.
    pub(super) fn wrong(&self, fault: impl Into<String>) -> Error {
        Error::Answer {
            server: self.server.clone(),
            asked: self.asked,
            fault: fault.into(),
        }
    }

    /// An error for an answer that grants nothing, with what the server says.
    pub(super) fn refusal(&self, said: Option<&str>) -> Error {
        let server = self.server.clone();
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => Error::RateLimited { server },
            status if status.is_server_error() => Error::Unreachable {
                server,
                detail: format!("it answers {}", status.as_u16()),
            },
            status if status.is_redirection() || status.is_informational() => {
                self.wrong(format!("it answers {}", status.as_u16()))
            }
            status => Error::Refused {
                server,
                asked: self.asked,
                status: status.as_u16(),
                said: words(said.unwrap_or(self.text()), &self.hidden),
                is_known: status == StatusCode::FORBIDDEN,
            },
        }
    }
}
