// SPDX-License-Identifier: Apache-2.0

//! What the commands of bundles have in common.

use crate::cli::args::{BundledMirrorArgs, DocumentArgs};
use crate::cli::error::Error;
use crate::copy::endpoint;
use crate::layout;

/// The documents of mirrors, with a layout in place of one end.
pub(super) fn documents(args: &BundledMirrorArgs) -> DocumentArgs {
    let BundledMirrorArgs {
        filename,
        set_env,
        mirror,
        state,
    } = args;
    DocumentArgs::as_written(filename, *set_env, mirror, state.as_deref())
}

/// What went wrong with a bundle.
pub(super) fn failed(error: layout::Error) -> Error {
    endpoint::Error::from(error).into()
}
