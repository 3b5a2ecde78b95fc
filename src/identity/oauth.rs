// SPDX-License-Identifier: Apache-2.0

//! What token endpoints answer (RFC 6749, sections 5.1 and 5.2).

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use super::answer::Answer;
use super::error::Error;
use super::life::{Lasting, seconds};

#[derive(Deserialize)]
struct Granted {
    access_token: Option<SecretString>,
    /// A number of seconds; Azure's metadata server writes it as a text.
    expires_in: Option<Value>,
}

/// How errors are told: by OAuth, and by Google's APIs.
#[derive(Deserialize)]
struct Fault {
    error: Option<Value>,
    error_description: Option<String>,
}

/// The access token of an answer.
pub(super) fn access_token(answer: &Answer) -> Result<Lasting<SecretString>, Error> {
    if !answer.status.is_success() {
        return Err(refusal(answer));
    }
    let Granted {
        access_token,
        expires_in,
    } = answer.json()?;
    let token = access_token.ok_or_else(|| answer.wrong("it has no access_token"))?;
    let expires_in = expires_in.ok_or_else(|| answer.wrong("it has no expires_in"))?;
    let number = match &expires_in {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let number = number.ok_or_else(|| answer.wrong("its expires_in is no number of seconds"))?;
    let life = seconds(number).ok_or_else(|| answer.wrong("it has ended already"))?;
    Ok(Lasting { value: token, life })
}

/// An error with what the server says about it.
pub(super) fn refusal(answer: &Answer) -> Error {
    answer.refusal(said(answer.text()).as_deref())
}

fn said(text: &str) -> Option<String> {
    let Fault {
        error,
        error_description,
    } = serde_json::from_str(text).ok()?;
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let error = error?;
    let (code, message) = if error.is_object() {
        let field = |name: &str| error.get(name).and_then(text);
        (field("status"), field("message"))
    } else {
        (text(&error), error_description)
    };
    Some(match (code, message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (code, message) => code.or(message)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_both_kinds() {
        let cases = [
            (
                r#"{"error": "invalid_grant", "error_description": "wrong audience"}"#,
                Some("invalid_grant: wrong audience"),
            ),
            (r#"{"error": "invalid_client"}"#, Some("invalid_client")),
            (
                r#"{"error": {"code": 403, "message": "not allowed", "status": "PERMISSION_DENIED"}}"#,
                Some("PERMISSION_DENIED: not allowed"),
            ),
            (r#"{"error": 5}"#, None),
            ("<html>", None),
        ];
        for (text, expected) in cases {
            assert_eq!(said(text).as_deref(), expected, "{text}");
        }
    }
}
