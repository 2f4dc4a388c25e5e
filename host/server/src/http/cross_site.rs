//! Refuses what another web site makes a visitor's browser send here.

use axum::http::{HeaderMap, Method, header};

/// Whether a request that may change something comes from another site's page. Programs send
/// neither `Sec-Fetch-Site` nor `Origin`; browsers send the first to https and localhost only, and
/// the second with every form. A bearer token is no cookie: no page can make a browser add it.
pub fn is_cross_site(method: &Method, headers: &HeaderMap) -> bool {
    if method.is_safe() || is_bearer(headers) {
        return false;
    }
    if let Some(site) = headers.get("sec-fetch-site") {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let host = headers.get(header::HOST).map_or(&b""[..], |h| h.as_bytes());
    let origin = origin.as_bytes();
    let authority = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    // `null` and other schemes have no authority and are refused.
    !authority.is_some_and(|a| !host.is_empty() && a.eq_ignore_ascii_case(host))
}

fn is_bearer(headers: &HeaderMap) -> bool {
    let value = headers.get(header::AUTHORIZATION).map_or(&b""[..], |v| v.as_bytes());
    value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn asked(method: Method, headers: &[(&'static str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        is_cross_site(&method, &map)
    }

    #[test]
    fn example_table() {
        let host = ("host", "10.0.0.8:8080");
        let cases: [(&[(&'static str, &str)], bool); 11] = [
            (&[host], false),
            (&[host, ("sec-fetch-site", "same-origin")], false),
            (&[host, ("sec-fetch-site", "none")], false),
            (&[host, ("sec-fetch-site", "same-site")], true),
            (&[host, ("sec-fetch-site", "cross-site")], true),
            (&[host, ("origin", "http://10.0.0.8:8080")], false),
            (&[host, ("origin", "https://10.0.0.8:8080")], false),
            (&[host, ("origin", "http://10.0.0.8:8081")], true),
            (&[host, ("origin", "null")], true),
            (&[("origin", "http://")], true),
            (&[host, ("origin", "http://evil"), ("authorization", "Bearer x")], false),
        ];
        for (headers, refused) in cases {
            assert_eq!(asked(Method::POST, headers), refused, "{headers:?}");
            assert!(!asked(Method::GET, headers), "{headers:?}");
        }
    }
}
