//! Small drawings in pages.

use maud::{Markup, html};

/// Draws a bar for each count, scaled to the largest.
pub(super) fn bars(counts: &[u64], label: &str) -> Markup {
    const HEIGHT: u64 = 40;
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    html! {
        svg.bars viewBox={ "0 0 " (counts.len() * 4) " " (HEIGHT) } role="img"
            preserveAspectRatio="none" aria-label=(label) {
            @for (n, count) in counts.iter().enumerate() {
                @let height = (count * HEIGHT).div_ceil(most);
                @if height > 0 {
                    rect x=(n * 4) y=(HEIGHT - height) width="3" height=(height) {}
                }
            }
            rect.base x="0" y=(HEIGHT - 1) width=(counts.len() * 4) height="1" {}
        }
    }
}

/// Draws shares of a whole side by side. Each is a class and a number.
pub(super) fn shares(shares: &[(&str, u64)], label: &str) -> Markup {
    const WIDTH: u64 = 400;
    let whole = shares.iter().map(|(_, number)| number).sum::<u64>().max(1);
    let mut end = 0;
    let pieces = shares.iter().map(|(class, number)| {
        let start = end;
        end += number;
        (class, start * WIDTH / whole, end * WIDTH / whole)
    });
    html! {
        svg.shares viewBox={ "0 0 " (WIDTH) " 10" } role="img" preserveAspectRatio="none"
            aria-label=(label) {
            rect.empty x="0" y="0" width=(WIDTH) height="10" {}
            @for (class, start, end) in pieces {
                @if end > start {
                    rect class=(class) x=(start) y="0" width=(end - start) height="10" {}
                }
            }
        }
    }
}
