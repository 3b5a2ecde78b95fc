// SPDX-License-Identifier: Apache-2.0

//! Signatures of AWS, recomputed from what arrived and written a second time: HMAC over SHA-256 by its definition
//! (RFC 2104).

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::http::Request;

/// The length of a block of SHA-256.
const BLOCK: usize = 64;

/// Whose key signed a request for which service of which region; or what is wrong with its signature.
pub fn verify(request: &Request, secret: &str) -> Result<String, String> {
    let header = |name: &str| {
        request
            .headers
            .value(name)
            .ok_or_else(|| format!("no {name}"))
    };
    let authorization = header("authorization")?;
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
    let [_, date, region, service, "aws4_request"] = parts[..] else {
        return Err(format!("the credential is {credential}"));
    };
    let time = header("x-amz-date")?;
    if !time.starts_with(date) {
        return Err(format!("{date} is not the day of {time}"));
    }
    let mut canonical = format!("{}\n{}\n{}\n", request.method, request.path, request.query);
    for name in names.split(';') {
        writeln!(canonical, "{name}:{}", header(name)?).unwrap();
    }
    let body = hash(&request.body);
    write!(canonical, "\n{names}\n{body}").unwrap();
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let text = format!(
        "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
        hash(canonical.as_bytes())
    );
    let key = [date, region, service, "aws4_request"]
        .iter()
        .fold(format!("AWS4{secret}").into_bytes(), |key, step| {
            mac(&key, step.as_bytes())
        });
    let expected = hex::encode(mac(&key, text.as_bytes()));
    let all = ["host", "x-amz-date"];
    if !all
        .iter()
        .all(|name| names.split(';').any(|one| one == *name))
    {
        return Err(format!("only {names} are signed"));
    }
    if field("Signature")? != expected {
        return Err("the signature is wrong".to_owned());
    }
    Ok(format!("{} {region} {service}", parts[0]))
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = if key.len() > BLOCK {
        Sha256::digest(key).to_vec()
    } else {
        key.to_vec()
    };
    block.resize(BLOCK, 0);
    let pad = |byte: u8| -> Vec<u8> { block.iter().map(|part| part ^ byte).collect() };
    let inner = Sha256::digest([&pad(0x36), text].concat());
    Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
}
