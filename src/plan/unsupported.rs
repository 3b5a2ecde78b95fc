//! What the API knows and the engine cannot do yet. It is refused: a check that is not made must never
//! look like one that was passed. Each refusal goes when its feature comes.

use super::fields::Fields;
use crate::api::image_policy::ImagePolicySpec;

/// Refuses gates which nothing checks yet.
pub(super) fn refuse_gates(spec: &ImagePolicySpec, fields: &mut Fields) {
    let vulnerabilities = spec
        .require
        .as_ref()
        .and_then(|require| require.vulnerabilities.as_ref());
    let gates = [
        ("spec.verify", !spec.verify.is_empty()),
        ("spec.require.vulnerabilities", vulnerabilities.is_some()),
    ];
    for (path, written) in gates {
        if written {
            fields.refuse(path, "is not supported yet: remove it");
        }
    }
}
