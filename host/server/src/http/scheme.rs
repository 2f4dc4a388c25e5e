//! Whether a request came over TLS, and what follows from it: `Secure` cookies, the way from plain
//! HTTP to HTTPS, the word to browsers to come by HTTPS only.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Problem;
use crate::app::App;

/// Browsers keep to HTTPS this long: half a year. Only said with an imported certificate, for a
/// browser that was told so offers no way past a certificate that it does not know.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=15552000");
/// What anybody may ask for without TLS: public pages, the CA itself, and what watches the
/// appliance.
const OPEN: [&str; 10] = [
    "/t/",
    "/T/",
    "/ca",
    "/ca/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/keys/",
    "/verify",
    "/verify.html",
];

/// How a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS, here or at a trusted proxy.
    Https,
}

impl Scheme {
    /// As in an address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Of the connection, or what a trusted proxy says of its own.
    pub(super) fn of<B>(request: &axum::http::Request<B>, trusted: &[IpAddr]) -> Self {
        let direct = request.extensions().get::<Self>().copied().unwrap_or(Self::Http);
        let proto = || request.headers().get("x-forwarded-proto").map(HeaderValue::as_bytes);
        if direct == Self::Http && !trusted.is_empty() && proto() == Some(b"https") {
            let is_trusted = peer(request).is_some_and(|ip| trusted.contains(&ip));
            return if is_trusted { Self::Https } else { Self::Http };
        }
        direct
    }

    /// Sends a visitor from another machine to HTTPS, where passwords cannot be overheard. A trusted
    /// proxy knows itself what it does.
    pub(super) fn redirect(self, request: &Request, app: &App) -> Option<Response> {
        let port = app.tls.as_ref()?.https_port()?;
        let path = request.uri().path();
        let is_open = OPEN.iter().any(|open| match open.strip_suffix('/') {
            Some(_) => path.starts_with(open),
            None => path == *open,
        });
        let ip = peer(request)?;
        let proxied = app.config.http.trusted_proxies.contains(&ip);
        if self == Self::Https || is_open || proxied || ip.is_loopback() {
            return None;
        }
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let target = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let location = host
            .and_then(host_name)
            .map(|host| match port {
                443 => format!("https://{host}{target}"),
                _ => format!("https://{host}:{port}{target}"),
            })
            .and_then(|location| HeaderValue::try_from(location).ok());
        Some(match location {
            Some(location) => {
                (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]).into_response()
            }
            None => Problem::new(StatusCode::BAD_REQUEST, "bad_request").into_response(),
        })
    }

    /// Every cookie that was set over TLS stays on TLS.
    pub(super) fn set_headers(self, headers: &mut HeaderMap, app: &App) {
        if self == Self::Http {
            return;
        }
        if app.tls.as_ref().is_some_and(crate::tls::Tls::is_imported) {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
        }
        if let header::Entry::Occupied(mut cookies) = headers.entry(header::SET_COOKIE) {
            for cookie in cookies.iter_mut() {
                let secure = [cookie.as_bytes(), b"; Secure"].concat();
                if let Ok(secure) = HeaderValue::from_bytes(&secure) {
                    *cookie = secure;
                }
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Scheme {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(Self::Http))
    }
}

fn peer<B>(request: &axum::http::Request<B>) -> Option<IpAddr> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some(peer.0.ip().to_canonical())
}

/// The host in a `Host` header, without port; `None` when it is none.
pub(super) fn host_name(host: &str) -> Option<&str> {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => &host[..v6.len() + 2],
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b);
    (!name.is_empty() && name.len() <= 253 && name.bytes().all(good)).then_some(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hosts_without_port() {
        let cases = [
            ("10.0.0.8:8080", Some("10.0.0.8")),
            ("ty.example.cn", Some("ty.example.cn")),
            ("[fd00::1]:8080", Some("[fd00::1]")),
            ("[::1]", Some("[::1]")),
            ("", None),
            ("a/b", None),
            ("a b", None),
            (":8080", None),
        ];
        for (host, name) in cases {
            assert_eq!(host_name(host), name, "{host}");
        }
    }

    #[test]
    fn only_trusted_proxies_speak_for_others() {
        let of = |peer: &str, direct: Scheme, proto: &str| {
            let mut request = axum::http::Request::new(());
            let peer: SocketAddr = peer.parse().unwrap();
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(direct);
            request.headers_mut().insert("x-forwarded-proto", proto.parse().unwrap());
            Scheme::of(&request, &["10.0.0.1".parse().unwrap()])
        };
        assert_eq!(of("10.0.0.1:1", Scheme::Http, "https"), Scheme::Https);
        assert_eq!(of("10.0.0.1:1", Scheme::Http, "http"), Scheme::Http);
        assert_eq!(of("10.0.0.2:1", Scheme::Http, "https"), Scheme::Http);
        assert_eq!(of("10.0.0.2:1", Scheme::Https, "http"), Scheme::Https);
    }
}
