//! `GET /preview.png`: the picture beside a link to the price list where people share it (Open Graph, `og:image`): a receipt
//! on the shop's colour. The drawing is a file with a palette of sixteen steps from one colour to white; a shop of another
//! colour gets another palette (PNG, third edition, section 11.2.2).

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;

use crate::error::Fault;
use crate::http::assets;
use crate::http::pages::accent::FOR_AN_HOUR;
use crate::http::problem::HandlerResult;
use crate::http::state::AppState;

/// Its path. The address is the same for all colours, so it has no hash.
pub(crate) const PATH: &str = "/preview.png";
const STEPS: u32 = 16;

pub(crate) async fn show(State(state): State<AppState>) -> HandlerResult {
    let drawing = assets::bytes("preview.png").ok_or_else(|| Fault::bare("the preview is not embedded"))?;
    let picture = match state.catalog().shop.colour() {
        Some(colour) => coloured(drawing, colour).ok_or_else(|| Fault::bare("the preview has no palette"))?,
        None => drawing.to_vec(),
    };
    let content_type = HeaderValue::from_static("image/png");
    Ok(([(header::CACHE_CONTROL, FOR_AN_HOUR), (header::CONTENT_TYPE, content_type)], picture).into_response())
}

/// The drawing with a palette from this colour to white. None if it is not of the form that we draw.
fn coloured(drawing: &[u8], colour: [u8; 3]) -> Option<Vec<u8>> {
    let step = |at: u32| colour.map(|part| mixed(part, at));
    let palette: Vec<u8> = (0..STEPS).flat_map(step).collect();
    let named = [b"PLTE", palette.as_slice()].concat();
    let start = drawing.windows(4).position(|name| name == b"PLTE")?;
    let (before, from_name) = drawing.split_at(start);
    let after = from_name.get(named.len() + 4..)?;
    Some([before, &named, &checksum(&named).to_be_bytes(), after].concat())
}

/// This much of white, of fifteen parts.
fn mixed(part: u8, white: u32) -> u8 {
    let sum = u32::from(part) * (STEPS - 1 - white) + 255 * white;
    u8::try_from((sum + (STEPS - 1) / 2) / (STEPS - 1)).unwrap_or(u8::MAX)
}

/// PNG, third edition, annex D: CRC-32 of a chunk's name and content.
fn checksum(bytes: &[u8]) -> u32 {
    let folded = bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 })
    });
    !folded
}

#[cfg(test)]
mod tests {
    use super::{assets, checksum, coloured};

    #[test]
    fn the_colour_that_it_was_drawn_in_changes_nothing_and_another_one_only_the_palette() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
        let drawing = assets::bytes("preview.png").unwrap();
        assert_eq!(coloured(drawing, [0x0b, 0x6b, 0x4c]).as_deref(), Some(drawing));
        let other = coloured(drawing, [0x8a, 0x2d, 0x6f]).unwrap();
        assert_eq!(other.len(), drawing.len());
        let at = drawing.windows(4).position(|name| name == b"PLTE").unwrap() + 4;
        assert_eq!((&other[at..at + 3], &other[at + 45..at + 48]), (&[0x8a, 0x2d, 0x6f][..], &[255; 3][..]));
        let changed: Vec<usize> = (0..drawing.len()).filter(|place| drawing[*place] != other[*place]).collect();
        assert!(changed.iter().all(|place| (at..at + 52).contains(place)), "{changed:?}");
        assert_eq!(coloured(b"no picture", [0; 3]), None);
    }
}
