//! Who sent a request: so far what its header says, since there are no keys.

use axum::http::HeaderMap;

use super::Sender;
use super::failure::Failure;
use crate::normalise::is_tenant_name;

/// Names the tenant of everything in a request, instead of what its resources say. Until there are keys a sender may
/// say so either way, so this gives nobody more than they have.
const TENANT: &str = "x-outspan-tenant";

impl Sender {
    /// Reads who sent a request.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let Some(said) = headers.get(TENANT) else {
            return Ok(Self::default());
        };
        let name = said.to_str().unwrap_or_default();
        if !is_tenant_name(name) {
            return Err(Failure::undecodable(format!(
                "header {TENANT} is not 1 to 64 of a-z, 0-9, _ and -"
            )));
        }
        Ok(Self {
            tenant: Some(name.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_the_tenant_and_a_bad_name_is_refused() {
        let of = |name: &str| {
            let headers = HeaderMap::from_iter([(TENANT.parse().unwrap(), name.parse().unwrap())]);
            Sender::of(&headers).map(|sender| sender.tenant)
        };
        assert_eq!(of("acme").unwrap().as_deref(), Some("acme"));
        assert_eq!(
            of(&"a".repeat(64)).unwrap().map(|name| name.len()),
            Some(64)
        );
        assert!(of("Acme!").is_err() && of(&"a".repeat(65)).is_err() && of("").is_err());
        assert_eq!(Sender::of(&HeaderMap::new()).unwrap().tenant, None);
    }
}
