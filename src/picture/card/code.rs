//! A QR code as a shape, with the quiet zone that readers want.

use std::fmt::Write;

use qrcode::{Color, EcLevel, QrCode};

use crate::picture::card::backdrop::Area;

/// Modules left free on every side (ISO/IEC 18004, 9.1).
const QUIET: f32 = 4.0;
const PAPER: &str = "#f6f1e8";
const INK: &str = "#15110e";

/// The code of a text as SVG, as large as fits into the middle of an area; nothing where the text is too long.
pub(super) fn svg(text: &str, area: Area) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let modules = width as f32 + 2.0 * QUIET;
    // Whole pixels a module, so that edges are sharp.
    let module = (area.width.min(area.height) / modules).floor().max(1.0);
    let side = module * modules;
    let left = (area.left + (area.width - side) / 2.0).round();
    let top = (area.top + (area.height - side) / 2.0).round();
    let mut path = String::new();
    for (y, row) in code.to_colors().chunks(width).enumerate() {
        let mut x = 0;
        while x < width {
            let run = row[x..]
                .iter()
                .take_while(|color| **color == Color::Dark)
                .count();
            if run > 0 {
                let at = |number: usize, from: f32| from + (number as f32 + QUIET) * module;
                // Writing into a String cannot fail.
                let _ = write!(
                    path,
                    "M{} {}h{}v{module}h-{2}z",
                    at(x, left),
                    at(y, top),
                    run as f32 * module
                );
            }
            x += run.max(1);
        }
    }
    let round = 1.5 * module;
    Some(format!(
        r#"<rect x="{left}" y="{top}" width="{side}" height="{side}" rx="{round}" fill="{PAPER}"/><path d="{path}" fill="{INK}" shape-rendering="crispEdges"/>"#
    ))
}
