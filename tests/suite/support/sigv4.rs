// SPDX-License-Identifier: Apache-2.0

//! Signatures of AWS, recomputed from what arrived by botocore, which is the signer of AWS's own tools.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::http::{Reply, Request};
use super::{now, tools};

/// The keys that AWS knows in the tests from the beginning, with their secrets.
const KEYS: [(&str, &str); 8] = [
    ("AKID", "canary-key"),
    ("TEMP", "canary-temp"),
    ("OWN", "canary-own"),
    ("own", "s"),
    ("a", "s"),
    ("b", "s"),
    ("c", "s"),
    ("d", "s"),
];
/// How far the clock of a signer may be away from ours, in seconds, as AWS has it.
const SKEW: i64 = 15 * 60;
/// The signer, as a program.
const SIGNER: &str = include_str!("sigv4.py");

/// The one that runs.
static RUNNING: OnceLock<Mutex<Signer>> = OnceLock::new();

/// botocore, that signs for the whole test process. It ends with its standard input.
struct Signer {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _child: Child,
}

/// The keys that AWS gave out since then.
static GIVEN: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// What a request says about its own signature.
struct Claim<'a> {
    key: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    names: &'a str,
    signature: &'a str,
}

// === impl Signer ===

impl Signer {
    fn start() -> Self {
        let mut child = Command::new(tools::beside("moto", "python/bin/python"))
            .args(["-c", SIGNER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Python of moto");
        Self {
            input: child.stdin.take().expect("a pipe"),
            output: BufReader::new(child.stdout.take().expect("a pipe")),
            _child: child,
        }
    }

    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.input, "{question}").expect("a signer that reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a signer's answer");
        serde_json::from_str(&line).expect("an answer of the signer")
    }
}

// === impl Claim ===

impl<'a> Claim<'a> {
    fn read(authorization: &'a str) -> Result<Self, String> {
        let fields = authorization
            .strip_prefix("AWS4-HMAC-SHA256 ")
            .ok_or("another algorithm")?;
        let field = |name: &str| {
            let found = fields
                .split(", ")
                .find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
            found.ok_or_else(|| format!("no {name} in {fields}"))
        };
        let (credential, names) = (field("Credential")?, field("SignedHeaders")?);
        let parts: Vec<&str> = credential.split('/').collect();
        let [key, date, region, service, "aws4_request"] = parts[..] else {
            return Err(format!("the credential is {credential}"));
        };
        Ok(Self {
            key,
            date,
            region,
            service,
            names,
            signature: field("Signature")?,
        })
    }
}

/// Whose key signed a request for which service of which region; or what is wrong with its signature.
pub fn verify(request: &Request) -> Result<String, String> {
    let authorization = request.headers.value("authorization");
    let claim = Claim::read(authorization.ok_or("no authorization")?)?;
    let secret = secret(claim.key).ok_or_else(|| format!("no key {}", claim.key))?;
    let time = request.headers.value("x-amz-date").ok_or("no x-amz-date")?;
    check_time(time, claim.date)?;
    check_names(request, claim.names)?;
    let host = request.headers.value("host").unwrap_or_default();
    let headers: Vec<(&str, &str)> = claim
        .names
        .split(';')
        .filter_map(|name| Some((name, request.headers.value(name)?)))
        .collect();
    let question = json!({
        "method": request.method, "url": format!("http://{host}{}", request.target()),
        "headers": headers, "body": STANDARD.encode(&request.body), "time": time,
        "key": claim.key, "secret": secret, "region": claim.region, "service": claim.service,
    });
    let signer = RUNNING.get_or_init(|| Mutex::new(Signer::start()));
    let expected = signer.lock().unwrap().ask(&question);
    if expected["signed"] != claim.names {
        return Err(format!("{} are not the signed headers", claim.names));
    }
    if expected["signature"] != claim.signature {
        return Err("the signature is wrong".to_owned());
    }
    Ok(format!("{} {} {}", claim.key, claim.region, claim.service))
}

/// Takes note of a key that AWS gave out.
pub fn know(key: &str, secret: &str) {
    let pair = (key.to_owned(), secret.to_owned());
    GIVEN.lock().unwrap().push(pair);
}

fn secret(key: &str) -> Option<String> {
    let written = KEYS.iter().find(|(known, _)| *known == key);
    let given = GIVEN.lock().unwrap();
    let given = given.iter().rev().find(|(known, _)| known == key);
    let given = given.map(|(_, secret)| secret.clone());
    given.or_else(|| Some(written?.1.to_owned()))
}

/// What AWS answers to a request whose signature is wrong; nothing where it is right, or there is none.
pub fn refusal(request: &Request) -> Option<Reply> {
    let authorization = request.headers.value("authorization")?;
    if !authorization.starts_with("AWS4") {
        return None;
    }
    let message = verify(request).err()?;
    let fault = json!({"__type": "InvalidSignatureException", "message": message});
    Some(Reply::json(400, &fault))
}

fn check_time(time: &str, date: &str) -> Result<(), String> {
    let parsed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time);
    let parsed = parsed.map_err(|_| format!("{time} is no time"))?;
    let parsed = parsed.to_zoned(jiff::tz::TimeZone::UTC);
    let second = parsed.map_err(|_| format!("{time} is no time"))?;
    let away = second.timestamp().as_second() - now().as_second();
    if away.abs() > SKEW {
        return Err(format!("{time} is too far away"));
    }
    if !time.starts_with(date) {
        return Err(format!("{date} is not the day of {time}"));
    }
    Ok(())
}

/// AWS wants the host, the type of the body and all of its own headers to be signed.
fn check_names(request: &Request, names: &str) -> Result<(), String> {
    let is_signed = |name: &str| names.split(';').any(|one| one == name);
    let needed = request.headers.iter().filter_map(|(name, _)| {
        let name = name.to_ascii_lowercase();
        let is_needed = name == "host" || name == "content-type" || name.starts_with("x-amz-");
        is_needed.then_some(name)
    });
    match needed.into_iter().find(|name| !is_signed(name)) {
        Some(name) => Err(format!("{name} is not signed")),
        None => Ok(()),
    }
}
