// SPDX-License-Identifier: Apache-2.0

//! How AWS tells errors in JSON.

use serde::Deserialize;

use crate::identity::answer::Answer;
use crate::identity::error::Error;

/// Errors that say something of whoever asks.
pub(super) const OF_IDENTITY: [&str; 8] = [
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "IncompleteSignatureException",
    "ExpiredTokenException",
    "ExpiredToken",
    "InvalidSecurity",
    "InvalidClientTokenId",
    "MissingAuthenticationTokenException",
];

/// How AWS tells errors.
#[derive(Deserialize)]
struct Fault {
    #[serde(rename = "__type")]
    kind: Option<String>,
    message: Option<String>,
    /// Some servers say it in both ways at once.
    #[serde(rename = "Message")]
    capital: Option<String>,
}

/// What the error of an answer is called, and its words.
pub(super) fn fault(answer: &Answer) -> Option<(String, String)> {
    let Fault {
        kind,
        message,
        capital,
    } = serde_json::from_str(answer.text()).ok()?;
    // `com.amazonaws.ecr#AccessDeniedException`, or without what stands before it; behind it may stand `:` and a URL.
    // <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html#operation-error-serialization>
    let kind = kind.as_deref().and_then(|kind| kind.split(':').next());
    let kind = kind.and_then(|kind| kind.rsplit('#').next());
    let kind = kind.unwrap_or("error").to_owned();
    let message = message.or(capital);
    Some((kind, message.unwrap_or_default()))
}

/// An error for an answer that refuses, by what AWS calls it.
pub(super) fn refusal(answer: &Answer) -> Error {
    let Some((kind, message)) = fault(answer) else {
        return answer.refusal(None);
    };
    match (
        answer.refusal(Some(&format!("{kind}: {message}"))),
        kind.as_str(),
    ) {
        // AWS answers 400 to most of what it refuses, and 403 to some.
        (
            Error::Refused {
                server,
                asked,
                status,
                said,
                ..
            },
            kind,
        ) if OF_IDENTITY.contains(&kind) => Error::Refused {
            server,
            asked,
            status,
            said,
            is_known: false,
        },
        (
            Error::Refused {
                server,
                asked,
                status,
                said,
                ..
            },
            "AccessDeniedException",
        ) => Error::Refused {
            server,
            asked,
            status,
            said,
            is_known: true,
        },
        (
            Error::Refused { server, .. },
            "ThrottlingException" | "TooManyRequestsException" | "RequestThrottled",
        ) => Error::RateLimited { server },
        (error, _) => error,
    }
}
