// SPDX-License-Identifier: Apache-2.0

//! How large objects are where the API server keeps them.

use serde::Serialize;
use serde_json::Value;

use crate::shared::units::float;
use crate::support::cluster::ControlPlane;

/// Objects of a kind that are looked at: they are all alike.
const SAMPLE: usize = 100;

/// How large the objects of a mirror are, in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Objects {
    /// An `ImageMirror`.
    pub(crate) mirror: Size,
    /// The `MirroredRepository` with the records of its tags.
    pub(crate) records: Size,
}

/// How large an object of a kind is, in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Size {
    /// As JSON, which is how etcd has it.
    pub(crate) bytes: f64,
    /// Who wrote which field, as the API server notes it: a part of the above.
    pub(crate) managed_fields: f64,
}

impl Objects {
    /// Looks at what there is.
    pub(crate) async fn measure(plane: &ControlPlane) -> Self {
        Self {
            mirror: Size::of_kind(plane, "imir").await,
            records: Size::of_kind(plane, "mirroredrepositories").await,
        }
    }
}

impl Size {
    async fn of_kind(plane: &ControlPlane, kind: &str) -> Self {
        let path = plane.client().path(kind, None).await;
        let listed = plane.client().get(&format!("{path}?limit={SAMPLE}")).await;
        let list = listed.assert_success();
        let objects = list["items"].as_array().map_or(&[][..], Vec::as_slice);
        let mean = |size: fn(&Value) -> usize| {
            float(objects.iter().map(size).sum::<usize>()) / float(objects.len())
        };
        Self {
            bytes: mean(|object| object.to_string().len()),
            managed_fields: mean(|object| object["metadata"]["managedFields"].to_string().len()),
        }
    }
}
