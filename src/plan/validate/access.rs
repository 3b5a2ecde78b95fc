//! How a registry is reached.

use crate::api::LocalObjectReference;
use crate::oci::Registry;
use crate::plan::fields::Fields;
use crate::plan::mirror::Access;

/// The registry of a source or destination, by the one name that it has.
pub(super) fn accept_registry(
    path: &str,
    text: &str,
    insecure: bool,
    fields: &mut Fields,
) -> Option<Registry> {
    let registry: Registry = fields.accept(format!("{path}.registry"), text.parse())?;
    if !insecure {
        return Some(registry);
    }
    if Registry::is_https_port_named(text) {
        fields.refuse(
            format!("{path}.insecure"),
            format_args!(
                "{text:?} names the port of HTTPS, and insecure means plain HTTP: leave out one of the two"
            ),
        );
        return None;
    }
    Some(registry.in_plain_http())
}

/// The Secrets by their names.
pub(super) fn access(secrets: [&Option<LocalObjectReference>; 3], insecure: bool) -> Access {
    let [secret, cert_secret, proxy_secret] =
        secrets.map(|reference| reference.as_ref().map(|reference| reference.name.clone()));
    Access {
        secret,
        cert_secret,
        proxy_secret,
        insecure,
    }
}
