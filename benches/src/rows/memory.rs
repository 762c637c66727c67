//! Memory of idle clients, and of going through a long list.

use serde::Deserialize;
use serde_json::json;

use crate::bench::Result;
use crate::programs::probe;
use crate::report::{Figure, Line};
use crate::server;

const FEW: u32 = 1_000;
const MANY: u32 = 100_000;
/// By how much the memory for the long list may exceed that for the short one.
const FLAT: f64 = 1.1;

pub(crate) fn run(_: usize) -> Result<Vec<Line>> {
    #[derive(Deserialize)]
    struct Clones {
        bytes: u32,
        clones: u32,
    }

    let Clones { bytes, clones } = probe(&["clones"])?;
    let each = f64::from(bytes) / f64::from(clones);
    let (few, many) = (pager_kibibytes(FEW)?, pager_kibibytes(MANY)?);
    Ok(vec![
        Line::new(13, "an idle clone of a client, of 10,000", "bytes", Figure::exact(each))
            .goal_text("one pointer", bytes as usize == clones as usize * size_of::<usize>()),
        Line::new(13, "going through 100,000 listings, peak", "KiB", Figure::exact(many))
            .against("1,000 listings", Figure::exact(few), Figure::exact(many / few))
            .goal_text("flat", many <= few * FLAT),
    ])
}

/// Measures the peak memory of going through this number of listings.
fn pager_kibibytes(listings: u32) -> Result<f64> {
    #[derive(Deserialize)]
    struct Pager {
        peak_bytes: u32,
        listings: u32,
    }

    let server = server::start(move |request| page(request, listings))?;
    let found: Pager = probe(&["pager", &format!("http://{server}/api/v1")])?;
    if found.listings != listings {
        return Err(format!("{} of {listings} listings", found.listings).into());
    }
    Ok(f64::from(found.peak_bytes) / 1024.0)
}

/// Returns the page that a request asks for.
fn page(request: &[u8], listings: u32) -> String {
    let head = String::from_utf8_lossy(request);
    let query = head.split_whitespace().nth(1).and_then(|path| path.split_once('?'));
    let parameter = |name| {
        let pairs = query.into_iter().flat_map(|(_, query)| query.split('&'));
        let mut values = pairs.filter_map(|pair| pair.strip_prefix(name)?.parse().ok());
        values.next()
    };
    let offset: u32 = parameter("offset=").unwrap_or(0);
    let limit: u32 = parameter("limit=").unwrap_or(50);
    let end = listings.min(offset + limit);
    let items: Vec<_> = (offset..end)
        .map(|number| {
            json!({
                "id": format!("9e2a366e-a633-4435-9ed9-{number:012}"),
                "seller_agent_id": "a5f0a3c1-56a5-4c1e-9f0e-0d4f1c1f2c11",
                "seller_agent_name": "Ada Lovelace",
                "seller_agent_slug": "ada-lovelace",
                "seller_reputation_score": "4.50",
                "title": "Sentiment Analysis",
                "slug": format!("sentiment-analysis-{number}"),
                "description": "Send a text, get its sentiment.",
                "listing_type": "task",
                "price": "45.50",
                "currency": "CREDIT",
                "tags": ["nlp", "text"],
                "status": "active",
                "side": "offer",
                "completed_trades": 3,
                "created_at": "2026-01-01T00:00:00Z",
            })
        })
        .collect();
    let has_more = end < listings;
    json!({
        "items": items, "total": listings, "offset": offset, "limit": limit, "has_more": has_more,
    })
    .to_string()
}
