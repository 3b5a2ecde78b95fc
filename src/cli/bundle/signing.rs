// SPDX-License-Identifier: Apache-2.0

//! Who signed a bundle: its index, which names all the rest by digest.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use secrecy::SecretString;

use super::ends::failed;
use crate::cli::args::SignedByArgs;
use crate::cli::error::Error;
use crate::layout::{BundleFile, BundleSignature};
use crate::signature::{FILE_SIGNATURE, FileAuthority, SigningKey};

/// Largest key or signature that is read, in bytes.
const FILE_BYTES: u64 = 1024 * 1024;

/// The key that a bundle is to be signed with.
pub(super) fn read_key(path: &Path) -> Result<SigningKey, Error> {
    let pem = String::from_utf8(read(path)?).unwrap_or_default();
    let key = SigningKey::parse(&SecretString::from(pem));
    key.map_err(|error| Error::Usage(format!("{} {error}", path.display())))
}

/// Signs the index of a bundle.
pub(super) fn sign(key: &SigningKey, index: &[u8]) -> Result<BundleSignature, Error> {
    let content = key.sign(index);
    Ok(BundleSignature {
        media_type: FILE_SIGNATURE.to_owned(),
        content: content.map_err(|error| Error::Image(format!("the key {error}")))?,
    })
}

/// Whether a bundle is signed by whom it has to be; nobody is asked for where no key is named.
pub(super) async fn require(
    bundle: &BundleFile,
    file: &Path,
    signed_by: &SignedByArgs,
) -> Result<(), Error> {
    let SignedByArgs { key, signature } = signed_by;
    let Some(key) = key else { return Ok(()) };
    let authority = FileAuthority::key(&read(key)?);
    let authority =
        authority.map_err(|error| Error::Usage(format!("{} {error}", key.display())))?;
    let unproven = |why: String| Error::Unproven {
        subject: file.display().to_string(),
        why,
    };
    let beside = signature.as_deref().map(read).transpose()?;
    let within = bundle.signature.as_ref().map(|within| &within.content);
    let signature = beside.as_ref().or(within).ok_or_else(|| {
        unproven("it has no signature: make it with --key, or name one with --signature".to_owned())
    })?;
    let index = bundle.signed_text().await.map_err(failed)?;
    let verified = authority.verify(&index, signature);
    verified.map_err(|rejection| unproven(rejection.to_string()))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    let read = File::open(path).and_then(|file| {
        let read = file.take(FILE_BYTES + 1).read_to_end(&mut content)?;
        let is_bounded = read as u64 <= FILE_BYTES;
        is_bounded
            .then_some(())
            .ok_or_else(|| io::Error::other(format!("it has more than {FILE_BYTES} bytes")))
    });
    read.map_err(|cause| Error::Usage(format!("cannot read {}: {cause}", path.display())))?;
    Ok(content)
}
