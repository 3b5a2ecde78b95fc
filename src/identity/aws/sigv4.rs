// SPDX-License-Identifier: Apache-2.0

//! AWS Signature Version 4.
//!
//! By hand: the signer is a page, and the SDK that has it brings an HTTP stack, a TLS configuration and 31 crates of
//! its own. It is held against examples that AWS published.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};

use super::keys::Keys;

/// The name of the procedure.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What is signed. Paths and queries are canonical as they are: this program asks for nothing else.
pub(super) struct Signable<'a> {
    pub(super) method: &'a str,
    /// Host, with a port where it is not that of the scheme.
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    /// Names in lower case with their values.
    pub(super) headers: &'a [(&'static str, SecretString)],
    pub(super) body: &'a str,
}

/// For which service of which region a signature is.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

/// The headers that a request has to carry besides its own: time, session and signature.
pub(super) fn sign(
    signable: &Signable<'_>,
    scope: Scope<'_>,
    keys: &Keys,
    time: Timestamp,
) -> Vec<(&'static str, SecretString)> {
    let time = time.to_zoned(TimeZone::UTC);
    let date = time.strftime("%Y%m%d").to_string();
    let time = time.strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut added = vec![("x-amz-date", SecretString::from(time.clone()))];
    if let Some(token) = &keys.token {
        added.push(("x-amz-security-token", token.clone()));
    }
    let (canonical, names) = canonical(signable, &added);
    let scope_text = format!("{date}/{}/{}/aws4_request", scope.region, scope.service);
    let to_sign = format!("{ALGORITHM}\n{time}\n{scope_text}\n{}", hash(&canonical));
    let signature = hex::encode(mac(&derive(keys, scope, &date), &to_sign));
    let authorization = format!(
        "{ALGORITHM} Credential={}/{scope_text}, SignedHeaders={names}, Signature={signature}",
        keys.id
    );
    added.push(("authorization", authorization.into()));
    added
}

/// The request in its one form, and the names of its headers.
fn canonical(signable: &Signable<'_>, added: &[(&'static str, SecretString)]) -> (String, String) {
    let host = ("host", SecretString::from(signable.host.to_owned()));
    let mut headers: Vec<&(&str, SecretString)> = signable.headers.iter().chain(added).collect();
    headers.push(&host);
    headers.sort_by_key(|(name, _)| *name);
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}:{}\n", value.expose_secret().trim()))
        .collect();
    let lines = lines.concat();
    let Signable {
        method,
        path,
        query,
        body,
        ..
    } = signable;
    let text = format!(
        "{method}\n{path}\n{query}\n{lines}\n{names}\n{}",
        hash(body)
    );
    (text, names)
}

fn derive(keys: &Keys, scope: Scope<'_>, date: &str) -> Vec<u8> {
    let secret = SecretString::from(format!("AWS4{}", keys.secret.expose_secret()));
    let steps = [date, scope.region, scope.service, "aws4_request"];
    let first = secret.expose_secret().as_bytes().to_vec();
    steps.iter().fold(first, |key, step| mac(&key, step))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hash(text: &str) -> String {
    hex::encode(digest(&SHA256, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn signature(signable: &Signable<'_>, scope: Scope<'_>, token: Option<&str>) -> String {
        let keys = Keys {
            id: "AKIDEXAMPLE".to_owned(),
            secret: SECRET.into(),
            token: token.map(Into::into),
        };
        let time = "2015-08-30T12:36:00Z".parse().unwrap();
        let signed = sign(signable, scope, &keys, time);
        let (_, value) = signed.last().unwrap();
        value.expose_secret().to_owned()
    }

    /// The vectors `get-vanilla`, `post-vanilla`, `post-sts-header-before` and `post-x-www-form-urlencoded` of AWS's
    /// test suite, and the worked example of its documentation.
    #[test]
    fn published_signatures() {
        let test = Scope {
            region: "us-east-1",
            service: "service",
        };
        let iam = Scope {
            service: "iam",
            ..test
        };
        let form = [(
            "content-type",
            SecretString::from("application/x-www-form-urlencoded"),
        )];
        let form_utf8 = [(
            "content-type",
            SecretString::from("application/x-www-form-urlencoded; charset=utf-8"),
        )];
        let token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
        let signable = |method, host, query, headers, body| Signable {
            method,
            host,
            path: "/",
            query,
            headers,
            body,
        };
        let host = "example.amazonaws.com";
        let list = "Action=ListUsers&Version=2010-05-08";
        let cases = [
            (
                signable("GET", host, "", &[], ""),
                test,
                None,
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                signable("POST", host, "", &[], ""),
                test,
                None,
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                signable("POST", host, "", &[], ""),
                test,
                Some(token),
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
            (
                signable("POST", host, "", &form, "Param1=value1"),
                test,
                None,
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                signable("GET", "iam.amazonaws.com", list, &form_utf8, ""),
                iam,
                None,
                "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            ),
        ];
        for (signable, scope, token, expected) in cases {
            let header = signature(&signable, scope, token);
            let (_, found) = header.rsplit_once("Signature=").unwrap();
            assert_eq!(found, expected, "{} {}", signable.method, signable.host);
        }
    }

    #[test]
    fn the_header_names_what_is_signed() {
        let headers = [("x-amz-target", SecretString::from("T"))];
        let signable = Signable {
            method: "POST",
            host: "api.ecr.eu-west-1.amazonaws.com",
            path: "/",
            query: "",
            headers: &headers,
            body: "{}",
        };
        let scope = Scope {
            region: "eu-west-1",
            service: "ecr",
        };
        let header = signature(&signable, scope, Some("t"));
        let (named, _) = header.rsplit_once(", ").unwrap();
        assert_eq!(
            named,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/ecr/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-security-token;x-amz-target"
        );
        assert!(!header.contains(SECRET));
    }
}
