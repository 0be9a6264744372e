//! Stylesheet, script and icon: embedded in the binary, each under a path with the hash of its content, so that a
//! browser may keep it for ever and never has a stale one. Nothing is read from disk. The compression layer compresses
//! them, as it does pages.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use rust_embed::RustEmbed;

use super::etag;
use super::problem::HandlerResult;
use super::request::PathSegment;
use crate::error::Refused;
use crate::id;

/// With a hash in the path, a browser need not even ask whether the file has changed (RFC 8246).
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Embedded;

struct Asset {
    /// In `assets/`: `till.css`.
    name: String,
    /// `/assets/till.3f2a9c0d1b2e.css`.
    url: String,
    content_type: &'static str,
    /// Weak, because the compression layer may change the bytes (RFC 9110, section 8.8.1).
    etag: HeaderValue,
    bytes: Vec<u8>,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    Embedded::iter().filter_map(|name| Embedded::get(&name).and_then(|file| asset(&name, file))).collect()
});

/// The path of an embedded file by its plain name, for templates. An unknown name gets a path that answers 404. A test
/// renders every page and looks for that path.
pub(super) fn url(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("/assets/none", |asset| asset.url.as_str())
}

/// An embedded file by its plain name, for what is made from it.
pub(super) fn bytes(name: &str) -> Option<&'static [u8]> {
    ASSETS.iter().find(|asset| asset.name == name).map(|asset| asset.bytes.as_slice())
}

/// `GET /assets/{file}`: the file, `304` when the browser has it, `404` for any other name or hash.
pub(super) async fn get(PathSegment(file): PathSegment, headers: HeaderMap) -> HandlerResult {
    let Some(asset) = ASSETS.iter().find(|asset| asset.url.strip_prefix("/assets/") == Some(file.as_str())) else {
        return Err(Refused::NotFound("There is no such file here. Load the page again.".into()).into());
    };
    let known = [(header::CACHE_CONTROL, FOR_EVER), (header::ETAG, asset.etag.clone())];
    if etag::is_current(&headers, &asset.etag) {
        return Ok((StatusCode::NOT_MODIFIED, known).into_response());
    }
    let content_type = HeaderValue::from_static(asset.content_type);
    Ok((known, [(header::CONTENT_TYPE, content_type)], asset.bytes.as_slice()).into_response())
}

/// `GET /robots.txt` (RFC 9309): search engines may show prices and the reference. The other pages are for one person each.
pub(super) async fn robots() -> &'static str {
    "User-agent: *\nDisallow: /account\nDisallow: /admin\nDisallow: /confirm\nDisallow: /dashboard\nDisallow: /login\nDisallow: /reset\nDisallow: /unsubscribe\nDisallow: /billing/\nDisallow: /v1/\n"
}

fn asset(name: &str, file: rust_embed::EmbeddedFile) -> Option<Asset> {
    let hash = id::hex(&file.metadata.sha256_hash()[..6]);
    let (stem, extension) = name.rsplit_once('.')?;
    let content_type = match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        _ => "application/octet-stream",
    };
    Some(Asset {
        name: name.to_owned(),
        url: format!("/assets/{stem}.{hash}.{extension}"),
        content_type,
        etag: HeaderValue::from_str(&format!("W/\"{hash}\"")).ok()?,
        bytes: file.data.into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use axum::response::Response;

    use super::*;

    async fn ask(path: &str, if_none_match: Option<&'static str>) -> Response {
        let mut headers = HeaderMap::new();
        if let Some(tag) = if_none_match {
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(tag));
        }
        get(PathSegment(path.trim_start_matches("/assets/").to_owned()), headers).await.into_response()
    }

    #[tokio::test]
    async fn a_file_is_kept_for_ever_under_the_hash_of_its_content() {
        for (name, content_type) in [
            ("till.css", "text/css; charset=utf-8"),
            ("till.js", "text/javascript; charset=utf-8"),
            ("icon.svg", "image/svg+xml"),
        ] {
            let response = ask(url(name), None).await;
            assert_eq!(response.status(), StatusCode::OK, "{name}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], content_type);
            assert_eq!(response.headers()[header::CACHE_CONTROL], FOR_EVER);
            let tag: &'static str = response.headers()[header::ETAG].to_str().unwrap().to_owned().leak();
            assert_eq!(ask(url(name), Some(tag)).await.status(), StatusCode::NOT_MODIFIED);
            assert_eq!(ask(url(name), Some("\"other\", *")).await.status(), StatusCode::NOT_MODIFIED);
            assert_eq!(ask(url(name), Some("\"other\"")).await.status(), StatusCode::OK);
        }
    }

    #[tokio::test]
    async fn an_unknown_name_or_hash_is_not_found() {
        for path in ["till.css", "till.000000000000.css", "none", "../Cargo.toml", ""] {
            assert_eq!(ask(path, None).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(url("nothing.css"), "/assets/none");
    }
}
